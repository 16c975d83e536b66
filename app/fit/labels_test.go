package fit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model"
)

// What may mean either, or a quantity, is refused by its line, before it is learned as yes.
func TestLabelsThatSayNeitherYesNorNoAreRefused(t *testing.T) {
	f := func(name, text, want string, positive ...string) {
		t.Helper()
		net, err := model.New(model.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		files := &Files{Positive: positive}
		if strings.HasSuffix(name, ".csv") || strings.Contains(text, `"v"`) {
			files.Label = "v"
		}
		_, err = NewRun("click", net).Learn(t.Context(), files, []string{fileOf(t, name, text)}, 0)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), name+want)) {
			t.Errorf("%s %q: %v, want %q", name, text, err, want)
		}
	}
	const quantity = ", want 0 or 1, or -1 or 1: say which numbers mean yes, such as --positive '>0' or --positive 2, or learn each as a class with --output softmax; numbers as targets are not supported"
	f("a.csv", "a,v\nx,0\nx,1.7\n", `:3: the label "v" is 1.7`+quantity)
	f("a.csv", "a,v\nx,1\nx,2\n", `:3: the label "v" is 2`+quantity)
	f("a.csv", "a,v\nx,0\nx,0.3\n", `:3: the label "v" is 0.3`+quantity)
	f("a.csv", "a,v\nx,-2.5\n", `:2: the label "v" is -2.5`+quantity)
	f("a.csv", "a,v\nx,1\nx,0\nx,-1\n", `:4: the label "v" is -1, and rows above have 0 as well`)
	f("a.csv", "a,v\nx,a\n", `:2: the label "v" is "a": say with --positive`)
	f("a.csv", "a,v\nx,NaN\n", `:2: the label "v" is "NaN": say with --positive`)
	f("a.csv", "a,v\nx,\n", `:2: the label "v" is empty`)
	f("a.vw", "1 |A a\n0.5 |A b\n", `:2: the label is 0.5`+quantity)
	f("a.vw", "1 |A a\n3 |A b\n", `:2: the label is 3`+quantity)
	f("a.vw", "0 |A a\n1 |A a\n-1 |A b\n", `:3: the label is -1, and rows above have 0`)
	f("a.vw", "-1 |A a\n1 |A a\n0 |A b\n", `:3: the label is 0, and rows above have 0`)
	f("a.vw", "-1 |A a\n1 |A a\n0 'tag|A b\n", `:3: the label is 0, and rows above have 0`)
	f("a.jsonl", `{"v":1,"a":"x"}`+"\n"+`{"v":12.5,"a":"x"}`+"\n", `:2: the label "v" is 12.5`+quantity)
	f("a.jsonl", `{"y":0.3,"features":{"a":"x"}}`+"\n", ":1: y is 0.3, want 0 or 1")
	f("a.jsonl", `{"y":-1,"features":{"a":"x"}}`+"\n", ":1: y is -1, want 0 or 1")

	f("a.csv", "a,v\nx,1\nx,0\nx,1.0\n", "")
	f("a.csv", "a,v\nx,1\nx,-1\n", "")
	f("a.csv", "a,v\nx,Yes\nx,no\nx,TRUE\nx,f\nx,1\nx,0\n", "")
	f("a.csv", "a,v\nx,0\nx,1.7\nx,3\n", "", ">1")
	f("a.csv", "a,v\nx,a\nx,b\nx,c\n", "", "b")
	f("a.vw", "0.5 |A a\n2 |A b\n", "", ">=1")
	f("a.vw", "-1 |A a\n1 |A a\n1 |A b\n", "")
}

// Files may differ in which number means no.
func TestEachFileHasItsOwnNumberForNo(t *testing.T) {
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	r := NewRun("click", net)
	paths := []string{fileOf(t, "a.vw", "1 |A a\n-1 |A b\n"), fileOf(t, "b.vw", "1 |A a\n0 |A b\n")}
	seen := ""
	r.Observe(func(at Place, _, y float64) error { seen += fmt.Sprintf("%d:%v ", at.Row, y); return nil })
	if _, err := r.Learn(t.Context(), &Files{}, paths, 0); err != nil || seen != "1:1 2:0 1:1 2:0 " {
		t.Errorf("%s, %v", seen, err)
	}
}

// A weight below 0 would take back what was learned; only revisions in the examples topic do that.
func TestANegativeImportanceIsRefused(t *testing.T) {
	for _, weight := range []string{"-1", "-0.5", "-1e-9"} {
		_, _, _, skipped, err := read(t, "1 |A a\n1 "+weight+" |A a\n", &Files{Format: "vw"})
		if err == nil || !strings.Contains(err.Error(), `:2: importance "`+weight+`" is no number of 0 to 1e+06`) || skipped != 0 {
			t.Errorf("%s: %v", weight, err)
		}
	}
	if _, _, w, _, err := read(t, "1 0 |A a\n", &Files{Format: "vw"}); err != nil || len(w) != 1 || w[0] != 0 {
		t.Errorf("a weight of nothing: %v, %v", w, err)
	}
}
