package fit

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// slow reads a line by the general parser alone.
func slow(line string) (x []model.Feature, y, w float64, err error) {
	rec := table.Row{Weight: 1}
	if err = table.ParseVW(&rec, line); err == nil && !rec.HasY {
		err = errNoLabel
	}
	if rec.Label > 0 {
		y = 1
	}
	return features.Encode(nil, rec.Fields), y, rec.Weight, err
}

func read(t testing.TB, text string, f *Files) (x [][]model.Feature, y, w []float64, skipped int64, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.vw")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	skipped, err = f.pipe(t.Context(), []string{path}, func(b *block) error {
		return b.each(func(e *example) error {
			x, y, w = append(x, append([]model.Feature(nil), e.x...)), append(y, e.y), append(w, e.w)
			return nil
		})
	})
	return
}

func TestVWLinesReadAlikeByBothPaths(t *testing.T) {
	f := func(line string, wantTokens int, wantY, wantW float64) {
		t.Helper()
		want, y, w, err := slow(line)
		if err != nil || len(want) != wantTokens || y != wantY || w != wantW {
			t.Errorf("%q: %d features, y %v, w %v, %v; want %d, %v, %v", line, len(want), y, w, err, wantTokens, wantY, wantW)
			return
		}
		for _, end := range []string{"\n", "\r\n", ""} {
			x, ys, ws, _, err := read(t, line+end, &Files{Format: "vw"})
			if err != nil || len(x) != 1 || ys[0] != y || ws[0] != w || len(x[0]) != len(want) || len(want) > 0 && !reflect.DeepEqual(x[0], want) {
				t.Errorf("%q%q: got %v %v %v %v, want %v %v %v", line, end, x, ys, ws, err, want, y, w)
			}
		}
	}
	f("1 |A a", 1, 1, 1)
	f("-1 |A a", 1, 0, 1)
	f("0 |A a b |B c", 3, 0, 1)
	f("1 |A a |B b |A c", 3, 1, 1)          // one namespace twice
	f("1 | a", 1, 1, 1)                     // no name
	f("1 |", 0, 1, 1)                       // a lone pipe
	f("1 ||A a", 1, 1, 1)                   // a double pipe
	f("1 |A a || |B b", 2, 1, 1)            //
	f("1 |A a:0", 1, 1, 1)                  // a weight of nothing
	f("1 |A a:-2.5 b:1e-3", 2, 1, 1)        // negative, scientific
	f("1 |A:0.5 a b:2", 2, 1, 1)            // a namespace's weight
	f("1 2.5 |A a", 1, 1, 2.5)              // importance
	f("1 2.5 'tag|A a", 1, 1, 2.5)          // a tag that touches the bar
	f("1 2.5 'tag |A a", 1, 1, 2.5)         // and one with a space
	f("1 'tag|A a", 1, 1, 1)                //
	f("1 2 0 tag|A a", 1, 1, 2)             // a base of nothing
	f("1\t|A\ta\tb", 2, 1, 1)               // tabs
	f("1  |A  a   b  ", 2, 1, 1)            // spaces
	f("+1 |A a", 1, 1, 1)                   //
	f("1 |A größe", 1, 1, 1)                // not ASCII
	f("1 |f 9:6.2699720e-02 14:3", 2, 1, 1) //
}

func TestVWLinesThatAreWrongNameFileLineAndReason(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		_, _, _, _, err := read(t, "1 |A good\n"+line+"\n", &Files{Format: "vw"})
		if err == nil || !strings.Contains(err.Error(), "a.vw:2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q of line 2", line, err, want)
		}
		x, _, _, skipped, err := read(t, "1 |A good\n"+line+"\n1 |A good\n", &Files{Format: "vw", SkipBad: true})
		if err != nil || len(x) != 2 || skipped != 1 {
			t.Errorf("%q, skipping: %d read, %d skipped, %v", line, len(x), skipped, err)
		}
	}
	f("1 A a", "has no |")
	f("|A a", "the label is missing")
	f("x |A a", `label "x" is no finite number`)
	f("nan |A a", "is no finite number")
	f("1 |A a:Inf", `value "Inf" of feature "a"`)
	f("1 |A a:NaN", `value "NaN" of feature "a"`)
	f("1 |A a:x", `value "x" of feature "a"`)
	f("1 |A:x a", `value "x" of namespace "A"`)
	f("1 -2 |A a", `importance "-2" is no number of 0 to 1e+06`)
	f("1 1 0.5 |A a", `"0.5" stands behind the importance`)
	f("1 1 word |A a", `"word" stands behind the importance`)
	f("1 1 0 2 |A a", `"0 2" stands behind the importance`)
	f("1 1e7 |A a", `importance "1e7" is no number of 0 to 1e+06`)
	f("1 |A:1e308 a:10", `value "10" of feature "a", times its namespace's 1e+308, is no finite number`)
}

// Labels are numbers, and --positive names some of them however they are written.
func TestPositiveNumbersAreThoseOfTheirValue(t *testing.T) {
	f := func(want string, positive ...string) {
		t.Helper()
		_, ys, _, _, err := read(t, "1 |A a\n0 |A a\n-1 |A a\n2 |A a\n1.0 |A a\n", &Files{Format: "vw", Positive: positive})
		if got := fmt.Sprint(ys); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", positive, got, err, want)
		}
	}
	f("[1 0 0 0 1]", "1")
	f("[1 0 0 1 1]", ">0")
	f("[1 1 0 1 1]", ">=0")
	f("[0 1 1 1 0]", "<= 0", "2")
	f("[1 0 0 0 1]", "+1.00")
	f("[0 1 0 1 0]", "2.0", "0")
	f("[0 0 1 0 0]", "-1")
}

// A network that diverges stops at the line that it diverged at, whatever stands between a
// prediction and its label.
func TestDivergenceNamesItsLine(t *testing.T) {
	for name, change := range map[string]func(r *Run, f *Files, path string) error{
		"in blocks": func(r *Run, f *Files, path string) error {
			_, err := r.Learn(t.Context(), f, []string{path}, 0)
			return err
		},
		"delayed": func(r *Run, f *Files, path string) error {
			_, err := r.Learn(t.Context(), f, []string{path}, 2)
			return err
		},
		"at the end": func(r *Run, f *Files, path string) error {
			_, err := r.Learn(t.Context(), f, []string{path}, 9)
			return err
		},
	} {
		c := model.DefaultConfig()
		c.Network, c.Numbers = []string{"linear"}, "raw"
		net, err := model.New(c)
		if err != nil {
			t.Fatal(err)
		}
		err = change(NewRun("click", net), &Files{Label: "y"}, fileOf(t, "a.csv", "a,y\n1e+30,1\n2,0\n1e+300,1\n-1e+30,0\n2,1\n"))
		if err == nil || !strings.Contains(err.Error(), "a.csv:4: the network has diverged at example 3: lower") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each row has its prediction, in order, whether it is learned now, later or not at all.
func TestPredictionsAreSeenInTheOrderOfRows(t *testing.T) {
	path := fileOf(t, "a.vw", strings.Repeat("1 |A a\n0 |A b\n0 |A c\n1 |A d\n1 |A a\n", 4))
	for _, delay := range []int{0, 1, 3, 100} {
		for _, holdout := range []int{0, 2, 3} {
			net, err := model.New(model.DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			r, seen := NewRun("click", net), ""
			r.Observe(func(_ Place, _, y float64) error { seen += fmt.Sprint(y); return nil })
			if _, err := r.Learn(t.Context(), &Files{Holdout: holdout}, []string{path}, delay); err != nil || seen != strings.Repeat("10011", 4) {
				t.Errorf("delay %d, holdout %d: labels %s, %v", delay, holdout, seen, err)
			}
		}
	}
}

// A file that is cut at any point, saved and gone on with gives the bytes of one run; so does a
// block boundary anywhere.
func TestCutAndResumedIsOneRun(t *testing.T) {
	var text strings.Builder
	rng := rand.New(rand.NewPCG(4, 2))
	lines := make([]string, 3000)
	for i := range lines {
		a, b := rng.IntN(30), rng.IntN(30)
		lines[i] = fmt.Sprintf("%d |A a%d |B b%d |N n:%d.%d", 2*((a+b)%2)-1, a, b, rng.IntN(100), rng.IntN(100))
		text.WriteString(lines[i] + "\n")
	}
	learn := func(net *model.Net, lines []string) *model.Net {
		path := filepath.Join(t.TempDir(), "a.vw")
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		r := NewRun("click", net)
		if _, err := r.Learn(context.Background(), &Files{Format: "vw"}, []string{path}, 0); err != nil {
			t.Fatal(err)
		}
		return net
	}
	fresh := func() *model.Net {
		net, err := model.New(model.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		return net
	}
	want := learn(fresh(), lines).Hash()
	for _, cut := range []int{1, 1023, 1024, 1025, rng.IntN(3000)} {
		var saved bytes.Buffer
		if _, err := learn(fresh(), lines[:cut]).WriteTo(&saved); err != nil {
			t.Fatal(err)
		}
		net, err := model.Read(&saved)
		if err != nil {
			t.Fatal(err)
		}
		if got := learn(net, lines[cut:]).Hash(); got != want {
			t.Errorf("cut at %d: %x, want %x", cut, got, want)
		}
	}
}
