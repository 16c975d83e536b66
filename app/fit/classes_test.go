package fit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model"
)

func fileOf(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// softmax is a run over a new plain network.
func softmax(t *testing.T, names []string, network ...string) *ClassRun {
	t.Helper()
	c := model.DefaultConfig()
	c.Output, c.Classes, c.Network = "softmax", len(names), network
	net, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewClassRun("kind", net, names)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// animals are rows of which each field says something of the class, with noise.
func animals(rows int, separator string) (text string, names []string) {
	rng := rand.New(rand.NewPCG(3, 3))
	names = []string{"bird", "cat", "dog"}
	var b strings.Builder
	b.WriteString("food" + separator + "kind" + separator + "sound\n")
	for range rows {
		class := rng.IntN(3)
		food, sound := []string{"seed", "fish", "bone"}[class], []string{"tweet", "meow", "woof"}[class]
		if rng.IntN(4) == 0 {
			food = []string{"seed", "fish", "bone"}[rng.IntN(3)]
		}
		b.WriteString(food + separator + names[class] + separator + sound + "\n")
	}
	return b.String(), names
}

func TestASoftmaxLearnsClassesByName(t *testing.T) {
	text, names := animals(2000, ",")
	path := fileOf(t, "a.csv", text)
	for _, network := range [][]string{{"linear"}, {"mlp"}, {"linear", "mlp"}} {
		f := &Files{Label: "kind"}
		found, err := f.FindClasses(t.Context(), []string{path})
		if err != nil || !reflect.DeepEqual(found, names) {
			t.Fatalf("found %v, %v, want %v", found, err, names)
		}
		if err := f.SetClasses(found); err != nil {
			t.Fatal(err)
		}
		r := softmax(t, found, network...)
		seen := 0
		r.Observe(func(_ Place, p []float64, _ float64) error {
			seen++
			if sum := p[0] + p[1] + p[2]; math.Abs(sum-1) > 1e-5 {
				return fmt.Errorf("probabilities add up to %v", sum)
			}
			return nil
		})
		if _, err := r.Learn(t.Context(), f, []string{path}, 0); err != nil {
			t.Fatal(err)
		}
		m := r.Result()
		if m.Examples != 2000 || seen != 2000 || *m.Accuracy < 0.98 || *m.NormalizedEntropy > 0.2 || m.Holdout != nil {
			t.Errorf("%v: %d examples, accuracy %v, normalized entropy %v", network, m.Examples, *m.Accuracy, *m.NormalizedEntropy)
		}
		test, err := r.Test(t.Context(), f, path)
		if err != nil || *test.Accuracy != 1 || test.Classes[2].Class != "dog" || *test.Classes[2].F1 != 1 || test.Confusion[0][0]+test.Confusion[1][1]+test.Confusion[2][2] != 2000 {
			t.Errorf("%v: tested %+v, %v", network, test, err)
		}
	}
}

// A delay changes what is predicted, and not what is learned; a holdout is learned by nobody.
func TestClassesWithDelayAndHoldout(t *testing.T) {
	text, names := animals(500, ",")
	path := fileOf(t, "a.csv", text)
	learned := func(delay, holdout int) (ClassResult, *ClassRun) {
		f := &Files{Label: "kind", Holdout: holdout}
		if err := f.SetClasses(names); err != nil {
			t.Fatal(err)
		}
		r := softmax(t, names, "linear")
		if _, err := r.Learn(t.Context(), f, []string{path}, delay); err != nil {
			t.Fatal(err)
		}
		return r.Result(), r
	}
	at, _ := learned(0, 0)
	late, _ := learned(50, 0)
	if at.Weights != late.Weights || *late.LogLoss <= *at.LogLoss {
		t.Errorf("weights %s, with delay %s; log loss %v, with delay %v", at.Weights, late.Weights, *at.LogLoss, *late.LogLoss)
	}
	held, r := learned(0, 5)
	if held.Holdout == nil || held.Holdout.Examples != 100 || held.Examples != 400 || r.Net().Examples() != 400 || r.Rows() != 500 {
		t.Errorf("held out %+v, learned %d of %d", held.Holdout, r.Net().Examples(), r.Rows())
	}
}

func TestClassesAreFoundInOrder(t *testing.T) {
	f := func(file, text, label, want string) {
		t.Helper()
		files := &Files{Label: label}
		names, err := files.FindClasses(t.Context(), []string{fileOf(t, file, text)})
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if want == "" || !strings.HasSuffix(got, want) {
			t.Errorf("%s %q: %q, want %q", file, text, got, want)
		}
	}
	f("a.csv", "y\n10\nb\n9\n010\n9.0\na\n", "y", "9 10 a b")
	f("a.tsv", "x\ty\n1\tno\n1\tyes\n", "y", "no yes")
	f("a.jsonl", `{"y":"b"}`+"\n"+`{"y":true}`+"\n"+`{"y":"a"}`, "y", "a b true")
	f("a.jsonl", `{"y":2,"features":{"a":1}}`+"\n"+`{"y":1,"features":{"a":1}}`, "", "1 2")
	f("a.jsonl", `{"y":0,"class":"dog","features":{"a":1}}`+"\n"+`{"y":0,"class":"cat","features":{"a":1}}`, "", "cat dog")
	f("a.vw", "3 |A a\n1 |A a\n2 0.5 |A a\n", "", "1 2 3")
	f("a.csv", "y\nx\nx\n", "y", `the label "y" has only the values ["x"] in the first 2 rows, want 2 to 1024: name them all with --classes`)
	f("a.csv", "x,y\n1,a\n1,\n", "y", `a.csv:3: the label "y" is empty, want its class`)
	f("a.csv", "x,y\n1,a\n", "z", `a.csv:2: there is no column "z" for the label, only x, y`)
	f("a.csv", "x,z\n1,a\n", "", `a.csv:2: name the label's column with --label; there are x, z`)
	f("a.vw", "1 |A a\n|A a\n", "", "a.vw:2: the label is missing")
	many := "y\n"
	for i := range maxClasses + 1 {
		many += fmt.Sprintln(i)
	}
	f("a.csv", many, "y", "a.csv:1026: the label \"y\" has more than 1024 values up to here: is it a class? name those to learn with --classes, and pass over others with --on-error skip")
}

func TestClassesAreNotLookedForWhereFilesAreReadOnce(t *testing.T) {
	for _, path := range []string{"-", os.DevNull} {
		_, err := (&Files{Label: "y"}).FindClasses(t.Context(), []string{path})
		if err == nil || !strings.Contains(err.Error(), "--classes a,b,c") {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := (&Files{Label: "y"}).FindClasses(t.Context(), []string{filepath.Join(t.TempDir(), "none.csv")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestWrongClassesAreRefused(t *testing.T) {
	f := func(want string, names ...string) {
		t.Helper()
		if err := (&Files{}).SetClasses(names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", names, err, want)
		}
	}
	f("there are 0 classes")
	f("there are 1 classes (a), want 2 to 1024", "a")
	f("there are 1025 classes", make([]string, 1025)...)
	f(`class "a" is named twice`, "a", "b", "a")
	f("class 2 of a,  is empty", "a", "")
}

// Plain lines and others give the same class, and an unknown one is told with its line or passed
// over.
func TestVWLabelsNameClasses(t *testing.T) {
	files := func(skip bool) *Files {
		f := &Files{Format: "vw", SkipBad: skip}
		if err := f.SetClasses([]string{"1", "2", "10", "-3", "0.5"}); err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := func(label string, want float64) {
		t.Helper()
		x, y, _, _, err := read(t, label+" |A a\n"+label+" 2 |A a\n"+label+" |A a:1\n", files(false))
		if err != nil || len(y) != 3 || y[0] != want || y[1] != want || y[2] != want || !reflect.DeepEqual(x[0], x[1]) {
			t.Errorf("label %s: classes %v, %v, want %v", label, y, err, want)
		}
	}
	f("1", 0)
	f("2", 1)
	f("10", 2)
	f("010", 2)
	f("1e1", 2)
	f("-3", 3)
	f("0.5", 4)
	f(".5", 4)
	for _, bad := range []string{"3 |A a", "3 2 |A a", "100 |A a"} {
		_, _, _, _, err := read(t, "1 |A a\n"+bad+"\n", files(false))
		if err == nil || !strings.Contains(err.Error(), "a.vw:2: the label is \"") || !strings.Contains(err.Error(), "want one of the classes 1, 2, 10, -3, 0.5") {
			t.Errorf("%q: %v", bad, err)
		}
		_, y, _, skipped, err := read(t, "1 |A a\n"+bad+"\n2 |A a\n", files(true))
		if err != nil || skipped != 1 || len(y) != 2 {
			t.Errorf("%q, skipping: %v, %d skipped, %v", bad, y, skipped, err)
		}
	}
}

func TestExamplesOfATopicNameClasses(t *testing.T) {
	f := &Files{Format: "jsonl"}
	if err := f.SetClasses([]string{"0", "dog"}); err != nil {
		t.Fatal(err)
	}
	x, y, w, _, err := read(t, `{"y":0,"class":"dog","w":2,"features":{"a":1}}`+"\n"+`{"prediction":"p.0","y":0,"features":{}}`, f)
	if err != nil || len(x) != 2 || len(x[0]) != 1 || len(x[1]) != 0 || y[0] != 1 || y[1] != 0 || w[0] != 2 {
		t.Errorf("read %v %v %v, %v", x, y, w, err)
	}
}

func TestExamplesThatAreWrongNameFileLineAndReason(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		good := `{"prediction":"p.0","y":0,"features":{}}` + "\n"
		path := fileOf(t, "a.jsonl", good+line+"\n"+good)
		for _, skip := range []bool{false, true} {
			n := 0
			skipped, err := (&Files{SkipBad: skip}).pipe(t.Context(), []string{path}, func(b *block) error { n += b.len(); return nil })
			if skip && (err != nil || skipped != 1 || n != 2) || !skip && (err == nil || !strings.Contains(err.Error(), "a.jsonl:2: "+want)) {
				t.Errorf("%s: %d read, %d skipped, %v, want %q", line, n, skipped, err, want)
			}
		}
	}
	f(`{"y":1,"w":1e7,"features":{"a":1}}`, "w is 1e+07, want a weight of at most 1e+06")
	f(`{"y":1,"w":-1e7,"features":{"a":1}}`, "w is -1e+07")
	f(`{"y":"yes","features":{"a":1}}`, `y is "yes", want 0 or 1, or name the label's column with --label`)
	f(`{"features":{"a":1}}`, "name the label's column with --label; there are features.a")
	f(`{"y":1,"a":1}`, "there are no features: name the label's column with --label; there are y, a")
}

func TestLearningAClassCostsNoAllocation(t *testing.T) {
	r := softmax(t, []string{"a", "b", "c"}, "linear")
	e := &example{x: []model.Feature{{Field: 1, Hash: 2, Value: 1, Kind: model.Token}}, y: 2, w: 1}
	step := func() {
		if err := r.learn(e, r.predict(e.x)); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations an example", n)
	}
}
