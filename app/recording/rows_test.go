package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// rowsOf are the rows of a recording, and the error that ended them.
func rowsOf(r *Recording) (rows []Row, err error) {
	for row, failed := range r.Rows() {
		if failed != nil {
			return rows, failed
		}
		rows = append(rows, *row)
	}
	return rows, nil
}

// Events carry the amounts, ids and contexts of their row, as they are written.
func TestEventsCarryWhatTheirRowSays(t *testing.T) {
	r := recordingOf(t, `{name: r, files: [d.csv], format: csv, label: "y", positive: "1", user: who, ad: "column:ad", campaign: "column:c", objective: {name: click, window: 10s},
  events: [{type: buy, when: positive, delay: 3s, value: price, context: [where]}, {type: seen, when: always}]}`, "who,ad,c,price,where,y\n007,9007199254740993,1E3,12.50,DE,1\n7,a2,c,oops,FR,0\n")
	rows, err := rowsOf(r)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	bought := rows[0].Events[0]
	if bought.Type != "buy" || bought.Value != 12.5 || bought.User != "007" || bought.Ad != "9007199254740993" || bought.Campaign != "1E3" || string(bought.Context.AppendJSON(nil)) != `{"where":"DE"}` || bought.Time != rows[0].Time+3000 {
		t.Errorf("%+v", bought)
	}
	if len(rows[0].Events) != 2 || len(rows[1].Events) != 1 || rows[1].Events[0].Type != "seen" || rows[1].Events[0].Value != 0 || rows[1].User != "7" {
		t.Errorf("%+v", rows)
	}
	if got := string(rows[1].Context.AppendJSON(nil)); got != `{"price":"oops","where":"FR"}` {
		t.Errorf("context %s", got)
	}
}

// Events of one time come in the order of their rows, and those of one row as they are described.
func TestEventsOfOneTimeComeInTheOrderOfRows(t *testing.T) {
	r := recordingOf(t, `{name: r, files: [d.csv], format: csv, label: "y", positive: "1", time: t, tick: 1s, objective: {name: click, positive: a, window: 10s}, events: [{type: b, when: always, delay: 2s}, {type: a, when: always, delay: 2s}]}`,
		"t,y\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:00Z,0\n2026-01-01T00:00:00Z,1\n")
	var got []string
	for tick, err := range r.Ticks(r.Tick(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range tick.Events {
			got = append(got, e.ID)
		}
	}
	if s := strings.Join(got, " "); s != "r-00000001-b r-00000001-a r-00000002-b r-00000002-a r-00000003-b r-00000003-a" {
		t.Errorf("events %s", s)
	}
}

func TestALimitIsANumberOfRows(t *testing.T) {
	r := recordingOf(t, described, "a,y\n1,1\n2,0\n3,1\n4,0\n")
	for limit, want := range map[int64]int{0: 4, 1: 1, 3: 3, 9: 4} {
		n := 0
		for tick, err := range r.Ticks(r.Tick(), limit) {
			if err != nil {
				t.Fatal(err)
			}
			n += len(tick.Rows)
		}
		if n != want {
			t.Errorf("limit %d: %d rows, want %d", limit, n, want)
		}
	}
}

// Labels of VW text are 1 and 0 or -1, or those that are named; others are refused by their line.
func TestLabelsOfVWTextInARecording(t *testing.T) {
	f := func(positive, text, want string) {
		t.Helper()
		dir := t.TempDir()
		description := "{name: r, files: [d.vw], format: vw, " + positive + " objective: {name: click, window: 10s}, events: [{type: click, when: positive}]}"
		if err := errors.Join(os.WriteFile(filepath.Join(dir, File), []byte(description), 0o600), os.WriteFile(filepath.Join(dir, "d.vw"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := rowsOf(r)
		got := ""
		for _, row := range rows {
			got += fmt.Sprint(row.Positive, " ")
		}
		if err != nil {
			got += err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s %q: %s, want %s", positive, text, got, want)
		}
	}
	f("", "1 |a b\n-1 |a b\n0 |a b\n", "true false false ")
	f(`positive: "2",`, "1 |a b\n2 |a b\n", "false true ")
	f(`positive: ">=0.5",`, "0.5 |a b\n0.25 |a b\n", "true false ")
	f("", "1 |a b\n2 |a b\n", "d.vw:2: the label is 2, want 0 or 1")
}

// The words and calendar parts of columns are named values of the request; ids, labels and times
// have none.
func TestRequestsHavePartsOfTheirColumns(t *testing.T) {
	data := "who,t,title,posted,y\n2020-01-01,2026-02-02T12:00:00Z,Red shoes,2026-01-31,1\n2020-01-02,2026-02-02T12:00:01Z,\"\",,0\n"
	rows, err := rowsOf(recordingOf(t, described[:strings.Index(described, "events")]+"events: [{type: click, when: positive}]\nuser: who\ntime: t\ntext: [title]\n", data))
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if got, want := string(rows[0].Context.AppendJSON(nil)), `{"title":"Red shoes","title.words":["red","shoes"],"posted":"2026-01-31","posted.weekday":"sat","posted.month":1,"posted.day":31,"posted.age":2.5}`; got != want {
		t.Errorf("context %s, want %s", got, want)
	}
	if got := string(rows[1].Context.AppendJSON(nil)); got != `{"title":null,"posted":null}` || rows[0].User != "2020-01-01" {
		t.Errorf("context %s of %s", got, rows[0].User)
	}
	var back event.Fields
	if err := back.UnmarshalJSON(rows[0].Context.AppendJSON(nil)); err != nil || string(back.AppendJSON(nil)) != string(rows[0].Context.AppendJSON(nil)) {
		t.Errorf("as a request it reads %s, %v", back.AppendJSON(nil), err)
	}
}

func TestTextOfAnotherEncodingIsReadByItsName(t *testing.T) {
	for encoding, want := range map[string]string{"": `d.csv:2: column "a": byte 3 (0xf6) is not UTF-8`, "encoding: latin1\n": ""} {
		rows, err := rowsOf(recordingOf(t, described+encoding, "a,y\ngr\xf6\xdfe,1\n"))
		if want == "" && (err != nil || string(rows[0].Context.AppendJSON(nil)) != `{"a":"größe"}`) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, %v, want %q", encoding, rows, err, want)
		}
	}
}

func TestWrongReadingsInADescriptionAreRefused(t *testing.T) {
	f := func(extra, want string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, File), []byte(described+extra), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", extra, err, want)
		}
	}
	f("encoding: klingon\n", `encoding: there is no encoding "klingon"`)
	f("text: [a]\ndate: [a]\n", `date: column "a" is to be read as text and as date`)
	f("token: [y]\n", `token: column "y" is to be read as token, and it is no input`)
	f("user: a\nnumber: [a]\n", `number: column "a" is to be read as token and as number`)
	for _, extra := range []string{"date: [when]\n", "number: [when]\n"} {
		if _, err := rowsOf(recordingOf(t, described+extra, "a,y\n7,1\n")); err == nil || !strings.Contains(err.Error(), `names column "when"`) {
			t.Errorf("%s: %v", extra, err)
		}
	}
}
