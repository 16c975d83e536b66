package table

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/clickloop/clickloop/event"
)

func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// written is a record as LINE LABEL*WEIGHT {FIELDS}.
func written(r *Row) string {
	s := fmt.Sprint(r.Line, " ")
	if r.HasY {
		s += fmt.Sprintf("%v*%v ", r.Label, r.Weight)
	}
	return s + string(r.Fields.AppendJSON(nil))
}

// all reads a file to its end or first error.
func all(t *testing.T, path string, o Options) (list []string, skipped int64, err error) {
	t.Helper()
	src, err := Open(path, o)
	if err != nil {
		return nil, 0, err
	}
	for rec, err := range src.Rows() {
		if err != nil {
			return list, src.Skipped(), err
		}
		if rec.File != path || rec.Place() != fmt.Sprintf("%s:%d", path, rec.Line) {
			t.Errorf("the record is of %s", rec.Place())
		}
		list = append(list, written(rec))
	}
	return list, src.Skipped(), nil
}

func TestRecordsAreReadAsTheyAreMeant(t *testing.T) {
	f := func(name, text string, want ...string) {
		t.Helper()
		for _, form := range []struct{ name, text string }{
			{name, text}, {name + ".gz", packed(t, text)}, {name, packed(t, text)}, {name, byteOrderMark + text}, {name, strings.TrimSuffix(text, "\n")},
			{name, strings.ReplaceAll(text, "\n", "\r\n")},
		} {
			if strings.Contains(text, "\"line\n") && strings.Contains(form.text, "\r") {
				continue // within quotes it is content
			}
			got, skipped, err := all(t, fileOf(t, form.name, form.text), Options{})
			if err != nil || skipped != 0 || strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s %.60q:\n%s\n%v, want\n%s", form.name, form.text, strings.Join(got, "\n"), err, strings.Join(want, "\n"))
			}
		}
	}
	f("a.csv", "a,b\n1,x\n-2.50,\n", `2 {"a":1,"b":"x"}`, `3 {"a":-2.5,"b":null}`)
	f("a.csv", "a;b\n1,5;x\n", `2 {"a":"1,5","b":"x"}`)
	f("a.csv", "a|b|c\n1|2|3\n", `2 {"a":1,"b":2,"c":3}`)
	f("a.txt", "a\tb\n1\tx y\n", `2 {"a":1,"b":"x y"}`)
	// a name says tab, whatever the header has
	f("a.tsv", "a, the first\n1\n", `2 {"a, the first":1}`)
	f("a.csv", "a, b ,c d\n1, 2.5, x y \n", `2 {"a":1,"b":2.5,"c d":"x y"}`)
	f("a.csv", "only\nx\n", `2 {"only":"x"}`)
	f("a.csv", "\"a,b,c\";d\n1;2\n", `2 {"a,b,c":1,"d":2}`) // separators in quotes separate nothing
	f("a.csv", "a,,c\n1,2,3\n", `2 {"a":1,"column2":2,"c":3}`)
	f("a.csv", "a,b\n\"x, \"\"y\"\"\",2\n\n3,4\n", `2 {"a":"x, \"y\"","b":2}`, `4 {"a":3,"b":4}`)
	f("a.csv", "a,b\n\"line\nmore\",2\n3,4\n", `2 {"a":"line\nmore","b":2}`, `4 {"a":3,"b":4}`)
	f("a.csv", "a,b\nnan,0x1F\ninf,1_000\n1e400,x\n", `2 {"a":"nan","b":"0x1F"}`, `3 {"a":"inf","b":"1_000"}`, `4 {"a":"1e400","b":"x"}`)
	f("a.jsonl", `{"a":1,"b":{"c":"x"}}`+"\n\n"+`{"d":true,"e":["p","q"],"f":null}`+"\n", `1 {"a":1,"b.c":"x"}`, `3 {"d":"true","e":["p","q"],"f":null}`)
	f("a.json", "  {\"a\":1}\n", `1 {"a":1}`)
	f("lines", "{\"a\":\"x|y\"}\n", `1 {"a":"x|y"}`)
	f("a.vw", "1 |A a\n-1 0.5 'tag|A b:2 c |B d\n", `1 1*1 {"A":"a"}`, `2 -1*0.5 {"A":[["b",2],"c"],"B":"d"}`)
	f("lines", "1 |A a\n", `1 1*1 {"A":"a"}`)
	f("lines", "a,b|c\n1,2\n", `2 {"a":1,"b|c":2}`)
	f("a.jsonl", `{"prediction":"r1.0","y":1,"w":2,"features":{"user.clicks":3,"site":"s"}}`+"\n", `1 {"prediction":"r1.0","y":1,"w":2,"features.user.clicks":3,"features.site":"s"}`)
}

func TestWhatIsWrongIsToldWithFileLineColumnAndWhatIsWanted(t *testing.T) {
	f := func(name, text, want string, good int, skips int64) {
		t.Helper()
		path := fileOf(t, name, text)
		got, _, err := all(t, path, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %.60q: %v, want %q", name, text, err, want)
		}
		if len(got) > good {
			t.Errorf("%s %.60q: read on: %q", name, text, got)
		}
		got, skipped, err := all(t, path, Options{SkipBad: true})
		if skips == 0 && err == nil || skips > 0 && (err != nil || len(got) != good) || skipped != skips {
			t.Errorf("%s %.60q, skipping: %q, %d skipped, %v; want %d and %d", name, text, got, skipped, err, good, skips)
		}
	}
	f("a.csv", "a;b\n1;2\n1;2;3\n4;5\n", `a.csv:3: the row has 3 columns, want 2, separated by ';', as the header has`, 2, 1)
	f("a.csv", "a,b\n1\n4,5\n", `a.csv:2: the row has 1 columns, want 2`, 1, 1)
	f("a.csv", "a,b\nx\"y,2\n4,5\n", "a.csv:2:2: there is a quote within a cell", 1, 1)
	f("a.csv", "a,b\n4,5\n2,x\"y\n", "a.csv:3:4: there is a quote within a cell", 1, 1)
	f("a.csv", "a,b\n\"x\"y,2\n4,5\n", "a.csv:2:3: a cell that begins with a quote on line 2 does not end with one, want a quote and then ','", 1, 1)
	f("a.csv", "a,b\n4,5\n\"x,2\n4,5\n", "a cell that begins with a quote on line 3", 1, 1)
	f("a.csv", "a,b\"\n1,2\n", "a.csv:1:4: there is a quote within a cell", 0, 0)
	f("a.csv", "", "a.csv is empty, want a header", 0, 0)
	f("a.csv", "a,b,c, b\n1,2,3,4\n", `a.csv:1: columns 2 and 4 are both named "b"`, 0, 0)
	f("a.csv", "a,\"b\"\"\",\"b\"\"\"\n1,2,3\n", `a.csv:1: columns 2 and 3 are both named "b\""`, 0, 0)
	f("a.jsonl", "{\"a\":1}\n{\"a\":}\n{\"a\":2}\n", "a.jsonl:2: the value is not JSON: byte 6: expected a value", 2, 1)
	f("a.jsonl", "{\"a\":1}\n[1]\n{\"a\":2}\n", "a.jsonl:2: the value is an array, expected an object: want one whole object a line", 2, 1)
	f("a.json", "{\n\"a\":1\n}\n{\"a\":2}\n", "a.json:1: the value is not JSON: byte 2: expected a name in quotes: want one whole object a line", 1, 3)
	f("a.vw", "1 |A a\n1 A a\n1 |A a\n", `a.vw:2: "1 A a" has no |, want LABEL |NAMESPACE FEATURE`, 2, 1)
	f("a.vw", "1 |A a\n1 |A a:x\n1 |A a\n", `a.vw:2: value "x" of feature "a" is no finite number`, 2, 1)
}

// What comes again however often it is read, such as the end of a file that was cut, ends skipping
// too.
func TestADamagedFileEndsWithAnError(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,b\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "%d,%d\n", i, i*i)
	}
	whole := packed(t, text.String())
	flipped := []byte(whole)
	flipped[len(flipped)-6] ^= 1 // of the checksum
	for _, damaged := range []string{whole[:len(whole)/2], string(flipped)} {
		for _, format := range []string{"csv", "jsonl", "vw"} {
			path := fileOf(t, "a.gz", damaged)
			got, skipped, err := all(t, path, Options{Format: format, SkipBad: true})
			if err == nil || !strings.HasPrefix(err.Error(), path) || format == "csv" && len(got) < 5000 || skipped > 25_000 {
				t.Errorf("%s: %d read, %d skipped, %v", format, len(got), skipped, err)
			}
		}
	}
	for text, want := range map[string]string{
		"\x1f\x8b": "ends too early", "\x1f\x8bnot gzip": "is damaged", whole[:len(whole)-3]: "ends too early", string(flipped): "is damaged", whole + "and more than ten": "followed by something else",
	} {
		if _, _, err := all(t, fileOf(t, "a.csv", text), Options{}); err == nil || !strings.Contains(err.Error(), "the gzip data") || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestARowThatDoesNotEndIsRefusedBeforeItFillsTheMemory(t *testing.T) {
	long := strings.Repeat("x", maxLine+(3<<20))
	for name, text := range map[string]string{"a.csv": "a,b\n1,2\n\"" + long, "a.jsonl": `{"a":1}` + "\n" + `{"a":"` + long, "a.vw": "1 |A a\n1 |A " + long} {
		for _, skip := range []bool{false, true} {
			got, _, err := all(t, fileOf(t, name, text), Options{SkipBad: skip})
			if len(got) != 1 || err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
				t.Errorf("%s: %d read, %v", name, len(got), err)
			}
		}
	}
}

func TestOptionsAreKeptAndWrongOnesRefused(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		got, _, err := all(t, fileOf(t, "a.csv", "a:b,c\n1:2,3\n"), o)
		text := strings.Join(got, "")
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, want) {
			t.Errorf("%+v: %q, want %q", o, text, want)
		}
	}
	f(Options{}, `{"a:b":"1:2","c":3}`)
	f(Options{Separator: ":"}, `{"a":1,"b,c":"2,3"}`)
	f(Options{Separator: "::"}, "more than one character")
	f(Options{Separator: `"`}, "cannot separate columns")
	f(Options{Format: "xml"}, `format "xml" is none of csv, jsonl, vw`)
	f(Options{Format: "jsonl"}, "a.csv:1: ")
	if _, err := Open(filepath.Join(t.TempDir(), "none.csv"), Options{}); err == nil || !strings.Contains(err.Error(), "cannot read examples: open ") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestBytesFromDiskAreCounted(t *testing.T) {
	text := packed(t, "a,b\n"+strings.Repeat("1,2\n", 10_000))
	var n atomic.Int64
	if got, _, err := all(t, fileOf(t, "a.csv.gz", text), Options{Counter: &n}); err != nil || len(got) != 10_000 || n.Load() != int64(len(text)) {
		t.Errorf("%d rows, %d bytes counted of %d, %v", len(got), n.Load(), len(text), err)
	}
}

// A record is the caller's to keep, whatever is read afterwards.
func TestRecordsDoNotShareMemory(t *testing.T) {
	src, err := Open(fileOf(t, "a.csv", "a,b\nfirst,1\nsecond,2\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var kept []*Row
	for rec, err := range src.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, rec)
	}
	if got := written(kept[0]) + written(kept[1]); got != `2 {"a":"first","b":1}3 {"a":"second","b":2}` {
		t.Errorf("kept %s", got)
	}
}

func TestCellsAreNumbersTextsOrNothing(t *testing.T) {
	f := func(cell string, want event.Value) {
		t.Helper()
		if got := Cell(cell); got.Kind != want.Kind || got.Num != want.Num || got.Str != want.Str {
			t.Errorf("%q is %+v, want %+v", cell, got, want)
		}
	}
	number := func(v float64) event.Value { return event.Value{Kind: event.Number, Num: v} }
	text := func(s string) event.Value { return event.Value{Kind: event.String, Str: s} }
	f("", event.Value{})
	f("0", number(0))
	f("+1.50", number(1.5))
	f("-.5", number(-0.5))
	f("1e3", number(1000))
	f("010", number(10))
	f("1e400", text("1e400"))
	for _, s := range []string{"-", ".", "nan", "-inf", "Infinity", "0x10", "1p3", "1_000", "1,5", "1 2", "1.2.3", "2026-01-02"} {
		f(s, text(s))
	}
	for _, s := range []string{" 1", "1 ", " \t1.0  "} { // as "a, 1" leaves them
		f(s, number(1))
	}
	f(" yes ", text("yes"))
	f("  ", event.Value{})
	if _, ok := Number(""); ok {
		t.Error("nothing is a number")
	}
}

// Short numbers are those of strconv, bit for bit; what is not short is left to it.
func TestShortNumbersAreThoseOfStrconv(t *testing.T) {
	const seed = 3
	r := rand.New(rand.NewPCG(seed, seed))
	taken := 0
	for n := range 300_000 {
		b := make([]byte, 1+r.IntN(18))
		for i := range b {
			b[i] = "0123456789"[r.IntN(10)]
		}
		for _, c := range []byte("-.-.e+x")[r.IntN(4):] {
			if r.IntN(3) == 0 {
				b[r.IntN(len(b))] = c
			}
		}
		s := string(b)
		got, ok := short(s)
		if !ok {
			continue
		}
		taken++
		if want, err := strconv.ParseFloat(s, 64); err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("number %d of seed %d: %q is %v, want %v, %v", n, seed, s, got, want, err)
		}
	}
	if taken < 50_000 {
		t.Errorf("only %d numbers were short", taken)
	}
	for _, s := range []string{"-0", "0", "999999999999999", "-.5", "5.", "0.00000000000001"} {
		if got, ok := short(s); !ok {
			t.Errorf("%q is short, got %v", s, got)
		}
	}
	for _, s := range []string{"-", ".", "-.", "1e5", "+1", "1.2.3", "9999999999999999", "1-", "--1", "١"} {
		if got, ok := short(s); ok {
			t.Errorf("%q is not short, got %v", s, got)
		}
	}
}
