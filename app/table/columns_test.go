package table

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// column reads a file whose one column beside y is x, and returns what x became and how it was
// read.
func column(t *testing.T, name string, columns *Columns, cells ...string) (list []string, as *Column) {
	t.Helper()
	columns.Raw("y")
	path := fileOf(t, "a.csv", "y|"+name+"\n0|"+strings.Join(cells, "\n1|")+"\n")
	src, err := Open(path, Options{Separator: "|", Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range src.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(rec.Fields[1:].AppendJSON(nil)))
	}
	return list, columns.Column(name)
}

// Cells that are written otherwise stay apart where they may be codes, and are numbers where they
// can only be numbers.
func TestCodesStayApartAndNumbersStayNumbers(t *testing.T) {
	f := func(want Reading, cells string, values ...string) {
		t.Helper()
		got, as := column(t, "x", NewColumns(), strings.Fields(cells)...)
		for i := range values {
			if got[i] != `{"x":`+values[i]+`}` {
				t.Errorf("%s: %s, want %s", cells, got[i], values[i])
			}
		}
		if as.Reading != want || (as.Why != "") != (want != Plain) {
			t.Errorf("%s is read as %q (%s), want %q", cells, as.Reading, as.Why, want)
		}
	}
	f(Tokens, "01234 1234", `"01234"`, `"1234"`) // zip codes
	// hexadecimal, article numbers
	f(Tokens, "1E3 1000", `"1E3"`, `"1000"`)
	f(Tokens, "1e3 1000 7", `"1e3"`, `"1000"`, `"7"`) //
	// whole numbers beyond 2^53
	f(Tokens, "9007199254740992 9007199254740993", `"9007199254740992"`)
	f(Tokens, "-9007199254740993 5", `"-9007199254740993"`)       //
	f(Tokens, "12345678901234567890 5", `"12345678901234567890"`) //
	f(Tokens, "9007199254740993.0 5", `"9007199254740993.0"`)     //
	// telephone numbers
	f(Tokens, "+4915112345678 015112345678", `"+4915112345678"`, `"015112345678"`)
	f(Tokens, "1.1 1.10 1.9", `"1.1"`, `"1.10"`) // versions
	f(Tokens, "1.9 1.10 2.0", `"1.9"`, `"1.10"`) //
	// one number twice
	f(Tokens, "1 1.0", `"1"`, `"1.0"`)
	f(Tokens, "+1 1", `"+1"`, `"1"`) //
	// numbers among texts
	f(Tokens, "a b c 12", `"a"`, `"b"`, `"c"`, `"12"`)
	// always as many decimals
	f(Plain, "1.50 2.00 13.25", "1.5", "2", "13.25")
	f(Plain, "0.0 0.5 0.25", "0", "0.5", "0.25") //
	// as programs write
	f(Plain, "1e-05 1.5e+3 0.001", "0.00001", "1500", "0.001")
	f(Plain, "1.5E3 1E+05 -2", "1500", "100000", "-2")                      //
	f(Plain, "+0.5 -0.25 +3", "0.5", "-0.25", "3")                          // changes
	f(Plain, "0 -1 9007199254740992", "0", "-1", "9007199254740992")        // what survives
	f(Plain, "5 NaN inf", "5", `"NaN"`, `"inf"`)                            //
	f(Plain, "1_000 1,5 0x10 $5 12%", `"1_000"`, `"1,5"`, `"0x10"`, `"$5"`) //
	f(Plain, "2025550123 5", "2025550123", "5")                             //
}

// Prices that people typed are numbers, though one may be written in two ways.
func TestManyNumbersOfTwoSpellingsAreMeasurements(t *testing.T) {
	var cells []string
	for i := range 100 {
		cells = append(cells, fmt.Sprintf("%d.5", i), fmt.Sprintf("%d.50", i))
	}
	if got, as := column(t, "x", NewColumns(), cells...); as.Reading != Plain || got[0] != `{"x":0.5}` {
		t.Errorf("read as %q: %s", as.Reading, got[0])
	}
}

// A code among the numbers of a column that was read as numbers is a token, and told once, by its
// line.
func TestACodeBehindTheFirstRowsIsATokenAndTold(t *testing.T) {
	columns := NewColumns()
	column(t, "x", columns, "5", "7")
	got, as := column(t, "x", columns, "5", "007", "008")
	if as.Reading != Plain || got[1] != `{"x":"007"}` || got[2] != `{"x":"008"}` {
		t.Errorf("read as %q: %s", as.Reading, got)
	}
	notes := columns.Notices()
	if len(notes) != 1 || !strings.Contains(notes[0], `a.csv:3: column "x" is "007"`) || !strings.Contains(notes[0], "--token x") {
		t.Errorf("told %q", notes)
	}
}

func TestColumnsAreReadAsSomebodySays(t *testing.T) {
	f := func(as Reading, cell, want string) {
		t.Helper()
		columns := NewColumns()
		if err := columns.Set(as, "x"); err != nil {
			t.Fatal(err)
		}
		if got, x := column(t, "x", columns, cell, "5"); got[0] != want || !x.Met {
			t.Errorf("%q as %s: %s, want %s", cell, as, got[0], want)
		}
	}
	f(Numbers, "007", `{"x":7}`)
	f(Numbers, "1E3", `{"x":1000}`)
	f(Numbers, "word", `{"x":"word"}`)
	f(Tokens, " 1.0", `{"x":"1.0"}`)
	f(Tokens, "", `{"x":null}`)
	f(Texts, "Red, red Shoe", `{"x":"Red, red Shoe","x.words":["red","shoe"]}`)
	f(Texts, "", `{"x":null}`)
	f(Texts, "...", `{"x":"..."}`)
	f(Dates, "2026-01-31", `{"x":"2026-01-31","x.weekday":"sat","x.month":1,"x.day":31,"x.days":20484}`)
	f(Dates, "02/01/2026", `{"x":"02/01/2026","x.weekday":"sun","x.month":2,"x.day":1,"x.days":20485}`)
	f(Dates, "1769853600", `{"x":1769853600,"x.hour":10,"x.weekday":"sat","x.month":1,"x.day":31,"x.days":20484.416666666668}`)

	columns := NewColumns()
	columns.Raw("y")
	for want, err := range map[string]error{
		"it is no input":           columns.Set(Tokens, "y"),
		"as token and as date":     errSecond(columns.Set(Tokens, "a"), columns.Set(Dates, "a")),
		"does not know":            columns.Restore("b", "colour", ""),
		`of the form "moon"`:       columns.Restore("b", Dates, "moon"),
		"made with it read as tex": columns.Restore("a", Texts, ""),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func errSecond(_, err error) error { return err }

func TestDatesAreFoundAndHavePartsBesideThem(t *testing.T) {
	f := func(name string, cells []string, form, want string) {
		t.Helper()
		got, as := column(t, name, NewColumns(), cells...)
		if as.Form != form || form != "" && as.Reading != Dates || got[0] != want {
			t.Errorf("%s %q: form %q, %s, want %q, %s", name, cells, as.Form, got[0], form, want)
		}
	}
	const parts, at10 = `"d.weekday":"sat","d.month":1,"d.day":31,`, `"d.hour":10,"d.weekday":"sat","d.month":1,"d.day":31,"d.days":20484.416666666668}`
	for _, text := range []string{"2026-01-31 10:00:00", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000+02:00", "2026-01-31 10:00", "2026-01-31 10:00:00 UTC", "2026-01-31 10:00:00 -0700"} {
		f("d", []string{text, "2025-12-01", ""}, "iso", `{"d":"`+text+`",`+at10)
	}
	f("d", []string{"2026/01/31", "2026/02/01"}, "y/m/d", `{"d":"2026/01/31",`+parts+`"d.days":20484}`)
	f("d", []string{"31.01.2026", "01.02.2026"}, "d.m.y", `{"d":"31.01.2026",`+parts+`"d.days":20484}`)
	f("d", []string{"31/01/2026", "01/02/2026"}, "d/m/y", `{"d":"31/01/2026",`+parts+`"d.days":20484}`)
	f("d", []string{"01/31/2026 10:00 AM", "02/01/2026 1:05 PM"}, "m/d/y", `{"d":"01/31/2026 10:00 AM",`+at10)
	f("d", []string{"31 Jan 2026", "1 February 2026"}, "words", `{"d":"31 Jan 2026",`+parts+`"d.days":20484}`)
	f("d", []string{"Jan 31, 2026", "Feb 1, 2026"}, "words", `{"d":"Jan 31, 2026",`+parts+`"d.days":20484}`)
	f("d", []string{"Sat, 31 Jan 2026 10:00:00 GMT"}, "words", `{"d":"Sat, 31 Jan 2026 10:00:00 GMT",`+at10)
	f("d", []string{"31/Jan/2026:10:00:00 +0000"}, "words", `{"d":"31/Jan/2026:10:00:00 +0000",`+at10)
	f("created_at", []string{"1769853600", "1769853601"}, "unix", `{"created_at":1769853600,"created_at.hour":10,"created_at.weekday":"sat","created_at.month":1,"created_at.day":31,"created_at.days":20484.416666666668}`)
	f("ts", []string{"1769853600000"}, "unix_ms", `{"ts":1769853600000,"ts.hour":10,"ts.weekday":"sat","ts.month":1,"ts.day":31,"ts.days":20484.416666666668}`)

	f("d", []string{"01/02/2026", "03/04/2026"}, "", `{"d":"01/02/2026"}`) // which is the month?
	// a number, by its name
	f("d", []string{"1769853600", "1769853601"}, "", `{"d":1769853600}`)
	f("d", []string{"2026-02-30", "2026-13-01"}, "", `{"d":"2026-02-30"}`)    // no days
	f("d", []string{"20260131", "20260201"}, "", `{"d":20260131}`)            // too few to tell
	f("d", []string{"2026-01-31", "soon", "later"}, "", `{"d":"2026-01-31"}`) // not all
	f("d", []string{"10:00:00", "11:00:00"}, "", `{"d":"10:00:00"}`)          //
	f("d", []string{"2026-01-31 25:00:00"}, "", `{"d":"2026-01-31 25:00:00"}`)
	f("d", []string{"2026-01-31 10:61:00"}, "", `{"d":"2026-01-31 10:61:00"}`)
	f("d", append(slices.Repeat([]string{"2026-01-31"}, 96), "a", "b", "c", "d"), "", `{"d":"2026-01-31"}`)
	f("d", append(slices.Repeat([]string{"2026-01-31"}, 99), "?", "soon"), "iso", `{"d":"2026-01-31",`+parts+`"d.days":20484}`)
	f("d", []string{"10:00"}, "", `{"d":"10:00"}`)                          //
	f("d", []string{"1.2.2026.5", "192.168.0.1"}, "", `{"d":"1.2.2026.5"}`) //
}

func TestTextsOfSeveralWordsAreFoundAndCategoriesAreNot(t *testing.T) {
	var titles, towns []string
	for i := range 100 {
		titles = append(titles, fmt.Sprintf("Red shoes no %d", i))
		towns = append(towns, []string{"New York", "San Diego", "Los Angeles"}[i%3])
	}
	got, as := column(t, "x", NewColumns(), titles...)
	if as.Reading != Texts || got[7] != `{"x":"Red shoes no 7","x.words":["red","shoes","no","7"]}` {
		t.Errorf("titles are read as %q: %s", as.Reading, got[7])
	}
	if got, as := column(t, "x", NewColumns(), towns...); as.Reading != Plain || got[0] != `{"x":"New York"}` {
		t.Errorf("towns are read as %q: %s", as.Reading, got[0])
	}
}

// Words of a cell are bounded: what is logged with a prediction has a limit.
func TestWordsOfACellAreBounded(t *testing.T) {
	columns := NewColumns()
	if err := columns.Set(Texts, "x"); err != nil {
		t.Fatal(err)
	}
	var long []string
	for i := range 100 {
		long = append(long, fmt.Sprintf("w%d", i))
	}
	got, _ := column(t, "x", columns, strings.Join(long, " "), "größe größe "+strings.Repeat("x", maxWordBytes+1)+" don't")
	if n := strings.Count(got[0][strings.Index(got[0], "x.words"):], `"w`); n != maxWords {
		t.Errorf("%d words of a hundred", n)
	}
	if want := `"x.words":["größe","don","t"]}`; !strings.HasSuffix(got[1], want) {
		t.Errorf("%s, want %s", got[1], want)
	}
}

// A part whose name another column has is left out: it would be one field twice.
func TestAPartGivesWayToAColumnOfItsName(t *testing.T) {
	path := fileOf(t, "a.csv", "d,d.month\n2026-01-31,may\n")
	src, err := Open(path, Options{Columns: NewColumns()})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range src.Rows() {
		if err != nil || string(rec.Fields.AppendJSON(nil)) != `{"d":"2026-01-31","d.weekday":"sat","d.day":31,"d.days":20484,"d.month":"may"}` {
			t.Errorf("%s, %v", rec.Fields.AppendJSON(nil), err)
		}
	}
}

// Fields of JSON lines know whether they are numbers; texts and dates among them get their parts.
func TestJSONLinesHavePartsToo(t *testing.T) {
	columns := NewColumns()
	path := fileOf(t, "a.jsonl", `{"d":"2026-01-31","zip":"01234","n":1000,"e":"1E3","tags":["a"]}`+"\n"+`{"d":null,"zip":"1234","n":7}`+"\n")
	src, err := Open(path, Options{Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rec, err := range src.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(rec.Fields.AppendJSON(nil)))
	}
	if want := `{"d":"2026-01-31","d.weekday":"sat","d.month":1,"d.day":31,"d.days":20484,"zip":"01234","n":1000,"e":"1E3","tags":["a"]}`; got[0] != want {
		t.Errorf("%s, want %s", got[0], want)
	}
	if got[1] != `{"d":null,"zip":"1234","n":7}` {
		t.Errorf("%s", got[1])
	}
	if n := len(columns.Notices()); n != 1 {
		t.Errorf("%d notices: %q", n, columns.Notices())
	}
}

func TestAgesAreDaysUpToTheRowsTime(t *testing.T) {
	columns := NewColumns()
	column(t, "d", columns, "2026-01-31")
	fields := event.Fields{{Name: "d.days", Value: event.Value{Kind: event.Number, Num: 20484}}, {Name: "other.days", Value: event.Value{Kind: event.Number, Num: 1}}}
	now, err := event.ParseTime("2026-02-02T12:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	columns.Ages(fields, now)
	if got := string(fields.AppendJSON(nil)); got != `{"d.age":2.5,"other.days":1}` {
		t.Errorf("%s", got)
	}
}

func TestLabelsAreNamedByValueOrBySign(t *testing.T) {
	f := func(cell string, want bool, values ...string) {
		t.Helper()
		if got := Means(values, Cell(cell)); got != want {
			t.Errorf("%q among %q: %v", cell, values, got)
		}
	}
	f("yes", true, "no", "yes")
	f("Yes", false, "yes")
	f("1.0", true, "1")
	f("2", false, "1")
	f("2", true, ">1")
	f("1", false, ">1")
	f("1", true, ">=1")
	f("0.5", true, "<1")
	f("1", false, "<1")
	f("1", true, "<= 1.0")
	f("-3", false, "> 0")
	f(">50K", true, ">50K")
	f("60", false, ">50K")
	f("", false, ">0")
}

// A few cells of two words do not make a column one of texts.
func TestAFewTextsOfSeveralWordsAreNoColumnOfTexts(t *testing.T) {
	var cells []string
	for i := range 100 {
		cells = append(cells, fmt.Sprintf("name%d", i))
	}
	cells = append(cells, "two words")
	if got, as := column(t, "x", NewColumns(), cells...); as.Reading != Plain || got[100] != `{"x":"two words"}` {
		t.Errorf("read as %q: %s", as.Reading, got[100])
	}
}

// A column that is named again has the form of dates that the model was made with.
func TestAModelsFormOfDatesIsKept(t *testing.T) {
	columns := NewColumns()
	if err := columns.Set(Dates, "x"); err != nil {
		t.Fatal(err)
	}
	if err := columns.Restore("x", Dates, "d/m/y"); err != nil {
		t.Fatal(err)
	}
	if got, _ := column(t, "x", columns, "02/01/2026"); got[0] != `{"x":"02/01/2026","x.weekday":"fri","x.month":1,"x.day":2,"x.days":20455}` {
		t.Errorf("%s", got[0])
	}
}
