package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/internal/modelfile"
	"github.com/clickloop/clickloop/model"
)

// finish prints the result.
func (o *fitOptions) finish(stdout io.Writer, result any, text func()) error {
	if o.json {
		b, err := json.Marshal(result)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s\n", b)
		return nil
	}
	text()
	return nil
}

// save writes the model to --out. It runs before the tests, since a test may fail.
func (o *fitOptions) save(net *model.Net, classes []string) error {
	if o.out == "" {
		return nil
	}
	about := modelfile.About{Classes: classes}
	if f := &o.files; f.Label != "" && f.Columns != nil {
		about.Label, about.Positive, about.Drop = f.Label, f.Positive, f.Left
		for _, name := range f.Drop {
			if !slices.Contains(about.Drop, name) {
				about.Drop = append(slices.Clip(about.Drop), name)
			}
		}
		for _, c := range f.Columns.List() {
			if c.Met {
				about.Columns = append(about.Columns, modelfile.Column{Name: c.Name, Read: string(c.Reading), Form: c.Form})
			}
		}
	}
	return saveModel(o.out, net, about)
}

// saveModel replaces a model's file in one step. It writes directly to what is no plain file, such
// as /dev/stdout.
func saveModel(path string, net *model.Net, about modelfile.About) error {
	failed := func(err error) error { return fmt.Errorf("cannot write the model to %s: %w", path, err) }
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return failed(err)
		}
		if err := errors.Join(writeModel(f, net, about), f.Close()); err != nil {
			return failed(err)
		}
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".clickloop-model-")
	if err != nil {
		return failed(err)
	}
	defer os.Remove(f.Name())
	err = writeModel(f, net, about)
	if err = errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return failed(err)
	}
	return os.Rename(f.Name(), path)
}

func writeModel(f *os.File, net *model.Net, about modelfile.About) error {
	w := bufio.NewWriterSize(f, 1<<20)
	err := modelfile.Write(w, net, about)
	return cmp.Or(err, w.Flush())
}

func printFit(w io.Writer, r *fit.Result) {
	fmt.Fprintf(w, "%s: %d examples (%d positive) in %.2f s, %.0f examples/s\n", r.Model, r.Examples, r.Positives, r.Seconds, r.ExamplesPerSecond)
	show := func(name string, v *float64) {
		if v != nil {
			fmt.Fprintf(w, "  %-22s %.5f\n", name, *v)
		}
	}
	printSkipped(w, r.Skipped)
	show("log loss", r.LogLoss)
	show("normalized entropy", r.NormalizedEntropy)
	show("AUC", r.AUC)
	show("predicted over actual", r.PredictedOverActual)
	show("ECE", r.ECE)
	show("calibration slope", r.Slope)
	show("calibration intercept", r.Intercept)
	if r.Holdout != nil {
		show("log loss of holdout", r.Holdout.LogLoss)
	}
	fmt.Fprintf(w, "  %-22s %s\n", "weights", r.Weights)
	for i := range r.Test {
		printTest(w, &r.Test[i])
	}
}

func printTest(w io.Writer, t *fit.TestResult) {
	fmt.Fprintf(w, "%s: %d examples\n", t.File, t.Examples)
	printSkipped(w, t.Skipped)
	for _, x := range []struct {
		name string
		v    *float64
	}{{"log loss", t.LogLoss}, {"AUC", t.AUC}, {"accuracy", t.Accuracy}} {
		if x.v != nil {
			fmt.Fprintf(w, "  %-22s %.5f\n", x.name, *x.v)
		}
	}
}

// newPredictions opens the file of --predictions.
func (o *fitOptions) newPredictions(classes []string) (*predictions, error) {
	out, err := newPredictions(o.predictions, "")
	if err == nil {
		out.classes, out.labels, out.files = classes, true, len(o.paths)+len(o.tests) > 1
	}
	return out, err
}

// printSkipped reports how many malformed lines were skipped.
func printSkipped(w io.Writer, n int64) {
	if n > 0 {
		fmt.Fprintf(w, "  %-22s %d\n", "malformed, skipped", n)
	}
}
