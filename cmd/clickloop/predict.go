package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/learner"
)

const predictExamples = `  clickloop predict model.bin today.csv                       p of each row, as CSV on standard output
  clickloop predict model.bin today.csv --id user --out p.jsonl
  clickloop predict model.bin labeled.csv --out p.csv --json  and how good they are, for rows with a label
  clickloop predict data/checkpoints/click.checkpoint rows.jsonl
A model is a file of fit --out, or a learner's checkpoint. Columns are read as they were when it was made.
`

// predictOptions holds the flags of predict.
type predictOptions struct {
	dataOptions
	id   string
	form string
}

// predictCommand predicts rows with a model, and learns nothing. It reads columns as they were read
// for the model: the model's file says how. Rows that have a label are evaluated, too.
func predictCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := predictFlags(args, stderr)
	if err != nil {
		return err
	}
	began := time.Now()
	state, err := o.readModel(false)
	if err != nil {
		return err
	}
	if err := o.checkPredict(); err != nil {
		return err
	}
	p, err := newPredictor(&o.dataOptions, state)
	if err != nil {
		return err
	}
	p.ID = o.id
	out := &predictions{w: bufio.NewWriter(stdout), form: cmp.Or(o.form, formCSV)}
	if o.out != "" {
		if out, err = newPredictions(o.out, cmp.Or(o.form, formOf(o.out, formCSV))); err != nil {
			return err
		}
	}
	out.classes, out.id, out.files, out.labels = p.Classes, o.id, len(o.paths) > 1, o.files.Label != "" || o.files.Format == "vw"
	results, rows, err := predictFiles(ctx, p, o.paths, out)
	if err = errors.Join(err, out.end()); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "clickloop predict: %s: %d rows in %.2f s\n", describe(o.in, state), rows, time.Since(began).Seconds())
	o.notices(nil, stderr)
	printColumns("predict", p, stderr)
	result := o.result(state, rows, results, began)
	return o.finish(stdout, result, func() { printTests(stderr, results) })
}

// predictResult is what predict prints as JSON.
type predictResult struct {
	Objective string  `json:"objective"`
	Model     string  `json:"model"`
	Weights   string  `json:"weights"`
	Rows      int64   `json:"rows"` // with a label or without
	Seconds   float64 `json:"seconds"`
	// by file: the quality of predictions of rows with a label
	Test []any `json:"test"`
}

// result is the result of predictions by the network of state.
func (o *dataOptions) result(state *learner.State, rows int64, tests []any, began time.Time) *predictResult {
	version, weights := fit.Version(o.objective, state.Net())
	return &predictResult{Objective: o.objective, Model: version, Weights: weights, Rows: rows, Seconds: time.Since(began).Seconds(), Test: tests}
}

// predictFlags parses the flags. The first positional argument is the model.
func predictFlags(args []string, stderr io.Writer) (*predictOptions, error) {
	o := &predictOptions{}
	fs := newFlags("predict", "predict MODEL FILE... [flags]", predictExamples, stderr)
	fs.StringVar(&o.id, "id", "", "`column` that names rows, in place of their numbers")
	fs.StringVar(&o.out, "out", "", "write the predictions to this `file`, not to standard output")
	fs.StringVar(&o.form, "form", "", "of the predictions: `csv` or jsonl; by the name of --out by default, else csv")
	fs.StringVar(&o.files.Label, "label", "", "`column` of the label, where there is one; that of the model by default")
	fs.Func("positive", "`value` of the label that means yes; may repeat; those of the model by default", commaList(&o.files.Positive))
	fs.Func("drop", "`columns` to leave out, separated by commas; may repeat", commaList(&o.files.Drop))
	fs.StringVar(&o.files.Format, "format", "", "of the files: csv, jsonl or vw; found out by default")
	o.reading.declare(fs, &o.files.Encoding)
	fs.StringVar(&o.onError, "on-error", "stop", "what a malformed line does: stop, or skip (counted)")
	fs.StringVar(&o.objective, "objective", "click", "`name` of the objective of a model of bare files")
	fs.BoolVar(&o.json, "json", false, "print one JSON object on standard output, with the metrics of rows that have a label; needs --out")
	rest, err := o.parse(fs, args)
	if err != nil {
		return nil, err
	}
	if len(rest) < 2 {
		return nil, misused(stderr, "predict", "name a model and files of rows; - is standard input; --help shows examples")
	}
	o.in, o.paths = rest[0], rest[1:]
	switch {
	case o.form != "" && o.form != formCSV && o.form != formJSON:
		return nil, fmt.Errorf("--form is %q, want csv or jsonl", o.form)
	case o.json && o.out == "":
		return nil, errors.New("--json prints on standard output, where the predictions go: add --out FILE; for predictions as JSON lines say --form jsonl")
	}
	return o, o.apply()
}

// checkPredict refuses files that cannot be read, and an output that would overwrite one of them.
func (o *predictOptions) checkPredict() error {
	for _, path := range o.paths {
		if isRecording(path) {
			return fmt.Errorf("%s is a recording: name its files, or play it with fit", path)
		}
	}
	if err := checkInputs(o.paths, 0); err != nil {
		return err
	}
	return checkWritable("--out", o.out, append(slices.Clone(o.paths), o.in))
}

// newPredictor returns a predictor for the model of --in.
func newPredictor(o *dataOptions, state *learner.State) (*fit.Predictor, error) {
	classes, err := o.oldClasses(state.Net().Config(), o.about.Classes, false)
	if err != nil {
		return nil, err
	}
	p := fit.NewPredictor(state.Net(), &o.files)
	p.Classes = classes
	for _, c := range o.about.Columns {
		p.Inputs = append(p.Inputs, c.Name)
	}
	return p, nil
}

// predictFiles predicts the rows of files in order, and evaluates those with labels.
func predictFiles(ctx context.Context, p *fit.Predictor, paths []string, out *predictions) (results []any, rows int64, err error) {
	for _, path := range paths {
		judge := fit.NewJudge(p.Classes)
		skipped, err := p.File(ctx, path, func(x *fit.Prediction) error {
			judge.Add(x)
			return out.write(x)
		})
		if err != nil {
			return results, rows, err
		}
		rows += judge.Rows()
		results = append(results, judge.Result(path, skipped))
	}
	return results, rows, nil
}

// printColumns warns of columns that only the rows have or only the model has.
func printColumns(command string, p *fit.Predictor, stderr io.Writer) {
	if names := p.Unknown(); len(names) > 0 {
		fmt.Fprintf(stderr, "clickloop %s: warning: the model was not made with %s: left out\n", command, quotedList(names))
	}
	if names := p.Missing(); len(names) > 0 {
		fmt.Fprintf(stderr, "clickloop %s: warning: the model was made with %s, and no row has that: predictions are worse for it\n", command, quotedList(names))
	}
}

// quotedList quotes the first names, and counts the others.
func quotedList(names []string) string {
	quoted := make([]string, min(len(names), 20))
	for i := range quoted {
		quoted[i] = fmt.Sprintf("%q", names[i])
	}
	if more := len(names) - len(quoted); more > 0 {
		quoted = append(quoted, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(quoted, ", ")
}

// printTests prints the evaluations. Files without labels have none.
func printTests(w io.Writer, results []any) {
	for _, result := range results {
		switch t := result.(type) {
		case *fit.TestResult:
			if t.Examples > 0 {
				printTest(w, t)
			}
		case *fit.ClassTest:
			if t.Examples > 0 {
				printClassTest(w, t)
			}
		}
	}
}

// testAlone is fit without examples to learn, by --in and --test alone: it evaluates the model.
func (o *fitOptions) testAlone(ctx context.Context, state *learner.State, began time.Time, stdout, stderr io.Writer) error {
	p, err := newPredictor(&o.dataOptions, state)
	if err != nil {
		return err
	}
	out, err := o.newPredictions(p.Classes)
	if err != nil {
		return err
	}
	results, rows, err := predictFiles(ctx, p, o.tests, out)
	if err = errors.Join(err, out.end()); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "clickloop fit: %s: nothing is learned, %d rows are predicted\n", describe(o.in, state), rows)
	o.notices(nil, stderr)
	printColumns("fit", p, stderr)
	if o.out != "" {
		if err := o.save(state.Net(), p.Classes); err != nil {
			return err
		}
	}
	result := o.result(state, rows, results, began)
	return o.finish(stdout, result, func() { printTests(stdout, results) })
}
