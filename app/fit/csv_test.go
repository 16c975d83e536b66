package fit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/model"
)

// An example whose label is neither 0 nor 1 is told, or passed over, by its line.
func TestAnExampleWhoseLabelIsNeitherYesNorNoIsToldByLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	text := `{"y":1,"features":{"a":"x","b":1}}` + "\n" + `{"y":2,"features":{"a":"x"}}` + "\n" + `{"y":0.5,"features":{"a":"y"}}` + "\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f := func(loss string, files *Files, wantSkipped, wantExamples int64, wantErr string) {
		t.Helper()
		cfg := model.DefaultConfig()
		cfg.Network, cfg.Loss = []string{"linear"}, loss
		net, err := model.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		skipped, err := NewRun("click", net).Learn(t.Context(), files, []string{path}, 0)
		if fmt.Sprint(err) != wantErr || skipped != wantSkipped || err == nil && net.Examples() != wantExamples {
			t.Errorf("%s: %d skipped, %d learned, %v; want %d, %d, %s", loss, skipped, net.Examples(), err, wantSkipped, wantExamples, wantErr)
		}
	}
	drop := &Files{SkipBad: true, Drop: []string{"b", "c"}}
	f("cross_entropy", &Files{}, 0, 0, path+":2: y is 2, want 0 or 1: labels between them and other numbers are not supported")
	f("cross_entropy", drop, 2, 1, "<nil>")
	f("mse", &Files{SkipBad: true}, 2, 1, "<nil>")
	f("mse", &Files{}, 0, 0, path+":2: y is 2, want 0 or 1: labels between them and other numbers are not supported")
	for _, w := range []string{`"3"`, "null", "[1]"} {
		text = strings.Replace(text, `{"y":1,`, `{"y":1,"w":`+w+`,`, 1)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f("mse", &Files{}, 0, 0, fmt.Sprintf("%s:1: w is %q, want a number: it is the example's weight", path, strings.Trim(w, `"nul[1]`)))
		text = strings.Replace(text, `"w":`+w+`,`, "", 1)
	}
	if got := drop.Unmet(); len(got) != 1 || got[0] != "c" {
		t.Errorf("unmet %v, want c", got)
	}
}

// A header alone that lacks the label is no empty file that happens to be right.
func TestAHeaderWithoutTheLabelIsTold(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, _, _, _, err := read(t, text, &Files{Format: "csv", Label: "y"})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("a,y\n", "")
	f("a,b\n", `:1: there is no column "y" for the label, only a, b`)
	f("a,b\n1,2\n", `:2: there is no column "y" for the label, only a, b`)
	f("a,y\r1,0\r", "has a carriage return in it")
	f("\xff\xfea\x00,\x00y\x00\n\x00", "is UTF-16, want UTF-8")
}

// Cells become the same features straight as through records, whatever stood in the row before.
func TestRowsReadAlikeByBothPaths(t *testing.T) {
	const seed, rows = 5, 3000
	r := rand.New(rand.NewPCG(seed, seed))
	cells := []string{"", "1", "1.0", "-0", "0", "12.50", "a", "aa", "b", "ü", "1e3", "01234", "9007199254740993", "007", "-", ".5", "123456789012345", "1234567890123456", " 2.5 ", " a", `"q;r"`, `"1"`}
	var text strings.Builder
	text.WriteString("a;b;y;drop;c\n")
	row := make([]string, 5)
	for range rows {
		for i := range row {
			if row[i] == "" || r.IntN(3) == 0 { // else it is that of the row before
				row[i] = cells[r.IntN(len(cells))]
			}
		}
		row[2] = fmt.Sprint(r.IntN(2))
		text.WriteString(strings.Join(row, ";") + "\n")
	}
	f := &Files{Format: "csv", Label: "y", Drop: []string{"drop"}}
	x, y, _, _, err := read(t, text.String(), f)
	if err != nil || len(x) != rows {
		t.Fatalf("%d rows, %v", len(x), err)
	}
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := table.Open(path, f.options())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rec, err := range src.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		e := example{x: []model.Feature{}}
		if err := f.example(&e, rec); err != nil {
			t.Fatal(err)
		}
		if y[n] != e.y || !reflect.DeepEqual(x[n], e.x) {
			t.Fatalf("row %d: %v %v, want %v %v", n+1, y[n], x[n], e.y, e.x)
		}
		n++
	}
	if n != rows {
		t.Errorf("%d records", n)
	}
}
