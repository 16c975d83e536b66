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
	"strconv"

	"github.com/clickloop/clickloop/internal/fit"
	"github.com/clickloop/clickloop/internal/modelfile"
	"github.com/clickloop/clickloop/model"
)

// predictions is the file of --predictions.
type predictions struct {
	f *os.File
	w *bufio.Writer
}

func newPredictions(path string) (*predictions, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write the predictions: %w", err)
	}
	return &predictions{f, bufio.NewWriter(f)}, nil
}

// write writes a prediction and its label.
func (p *predictions) write(prediction, y float64) error {
	b := strconv.AppendFloat(p.w.AvailableBuffer(), prediction, 'g', -1, 64)
	b = strconv.AppendFloat(append(b, ' '), y, 'g', -1, 64)
	_, err := p.w.Write(append(b, '\n'))
	return err
}

// end writes what is buffered: a full disk may show only here.
func (p *predictions) end() error {
	if err := cmp.Or(p.w.Flush(), p.f.Close()); err != nil {
		return fmt.Errorf("cannot write the predictions: %w", err)
	}
	return nil
}

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

// save writes the model to --out: before the tests, of which one may fail.
func (o *fitOptions) save(net *model.Net, classes []string) error {
	if o.out == "" {
		return nil
	}
	return saveModel(o.out, net, classes)
}

// saveModel writes a model whole or not at all; what is no plain file, such as /dev/stdout, is written to and not replaced.
func saveModel(path string, net *model.Net, classes []string) error {
	failed := func(err error) error { return fmt.Errorf("cannot write the model to %s: %w", path, err) }
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return failed(err)
		}
		if err := errors.Join(writeModel(f, net, classes), f.Close()); err != nil {
			return failed(err)
		}
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".clickloop-model-")
	if err != nil {
		return failed(err)
	}
	defer os.Remove(f.Name())
	err = writeModel(f, net, classes)
	if err = errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return failed(err)
	}
	return os.Rename(f.Name(), path)
}

func writeModel(f *os.File, net *model.Net, classes []string) error {
	w := bufio.NewWriterSize(f, 1<<20)
	err := modelfile.Write(w, net, classes)
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
	for _, t := range r.Test {
		fmt.Fprintf(w, "%s: %d examples\n", t.File, t.Examples)
		printSkipped(w, t.Skipped)
		show("log loss", t.LogLoss)
		show("AUC", t.AUC)
		show("accuracy", t.Accuracy)
	}
}

// printSkipped tells of malformed lines that were passed over.
func printSkipped(w io.Writer, n int64) {
	if n > 0 {
		fmt.Fprintf(w, "  %-22s %d\n", "malformed, skipped", n)
	}
}
