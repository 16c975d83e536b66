package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/fit"
)

// said runs the command line in this process and returns its status and what it wrote.
func said(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = execute(t.Context(), args, &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A name that nothing has is told, since most likely it is misspelt; those that something has are
// not.
func TestNamesThatNothingHasAreTold(t *testing.T) {
	dir := t.TempDir()
	csv := writeFile(t, dir, "a.csv", "a,b,c,y\n1,2,u,1\n3,4,v,0\n")
	lines := writeFile(t, dir, "a.jsonl", `{"a":1,"b":2,"c":"u","y":1}`+"\n"+`{"a":3,"b":4,"c":"v","y":0}`+"\n")
	for _, file := range []string{csv, lines} {
		status, _, errs := said(t, "fit", file, "--label", "y", "--drop", "b,bb", "--network", "linear", "--cross", "a,c", "--cross", "a,cc")
		if status != 0 || !strings.Contains(errs, `--drop names "bb"`) || !strings.Contains(errs, `--cross a,cc: no example had a field "cc"`) || strings.Count(errs, "warning") != 2 {
			t.Errorf("%s: status %d, %s", file, status, errs)
		}
		if status, _, errs = said(t, "fit", file, "--label", "y", "--drop", "b", "--network", "linear", "--cross", "all"); status != 0 || strings.Contains(errs, "warning") {
			t.Errorf("%s: status %d, %s", file, status, errs)
		}
	}
}

const pets = "food,kind,legs\n" + "seed,bird,2\nfish,cat,4\nbone,dog,4\nseed,bird,2\nfish,cat,4\nbone,dog,4\n"

// A model of classes that is saved after some rows and gone on with has the bytes of one run, names
// included.
func TestASoftmaxIsSavedAndGoneOnWithByName(t *testing.T) {
	dir := t.TempDir()
	rows := strings.SplitAfter(pets, "\n")
	whole := writeFile(t, dir, "whole.csv", pets)
	// ends before the file does, with every class
	first := writeFile(t, dir, "first.csv", strings.Join(rows[:5], ""))
	rest := writeFile(t, dir, "rest.csv", rows[0]+strings.Join(rows[5:], ""))
	one, two := filepath.Join(dir, "one.model"), filepath.Join(dir, "two.model")
	flags := []string{"--label", "kind", "--json"}
	var result fit.ClassResult
	f := func(args ...string) {
		t.Helper()
		status, out, errs := said(t, append(append([]string{"fit"}, args...), flags...)...)
		if status != 0 {
			t.Fatalf("%v: %s", args, errs)
		}
		result = fit.ClassResult{}
		if err := json.Unmarshal([]byte(out), &result); err != nil {
			t.Fatalf("%v printed %q: %v", args, out, err)
		}
	}
	predictions := filepath.Join(dir, "predictions.jsonl")
	f(whole, "--output", "softmax", "--network", "linear,mlp", "--out", one, "--test", rest, "--predictions", predictions)
	if len(result.Classes) != 3 || result.Classes[0].Class != "bird" || result.Classes[1].Support != 2 || len(result.Test) != 1 || result.Test[0].Examples != 2 {
		t.Errorf("result %+v", result)
	}
	f(first, "--output", "softmax", "--network", "linear,mlp", "--out", two)
	f(rest, "--in", two, "--out", two)
	if !bytes.Equal(readFile(t, one), readFile(t, two)) {
		t.Error("saved and gone on with, the model is another")
	}
	lines := strings.Split(strings.TrimSpace(string(readFile(t, predictions))), "\n")
	var p struct {
		P map[string]float64
		Y string
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &p); err != nil || len(lines) != 8 || p.Y != "dog" || len(p.P) != 3 || p.P["dog"] <= p.P["cat"] {
		t.Errorf("%d predictions, the last %s: %+v, %v", len(lines), lines[len(lines)-1], p, err)
	}
	_, out, _ := said(t, "fit", whole, "--label", "kind", "--in", one)
	for _, want := range []string{"6 examples of 3 classes", "macro F1", "precision", `actual \ predicted`} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q, want %q in it", out, want)
		}
	}
}

func TestWrongUsageOfFitIsExplained(t *testing.T) {
	dir := t.TempDir()
	csv := writeFile(t, dir, "a.csv", pets)
	odd := writeFile(t, dir, "odd.csv", "food,kind,legs\nseed,bird,2\nfly,frog,4\n")
	named, plain := filepath.Join(dir, "named.model"), filepath.Join(dir, "plain.model")
	softmax := []string{"--label", "kind", "--output", "softmax", "--network", "linear"}
	f := func(want string, args ...string) {
		t.Helper()
		status, out, errs := said(t, append([]string{"fit"}, args...)...)
		if status != min(len(want), 1) || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %q %q, want %q", args, status, out, errs, want)
		}
	}
	with := func(path string, more ...string) []string { return append(append([]string{path}, softmax...), more...) }
	f("", with(csv, "--out", named)...)
	f("", csv, "--label", "kind", "--positive", "cat", "--out", plain)
	f("", with(csv, "--classes", "dog,cat", "--classes", "bird")...)
	f(`--output is "softmaxx", want sigmoid or softmax`, csv, "--output", "softmaxx")
	f("add --network linear, mlp or linear,mlp", csv, "--label", "kind", "--output", "softmax")
	f("softmax allows only linear and mlp", csv, "--label", "kind", "--output", "softmax", "--network", "ffm")
	f("--classes is given, and the output is sigmoid: add --output softmax", csv, "--label", "kind", "--classes", "a,b")
	f("--positive says which label means yes", with(csv, "--positive", "cat")...)
	f("is a recording, whose labels are yes or no", with(bank)...)
	f("- can be read only once", with("-")...)
	f(`class "cat" is named twice`, with(csv, "--classes", "cat,dog,cat")...)
	f("there are 1 classes (cat), want 2 to 1024", with(csv, "--classes", "cat")...)
	f(`a.csv:2: the label "kind" is "bird", want one of the classes cat, dog`, with(csv, "--classes", "cat,dog")...)
	f(`odd.csv:3: the label "kind" is "frog", want one of the classes bird, cat, dog`, with(csv, "--test", odd)...)
	f(`odd.csv:3: the label "kind" is "frog"`, odd, "--label", "kind", "--in", named)
	f("", odd, "--label", "kind", "--in", named, "--on-error", "skip")
	f("", csv, "--label", "kind", "--in", named, "--output", "softmax", "--classes", "bird,cat,dog", "--network", "linear")
	f("--classes bird,dog,cat contradicts model", csv, "--label", "kind", "--in", named, "--classes", "bird,dog,cat")
	f("--output sigmoid contradicts model", csv, "--label", "kind", "--in", named, "--output", "sigmoid")
	f("--output softmax contradicts model", csv, "--label", "kind", "--in", plain, "--output", "softmax")
	f("--network makes network [\"mlp\"], and model ", csv, "--label", "kind", "--in", named, "--network", "mlp")
	configured := writeFile(t, dir, "c.yaml", "model: {output: softmax, classes: 3, network: [linear]}\n")
	f("", csv, "--label", "kind", "--config", configured)
	f("model.classes 3, and there are 2 (cat, dog)", csv, "--label", "kind", "--config", configured, "--classes", "cat,dog")
	f("", csv, "--label", "kind", "--positive", "cat", "--config", configured, "--output", "sigmoid")
}
