package fit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// lineFormat is a format whose lines are tested one by one.
type lineFormat struct {
	file   string // a name that says the format
	header string
	good   []string // lines, of which mutants are made
	tokens []string // that mutants get
	files  Files
	quotes bool // a quote may join lines
	judge  func(line string) verdict
}

// verdict says whether a line has to be read.
type verdict int

const (
	either verdict = iota
	yes
	no
)

var (
	jsonTokens = []string{`"`, `{`, `}`, `[`, `]`, `,`, `:`, `null`, `true`, `1e999`, `-0`, `1e-400`, `"a":1`, `\u0000`, `\ud800`, `"y":1`, `"y":null`, `{"a":{"b":1},"a.b":2}`, strings.Repeat("[", 40)}
	csvTokens  = []string{",", ";", "\t", "|", `"`, `""`, "nan", "1e999", "-", "0x1", " ", "\x00", "\ufeff"}
)

var lineFormats = map[string]*lineFormat{
	"vw": {
		file:   "a.vw",
		good:   []string{"1 |A a", "-1 2.5 'tag|A a b:2.5 |B c", "0 |A:0.5 a |B b |A c", "1 |user u17 age:33 |ad a3", "+1 'x |A größe"},
		tokens: []string{"|", ":", " ", "'", "1e308", "-1e308", "nan", "inf", "0x1p-2", "\t", "||", "A", "1 ", "1e7", "\r", "\x00"},
		files:  Files{Format: "vw", Positive: []string{"1"}},
		judge: func(line string) verdict {
			if _, _, _, err := slow(strings.TrimSuffix(line, "\r")); err != nil || !utf8.ValidString(line) {
				return no
			}
			return yes
		},
	},
	"csv": {
		file: "a.csv", header: "age,job,y,balance", quotes: true, tokens: csvTokens, files: Files{Label: "y", Positive: []string{"yes"}},
		good:  []string{"33,admin.,yes,-2.5", `,"blue, collar",no,1e3`, `1,"a ""b""",no,`, "0,größe,yes,7"},
		judge: func(line string) verdict { return judgeCells(line, ",") },
	},
	"tsv": {
		file: "a.tsv", header: "age\tjob\ty\tbalance", quotes: true, tokens: csvTokens, files: Files{Label: "y", Positive: []string{"yes"}},
		good:  []string{"33\tadmin.\tyes\t-2.5", "\t\"blue\tcollar\"\tno\t1e3", "1\ta, b\tno\t", "0\tgröße\tyes\t7"},
		judge: func(line string) verdict { return judgeCells(line, "\t") },
	},
	"jsonl": {
		file: "a.jsonl", tokens: jsonTokens, files: Files{Label: "y", Positive: []string{"yes"}},
		good:  []string{`{"age":33,"job":"admin.","y":"yes"}`, `{"y":1,"tags":["a",["b",2]],"geo":{"city":"größe","lat":-1.5e3}}`, `{"y":true,"a":null,"b":"\u00e9\n"}`},
		judge: func(line string) verdict { return judgeJSON(line, "y") },
	},
	"examples": {
		file: "a.jsonl", tokens: append([]string{`"features":{`, `"w":2`, `"w":-1e9`, `"features.a":1`}, jsonTokens...), files: Files{},
		good: []string{
			`{"objective":"click","prediction":"r1.0","time":"2026-01-01T00:00:00.000Z","y":1,"w":1,"p":0.25,"model":"click@7","features":{"user.clicks_1h":3,"site":"s"}}`,
			`{"prediction":"r2.0","y":0,"w":2.5,"features":{"a":["x",["y",0.5]],"b":null,"c":{"d":"e"}}}`, `{"prediction":"r3.0","y":0,"features":{}}`,
		},
		judge: func(line string) verdict { return judgeJSON(line, "y") },
	},
}

// judgeCells judges what can be judged by counting.
func judgeCells(line, separator string) verdict {
	cells := strings.Split(strings.TrimSuffix(line, "\r"), separator)
	switch {
	case !utf8.ValidString(line):
		return no
	case strings.Contains(line, `"`):
		return either
	case len(cells) != 4 || strings.Trim(cells[2], " \t") == "":
		return no
	}
	return yes
}

// judgeJSON knows what is certainly wrong; limits may refuse more.
func judgeJSON(line, label string) verdict {
	var object map[string]json.RawMessage
	if !utf8.ValidString(line) || json.Unmarshal([]byte(line), &object) != nil || object[label] == nil && !strings.Contains(line, `\u`) {
		return no
	}
	return either
}

// mutant is a line that was changed in up to three places, or one as it is.
func (f *lineFormat) mutant(rng *rand.Rand) string {
	line := []byte(f.good[rng.IntN(len(f.good))])
	for range rng.IntN(4) {
		i := rng.IntN(len(line) + 1)
		j := i + rng.IntN(min(len(line)-i, 8)+1)
		var put []byte
		switch rng.IntN(6) {
		case 0: // leave out
		case 1:
			put = []byte{byte(rng.UintN(256))}
		case 2:
			put, j = []byte(f.tokens[rng.IntN(len(f.tokens))]), i
		case 3: // twice
			put = append(append(put, line[i:j]...), line[i:j]...)
		case 4: // a piece of another line
			other := f.good[rng.IntN(len(f.good))]
			from := rng.IntN(len(other) + 1)
			put = []byte(other[from : from+rng.IntN(len(other)-from+1)])
		case 5: // cut short
			j = len(line)
		}
		line = append(append(append([]byte(nil), line[:i]...), put...), line[j:]...)
	}
	return strings.ReplaceAll(string(line), "\n", " ")
}

// rows reads a text; each example must be one that a network takes.
func (f *lineFormat) rows(dir, text string, skip bool) (path string, n int, skipped int64, err error) {
	path = filepath.Join(dir, f.file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return path, 0, 0, err
	}
	files := Files{Format: f.files.Format, Label: f.files.Label, Positive: f.files.Positive, SkipBad: skip}
	skipped, err = files.pipe(context.Background(), []string{path}, func(b *block) error {
		return b.each(func(e *example) error {
			n++
			if math.IsNaN(e.y) || math.IsInf(e.y, 0) || f.files.Label != "" && e.y != 0 && e.y != 1 || !(math.Abs(e.w) <= event.MaxWeight) {
				return fmt.Errorf("%w: label %v, weight %v", errTaken, e.y, e.w)
			}
			for _, x := range e.x {
				if math.IsNaN(x.Value) || math.IsInf(x.Value, 0) || x.Kind > model.Missing {
					return fmt.Errorf("%w: feature %+v", errTaken, x)
				}
			}
			return nil
		})
	})
	return path, n, skipped, err
}

var errTaken = errors.New("no network takes it")

// line checks a line between good ones: it is read or not as judged, and an error names the file
// and the line.
func (f *lineFormat) line(dir, line string) error {
	text, at := f.good[0]+"\n"+line+"\n"+f.good[0]+"\n", 2
	if f.header != "" {
		text, at = f.header+"\n"+text, 3
	}
	path, n, _, err := f.rows(dir, text, false)
	blank := strings.TrimSpace(line) == "" && (f.header == "" || strings.TrimSuffix(line, "\r") == "")
	want := f.judge(line)
	switch {
	case errors.Is(err, errTaken):
		return err
	case blank && (err != nil || n != 2):
		return fmt.Errorf("a blank line: %d rows, %w", n, err)
	case blank:
		return nil
	case err == nil && want == no:
		return errors.New("it is read, and is wrong")
	case err != nil && want == yes:
		return fmt.Errorf("it is right, and gives %w", err)
	case err == nil && n != 3 && !(f.quotes && strings.Contains(line, `"`)):
		return fmt.Errorf("%d rows were read, want 3", n)
	case err == nil:
		return nil
	}
	rest, ok := strings.CutPrefix(err.Error(), path+":")
	number, reason, _ := strings.Cut(rest, ":")
	if got, e := strconv.Atoi(number); !ok || e != nil || got < at || got > at && !f.quotes || got > at+1 || len(reason) < 10 {
		return fmt.Errorf("the error %q names no line %d of %s and a reason", err, at, path)
	}
	return nil
}

// batch checks lines together, with bad ones passed over: each is read or counted.
func (f *lineFormat) batch(dir string, lines []string) (skipped int64, err error) {
	text := strings.Join(lines, "\n") + "\n"
	if f.header != "" {
		text = f.header + "\n" + text
	}
	_, n, skipped, err := f.rows(dir, text, true)
	if err != nil {
		return skipped, err
	}
	right, wrong, blank := 0, 0, 0
	for _, line := range lines {
		switch want := f.judge(line); {
		case strings.TrimSpace(line) == "" && (f.header == "" || strings.TrimSuffix(line, "\r") == ""):
			blank++
		case want == yes:
			right++
		case want == no:
			wrong++
		}
	}
	if n < right || int(skipped) < wrong || n+int(skipped)+blank != len(lines) {
		return skipped, fmt.Errorf("%d lines, of which %d are right, %d wrong and %d blank: %d were read and %d skipped", len(lines), right, wrong, blank, n, skipped)
	}
	return skipped, nil
}

// TestMutatedLinesAreReadOrToldOrCounted makes lines of each format from valid ones: 20,000, or as
// many as CLICKLOOP_FUZZ_LINES says.
func TestMutatedLinesAreReadOrToldOrCounted(t *testing.T) {
	total := 20_000
	if text := os.Getenv("CLICKLOOP_FUZZ_LINES"); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil || total < 1 {
			t.Fatalf("CLICKLOOP_FUZZ_LINES is %q, want a number of lines above 0", text)
		}
	}
	seed := uint64(time.Now().UnixNano())
	for name, f := range lineFormats {
		t.Run(name, func(t *testing.T) {
			t.Logf("seed %d", seed)
			rng, dir := rand.New(rand.NewPCG(seed, 1)), t.TempDir()
			var lines, joined []string // those that a quote may join apart: they cannot be counted
			var alone int
			var skipped int64
			for i := range total {
				line := f.mutant(rng)
				if name == "vw" {
					if err := bothPaths(line); err != nil {
						t.Fatalf("seed %d, line %d: %v", seed, i, err)
					}
				}
				if f.quotes && strings.Contains(line, `"`) {
					joined = append(joined, line)
				} else {
					lines = append(lines, line)
				}
				if i%40 == 0 {
					alone++
					if err := f.line(dir, line); err != nil {
						t.Fatalf("seed %d, line %d, %q: %v", seed, i, line, err)
					}
				}
				if len(joined) == 5000 || i == total-1 {
					if _, _, _, err := f.rows(dir, f.header+"\n"+strings.Join(joined, "\n"), true); err != nil {
						t.Fatalf("seed %d, up to line %d: %v", seed, i, err)
					}
					joined = joined[:0]
				}
				if len(lines) == 5000 || i == total-1 {
					n, err := f.batch(dir, lines)
					if err != nil {
						t.Fatalf("seed %d, up to line %d: %v", seed, i, err)
					}
					lines, skipped = lines[:0], skipped+n
				}
			}
			t.Logf("%d lines: %d alone, %d skipped in batches", total, alone, skipped)
		})
	}
}

func fuzzLines(f *testing.F, name string) {
	format := lineFormats[name]
	for _, line := range format.good {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") || len(line) > 10_000 {
			t.Skip()
		}
		if err := format.line(t.TempDir(), line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	})
}

func FuzzVWLines(f *testing.F)   { fuzzLines(f, "vw") }
func FuzzCSV(f *testing.F)       { fuzzLines(f, "csv") }
func FuzzTSV(f *testing.F)       { fuzzLines(f, "tsv") }
func FuzzJSONLines(f *testing.F) { fuzzLines(f, "jsonl") }
func FuzzExamples(f *testing.F)  { fuzzLines(f, "examples") }

// FuzzVW holds the fast path of plain lines against the general one.
func FuzzVW(f *testing.F) {
	for _, s := range []string{"1 |A a", "-1 |A a |B b:2 c", "0 'tag|:1 x", "1 ||", "1 |A a\t|B \xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n\r") || len(line) > 1000 {
			t.Skip()
		}
		if err := bothPaths(line); err != nil {
			t.Error(err)
		}
	})
}

// bothPaths reads a line by the fast path, if that takes it, and by the general one.
func bothPaths(line string) error {
	var b block
	b.reset("")
	y, ok := plainVW(&b, []byte(line))
	if !ok {
		return nil
	}
	want, wantY, w, err := slow(line)
	if err != nil || y != wantY || w != 1 || !reflect.DeepEqual(b.slab, want) {
		return fmt.Errorf("%q: the fast path reads %v %v, the general one %v %v %v %w", line, b.slab, y, want, wantY, w, err)
	}
	return nil
}

// FuzzTable reads whole files.
func FuzzTable(f *testing.F) {
	f.Add("a,y\n1,yes\n", "csv")
	f.Add(`{"a":1,"y":1}`, "jsonl")
	f.Add("1 |a b", "vw")
	f.Fuzz(func(t *testing.T, text, format string) {
		_, _, _, _, _ = read(t, text, &Files{Format: format, Label: "y", SkipBad: true})
	})
}
