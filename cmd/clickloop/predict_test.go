package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/learner"
)

// shop writes rows that a model is made of, and others with and without labels, and returns the
// model.
func shop(t *testing.T, dir string) (made string) {
	t.Helper()
	var rows strings.Builder
	rows.WriteString("user,zip,posted,y\n")
	for i := range 200 {
		fmt.Fprintf(&rows, "u%d,%05d,2026-01-%02d,%d\n", i, i%2*1234, 1+i%28, i%2)
	}
	train := writeFile(t, dir, "train.csv", rows.String())
	made = filepath.Join(dir, "made.model")
	if status, _, errs := said(t, "fit", train, "--label", "y", "--drop", "user", "--out", made); status != 0 {
		t.Fatal(errs)
	}
	return made
}

func TestRowsArePredictedWithoutLabels(t *testing.T) {
	dir := t.TempDir()
	made := shop(t, dir)
	rows := writeFile(t, dir, "rows.csv", "zip,user,posted,extra\n01234,a,2026-01-01,5\n00000,\"b,c\",2026-01-02,6\n01234,d,,7\n")
	status, out, errs := said(t, "predict", made, rows)
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if status != 0 || err != nil || len(lines) != 4 || strings.Join(lines[0], ",") != "row,p,y" || lines[3][0] != "3" || lines[1][2] != "" {
		t.Fatalf("status %d, %s%s, %v", status, out, errs, err)
	}
	if lines[1][1] <= "0.5" || lines[2][1] >= "0.5" && !strings.Contains(lines[2][1], "e-") {
		t.Errorf("predictions %v: a zip code that begins with 0 is another", lines)
	}
	if !strings.Contains(errs, `the model was not made with "extra": left out`) || !strings.Contains(errs, "of fit, of 200 examples") {
		t.Errorf("told %s", errs)
	}
	_, again, _ := said(t, "predict", made, writeFile(t, dir, "same.csv", "posted,zip\n2026-01-01,01234\n2026-01-02,00000\n,01234\n"))
	if same, _ := csv.NewReader(strings.NewReader(again)).ReadAll(); len(same) != 4 {
		t.Errorf("in another order, without the others: %v, before %v", same, lines)
	}
	_, out, errs = said(t, "predict", made, writeFile(t, dir, "less.csv", "zip\n01234\n"), "--form", "jsonl")
	if !strings.HasPrefix(out, `{"row":1,"p":0.`) || !strings.Contains(errs, `the model was made with "posted", and no row has that`) {
		t.Errorf("%s%s", out, errs)
	}
	_, out, _ = said(t, "predict", made, rows, "--id", "user")
	if lines, err = csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil || lines[0][0] != "user" || lines[2][0] != "b,c" {
		t.Errorf("by id: %v, %v", lines, err)
	}
	status, _, errs = said(t, "predict", made, rows, "--id", "name")
	if status != 1 || !strings.Contains(errs, `rows.csv:2: there is no column "name" for the row's id, only zip, user, posted`) {
		t.Errorf("status %d, %s", status, errs)
	}
}

// A predicted row is what a test of fit says of it, and rows with a label are measured.
func TestPredictionsAreThoseOfFitsTests(t *testing.T) {
	dir := t.TempDir()
	made := shop(t, dir)
	rows := writeFile(t, dir, "rows.csv", "user,zip,posted,y\na,01234,2026-01-01,1\nb,00000,2026-01-02,0\nc,01234,2026-01-03,0\nd,00000,2026-01-04,\n")
	labeled := writeFile(t, dir, "labeled.csv", "user,zip,posted,y\na,01234,2026-01-01,1\nb,00000,2026-01-02,0\nc,01234,2026-01-03,0\n")
	out := filepath.Join(dir, "p.jsonl")
	var predicted, tested struct {
		Model, Weights string
		Examples       int64
		Rows           int64
		Test           []fit.TestResult
	}
	output(t, &predicted, "predict", made, rows, "--out", out, "--json")
	lines := strings.Split(strings.TrimSpace(string(readFile(t, out))), "\n")
	plain := filepath.Join(dir, "plain")
	output(t, &tested, "fit", "--in", made, "--test", labeled, "--json", "--predictions", plain)
	if predicted.Rows != 4 || len(lines) != 4 || predicted.Model != "click@200" || tested.Weights != predicted.Weights || tested.Model != predicted.Model {
		t.Errorf("%+v, %+v, %q", predicted, tested, lines)
	}
	predicted.Test[0].File, tested.Test[0].File = "", ""
	if predicted.Test[0].Examples != 3 || !reflect.DeepEqual(predicted.Test, tested.Test) {
		t.Errorf("predict measures %+v, fit %+v", predicted.Test, tested.Test)
	}
	ps := strings.Split(strings.TrimSpace(string(readFile(t, plain))), "\n")
	for i, line := range lines {
		var p struct {
			Row int
			P   float64
			Y   *float64
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.Row != i+1 || (p.Y == nil) != (i == 3) {
			t.Fatalf("%s: %v", line, err)
		}
		if i < 3 && ps[i] != string(strictjson.AppendNumber(nil, p.P))+" "+string(strictjson.AppendNumber(nil, *p.Y)) {
			t.Errorf("row %d: %s, of fit %s", i+1, line, ps[i])
		}
	}
	csvs := filepath.Join(dir, "all.csv")
	if status, _, errs := said(t, "fit", filepath.Join(dir, "train.csv"), "--label", "y", "--drop", "user", "--test", labeled, "--predictions", csvs); status != 0 {
		t.Fatal(errs)
	}
	all := strings.Split(strings.TrimSpace(string(readFile(t, csvs))), "\n")
	if len(all) != 1+200+3 || all[0] != "file,row,p,y" || !strings.HasPrefix(all[203], labeled+",3,") || !strings.HasPrefix(all[1], filepath.Join(dir, "train.csv")+",1,0.") {
		t.Errorf("%d lines: %s ... %s", len(all), all[0], all[len(all)-1])
	}
}

// A learner's checkpoint and a file of fit are one thing.
func TestACheckpointPredictsAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	var live struct{ Weights string }
	output(t, &live, append([]string{"up", "--replay", bank, "--lockstep", "--exit", "--json", "--limit", "200", "--data", filepath.Join(dir, "data")}, services(t)...)...)
	found, err := filepath.Glob(filepath.Join(dir, "data", "checkpoints", "*.checkpoint"))
	if err != nil || len(found) == 0 {
		t.Fatalf("checkpoints %v, %v", found, err)
	}
	state, err := learner.ReadState(found[0])
	if err != nil {
		t.Fatal(err)
	}
	header, rows := bankRows(t)
	file := writeFile(t, dir, "rows.csv", string(header)+string(rows[0])+string(rows[1]))
	status, out, errs := said(t, "predict", found[0], file, "--label", "y", "--positive", "yes", "--drop", "duration")
	if want := fmt.Sprintf("a learner's checkpoint of objective conversion and network default, of %d examples", state.Net().Examples()); status != 0 || strings.Count(out, "\n") != 3 || !strings.Contains(errs, want) {
		t.Errorf("status %d, %s%s, want %q", status, out, errs, want)
	}
	var on fit.Result
	output(t, &on, "fit", file, "--in", found[0], "--label", "y", "--positive", "yes", "--drop", "duration", "--json")
	if want := event.ModelVersion("conversion", state.Net().Examples()+2); on.Model != want {
		t.Errorf("gone on with it is %s, want %s", on.Model, want)
	}
}

func TestASoftmaxPredictsItsClasses(t *testing.T) {
	dir := t.TempDir()
	train, made := writeFile(t, dir, "train.csv", pets), filepath.Join(dir, "made.model")
	if status, _, errs := said(t, "fit", train, "--label", "kind", "--output", "softmax", "--network", "linear,mlp", "--out", made); status != 0 {
		t.Fatal(errs)
	}
	status, out, errs := said(t, "predict", made, train)
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if status != 0 || err != nil || len(lines) != 7 || strings.Join(lines[0], ",") != "row,p.bird,p.cat,p.dog,class,y" || !strings.Contains(errs, "accuracy") {
		t.Errorf("status %d, %v, %s", status, lines, errs)
	}
	_, out, _ = said(t, "predict", made, train, "--form", "jsonl")
	var p struct {
		P map[string]float64
		Y string
	}
	if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &p); err != nil || len(p.P) != 3 || p.Y == "" {
		t.Errorf("%s: %v", out, err)
	}
}

func TestWrongUsageOfPredictIsExplained(t *testing.T) {
	dir := t.TempDir()
	made := shop(t, dir)
	rows := writeFile(t, dir, "rows.csv", "zip\n01234\n")
	f := func(status int, want string, args ...string) {
		t.Helper()
		got, _, errs := said(t, append([]string{"predict"}, args...)...)
		if got != status || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %s, want %d and %q", args, got, errs, status, want)
		}
	}
	f(2, "name a model and files of rows", made)
	f(1, "--json prints on standard output", made, rows, "--json")
	f(1, `--form is "xml", want csv or jsonl`, made, rows, "--form", "xml")
	f(1, "cannot read the model", filepath.Join(dir, "none"), rows)
	f(1, "cannot read examples", made, filepath.Join(dir, "none"))
	f(1, "would be written over", made, rows, "--out", made)
	f(1, "would be written over", made, rows, "--out", rows)
	f(1, "is a recording", made, bank)
	f(1, `column "zip" is to be read as number, and the model was made with it read as token`, made, rows, "--number", "zip")
	f(1, "other.csv:2: none of the columns other is one that the model was made with", made, writeFile(t, dir, "other.csv", "other\n1\n"))
	f(1, `there is no encoding "ebcdic-of-mars"`, made, rows, "--encoding", "ebcdic-of-mars")
	if _, err := os.Stat(rows); err != nil {
		t.Error(err)
	}
	status, _, errs := said(t, "fit", "--in", made)
	if status != 2 || !strings.Contains(errs, "--in MODEL --test FILE alone") {
		t.Errorf("fit without rows: status %d, %s", status, errs)
	}
}

// Rows of a file that is not there yet, and of one that a column's reading says is otherwise, are
// told.
func TestReadingsThatNothingHasAreTold(t *testing.T) {
	csv := writeFile(t, t.TempDir(), "a.csv", votes)
	_, _, errs := said(t, "fit", csv, "--label", "y", "--text", "title", "--date", "a,when")
	for _, want := range []string{`--text names "title"`, `--date names "when"`} {
		if !strings.Contains(errs, want) {
			t.Errorf("told %s, want %s", errs, want)
		}
	}
	if status, _, errs := said(t, "fit", csv, "--label", "y", "--text", "y"); status != 1 || !strings.Contains(errs, `--text: column "y" is to be read as text, and it is no input`) {
		t.Errorf("status %d, %s", status, errs)
	}
}
