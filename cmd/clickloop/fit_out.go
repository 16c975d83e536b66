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

// finish prints the result: as JSON, or by text.
func (o *dataOptions) finish(stdout io.Writer, result any, text func()) error {
	if o.json {
		return json.NewEncoder(stdout).Encode(result)
	}
	text()
	return nil
}

// save writes the model to --out, with what predict needs to read files in the same way: label,
// columns and how each was read. It runs before the tests, since a test may fail.
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
func saveModel(path string, net *model.Net, about modelfile.About) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write the model to %s: %w", path, err)
		}
	}()
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(writeModel(f, net, about), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".clickloop-model-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is no such file
	if err := errors.Join(writeModel(f, net, about), f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writeModel writes through a large buffer, since the format has many small parts.
func writeModel(f *os.File, net *model.Net, about modelfile.About) error {
	w := bufio.NewWriterSize(f, 1<<20)
	err := modelfile.Write(w, net, about)
	return cmp.Or(err, w.Flush())
}

// figure is a metric as a summary shows it.
type figure struct {
	name     string
	value    *float64
	interval *fit.Interval // nil: none
}

// inWords is an interval behind its figure.
func inWords(ends *[2]float64) string {
	if ends == nil {
		return ""
	}
	return fmt.Sprintf(" (%.5f to %.5f)", ends[0], ends[1])
}

// printFigures prints the figures that are defined.
func printFigures(w io.Writer, figures []figure) {
	for _, f := range figures {
		if f.value != nil {
			fmt.Fprintf(w, "  %-22s %.5f%s\n", f.name, *f.value, inWords((*[2]float64)(f.interval)))
		}
	}
}

// printFit prints the result of one pass: metrics of predictions that were made before their labels
// were learned.
func printFit(w io.Writer, r *fit.Result) {
	fmt.Fprintf(w, "%s: %d examples (%d positive) in %.2f s, %.0f examples/s\n", r.Model, r.Examples, r.Positives, r.Seconds, r.ExamplesPerSecond)
	printSkipped(w, r.Skipped)
	printFigures(w, []figure{
		{"log loss", r.LogLoss, r.LogLossInterval}, {"normalized entropy", r.NormalizedEntropy, r.NormalizedEntropyInterval}, {"AUC", r.AUC, r.AUCInterval},
		{"predicted over actual", r.PredictedOverActual, r.PredictedOverActualInterval}, {name: "average precision", value: r.AveragePrecision}, {name: "Brier score", value: r.Brier},
		{name: "ECE", value: r.ECE}, {name: "lift of the top tenth", value: r.Lift}, {name: "calibration slope", value: r.Slope}, {name: "calibration intercept", value: r.Intercept},
	})
	if r.Holdout != nil {
		printFigures(w, []figure{{name: "log loss of holdout", value: r.Holdout.LogLoss}})
	}
	fmt.Fprintf(w, "  %-22s %s\n", "weights", r.Weights)
	for i := range r.Test {
		printTest(w, &r.Test[i])
	}
}

// printTest prints the evaluation of one file.
func printTest(w io.Writer, t *fit.TestResult) {
	fmt.Fprintf(w, "%s: %d examples\n", t.File, t.Examples)
	printSkipped(w, t.Skipped)
	printFigures(w, []figure{{name: "log loss", value: t.LogLoss}, {name: "AUC", value: t.AUC}, {name: "accuracy", value: t.Accuracy}})
}

// newPredictions opens the file of --predictions. It returns nil without one.
func (o *fitOptions) newPredictions(classes []string) (*predictions, error) {
	if o.predictions == "" {
		return nil, nil
	}
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
