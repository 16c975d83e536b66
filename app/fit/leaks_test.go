package fit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model"
)

// suspectsOf learns rows of cells and returns the columns that are warned of.
func suspectsOf(t *testing.T, name string, rows int, rate float64, row func(r *rand.Rand, y bool) string) string {
	t.Helper()
	r := rand.New(rand.NewPCG(4, 4))
	text := "y,x,noise\n"
	format := "%d,%s,%d\n"
	if strings.HasSuffix(name, ".jsonl") {
		text, format = "", `{"y":%d,"x":%s,"noise":%d}`+"\n"
	}
	for range rows {
		y := r.Float64() < rate
		text += fmt.Sprintf(format, map[bool]int{true: 1}[y], row(r, y), r.IntN(50))
	}
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	f := &Files{Label: "y"}
	if _, err := NewRun("click", net).Learn(t.Context(), f, []string{fileOf(t, name, text)}, 0); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, s := range f.Suspects() {
		found = append(found, s.Name+": "+s.Why)
	}
	return strings.Join(found, "; ")
}

func TestColumnsThatAreKnownAfterTheOutcomeAreWarnedOf(t *testing.T) {
	f := func(what, want string, row func(r *rand.Rand, y bool) string) {
		t.Helper()
		got := suspectsOf(t, "a.csv", 3000, 0.1, row)
		if want == "" && got != "" || want != "" && (!strings.HasPrefix(got, "x: "+want) || strings.Contains(got, "noise")) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	is := func(p float64, yes, no string) func(*rand.Rand, bool) string {
		return func(r *rand.Rand, y bool) string {
			if y && r.Float64() < p {
				return yes
			}
			return no
		}
	}
	f("revenue", "it alone tells the labels apart (AUC 1.000)", func(r *rand.Rand, y bool) string {
		if y {
			return fmt.Sprintf("%.2f", 1+r.Float64())
		}
		return "0"
	})
	f("a state", "it alone tells the labels apart", is(1, "paid", "open"))
	f("a state of numbers", "it alone tells the labels apart", func(r *rand.Rand, y bool) string {
		if y {
			return "2"
		}
		return fmt.Sprint(1 + 2*r.IntN(2))
	})
	f("the time of a click", "it alone tells the labels apart", func(r *rand.Rand, y bool) string {
		if y {
			return fmt.Sprintf("2026-01-%02d", 1+r.IntN(28))
		}
		return ""
	})
	f("present for some that are yes", "it has a value in", is(0.5, "coupon", ""))
	f("unusual for some that are yes", "it is not as usual in", is(0.5, "5", "0"))

	f("a good predictor", "", func(r *rand.Rand, y bool) string {
		if y {
			return fmt.Sprint(r.NormFloat64() + 2)
		}
		return fmt.Sprint(r.NormFloat64())
	})
	f("names of rows", "", func(r *rand.Rand, _ bool) string { return fmt.Sprintf("u%d", r.Uint64()) })
	f("numbers of rows", "", func(r *rand.Rand, _ bool) string { return fmt.Sprint(r.IntN(1 << 40)) })
	f("never there", "", func(*rand.Rand, bool) string { return "" })
	f("rarely there", "", func(r *rand.Rand, _ bool) string {
		if r.IntN(100) == 0 {
			return "x"
		}
		return ""
	})
	if got := suspectsOf(t, "a.jsonl", 3000, 0.1, func(_ *rand.Rand, y bool) string { return map[bool]string{true: `"paid"`, false: `"open"`}[y] }); !strings.HasPrefix(got, "x: ") {
		t.Errorf("JSON lines: %q", got)
	}
	// most rows are yes: the few others need not be known afterwards
	for _, usual := range []string{"", "0"} {
		if got := suspectsOf(t, "a.csv", 3000, 0.6, is(0.2, "5", usual)); got != "" {
			t.Errorf("where most are yes: %q", got)
		}
	}
	if got := suspectsOf(t, "a.csv", 100, 0.1, is(1, "paid", "open")); got != "" {
		t.Errorf("of too few rows: %q", got)
	}
}

// What is kept has a bound, however many columns, rows and values there are.
func TestWhatIsKeptOfColumnsIsBounded(t *testing.T) {
	var l leaks
	for i := range 3 * leakColumns {
		l.column(fmt.Sprint(i))
	}
	n := 0
	for ; !l.full() && n < leakRows; n++ {
		for c := range l.columns {
			l.cell(c, model.Feature{Hash: uint64(n)}, 1)
		}
		l.cell(-1, model.Feature{}, 1)
		l.row(1)
	}
	if len(l.columns) != leakColumns || n > leakCells/leakColumns+1 || len(l.columns[0].values) != leakValues {
		t.Errorf("%d columns, %d rows, %d values", len(l.columns), n, len(l.columns[0].values))
	}
}
