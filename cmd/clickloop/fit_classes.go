package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/model"
)

// newClasses completes c for a new softmax. It returns the names of the classes, from --classes or
// from the first rows of the files, in the order of their numbers. Other outputs have no classes.
func (o *fitOptions) newClasses(ctx context.Context, c *model.Config, recorded bool) ([]string, error) {
	if o.output != "" && o.output != c.Output {
		c.Output, c.Classes = o.output, 1
	}
	if err := o.checkClasses(c.Output, recorded); err != nil || c.Output != "softmax" {
		return nil, err
	}
	configured := c.Classes // 1 when --output alone says softmax
	c.Classes = max(2, configured)
	if len(c.Network) == 0 {
		return nil, errors.New("a softmax needs a plain network: add --network linear, mlp or linear,mlp")
	}
	if err := c.Validate(); err != nil { // before files are read
		return nil, err
	}
	classes := o.givenClasses()
	if len(classes) == 0 {
		var err error
		if classes, err = o.files.FindClasses(ctx, o.paths); err != nil {
			return nil, err
		}
	}
	if configured > 1 && configured != len(classes) {
		return nil, fmt.Errorf("the configuration has model.classes %d, and there are %d (%s): correct one of them", configured, len(classes), strings.Join(classes[:min(10, len(classes))], ", "))
	}
	c.Classes = len(classes)
	return classes, o.files.SetClasses(classes)
}

// oldClasses returns the class names of a softmax that was read from a file. Flags may repeat them,
// and name them for a model without names.
func (o *dataOptions) oldClasses(made model.Config, classes []string, recorded bool) ([]string, error) {
	if o.output != "" && o.output != made.Output {
		return nil, fmt.Errorf("--output %s contradicts model %s, whose output is %s: leave it out", o.output, o.in, made.Output)
	}
	if err := o.checkClasses(made.Output, recorded); err != nil || made.Output != "softmax" {
		return nil, err
	}
	given := o.givenClasses()
	switch {
	case len(classes) == 0 && len(given) != made.Classes:
		// written by a program without names of classes
		return nil, fmt.Errorf("model %s has %d classes without names, and --classes gives %d: name them all, in the order of their numbers", o.in, made.Classes, len(given))
	case len(classes) == 0:
		classes = given
	case len(given) > 0 && !slices.Equal(given, classes):
		return nil, fmt.Errorf("--classes %s contradicts model %s, whose classes are %s: leave it out", strings.Join(given, ","), o.in, strings.Join(classes, ","))
	}
	return classes, o.files.SetClasses(classes)
}

// checkClasses refuses flags that do not fit the output.
func (o *dataOptions) checkClasses(output string, recorded bool) error {
	switch {
	case output != "softmax" && len(o.classes) > 0:
		return fmt.Errorf("--classes is given, and the output is %s: add --output softmax", output)
	case output == "softmax" && recorded:
		return fmt.Errorf("%s is a recording, whose labels are yes or no: a softmax learns from files, with --label", o.paths[0])
	case output == "softmax" && len(o.files.Positive) > 0:
		return errors.New("--positive says which label means yes, and a softmax learns every class: leave one of them out")
	}
	return nil
}

// givenClasses returns the names of --classes, spelt as labels in files are.
func (o *dataOptions) givenClasses() []string {
	var names []string
	for _, text := range o.classes {
		names = append(names, fit.ClassName(text))
	}
	return names
}

// fitClasses is fit for a softmax.
func (o *fitOptions) fitClasses(ctx context.Context, net *model.Net, classes []string, began time.Time, stdout, stderr io.Writer) error {
	r, err := fit.NewClassRun(o.objective, net, classes)
	if err != nil {
		return err
	}
	stop := fitProgress(r, o, false, stderr)
	result, err := o.learnClasses(ctx, r)
	stop()
	if err != nil {
		return err
	}
	result.Seconds = time.Since(began).Seconds()
	o.warn(net, result.Examples, result.Skipped, nil, stderr)
	return o.finish(stdout, &result, func() { printClasses(stdout, &result) })
}

// learnClasses is learn for a softmax.
func (o *fitOptions) learnClasses(ctx context.Context, r *fit.ClassRun) (result fit.ClassResult, err error) {
	out, err := o.newPredictions(r.Names())
	if err != nil {
		return result, err
	}
	defer func() { err = cmp.Or(err, out.end()) }()
	if out != nil {
		one := fit.Prediction{Labeled: true}
		r.Observe(func(at fit.Place, p []float64, class float64) error {
			one.Place, one.P, one.Y = at, p, class
			return out.write(&one)
		})
	}
	result, skipped, tests, err := learn(ctx, o, r, r.Names(), func() (int64, error) { return r.Learn(ctx, &o.files, o.paths, o.delay) })
	result.Skipped, result.Test = skipped, tests
	return result, err
}

// Limits of what is printed for a person. JSON has all.
const (
	shownClasses   = 32 // in the table of classes
	shownConfusion = 12 // classes whose confusion matrix fits a screen
)

// printClasses prints the result of a softmax: its metrics, those of the holdout, and those of each
// file of --test.
func printClasses(w io.Writer, r *fit.ClassResult) {
	fmt.Fprintf(w, "%s: %d examples of %d classes in %.2f s, %.0f examples/s\n", r.Model, r.Examples, len(r.Classes), r.Seconds, r.ExamplesPerSecond)
	printSkipped(w, r.Skipped)
	printClassMetrics(w, &r.ClassMetrics)
	if r.Holdout != nil {
		fmt.Fprintf(w, "holdout: %d examples\n", r.Holdout.Examples)
		printClassMetrics(w, &r.Holdout.ClassMetrics)
	}
	fmt.Fprintf(w, "  %-22s %s\n", "weights", r.Weights)
	for i := range r.Test {
		printClassTest(w, &r.Test[i])
	}
}

// printClassTest prints the evaluation of one file.
func printClassTest(w io.Writer, t *fit.ClassTest) {
	fmt.Fprintf(w, "%s: %d examples\n", t.File, t.Examples)
	printSkipped(w, t.Skipped)
	printClassMetrics(w, &t.ClassMetrics)
}

// printClassMetrics prints the overall figures, a row for each class, and the confusion matrix if
// it fits a screen.
func printClassMetrics(w io.Writer, m *fit.ClassMetrics) {
	printFigures(w, []figure{
		{name: "log loss", value: m.LogLoss}, {name: "normalized entropy", value: m.NormalizedEntropy}, {name: "accuracy", value: m.Accuracy},
		{name: "macro precision", value: m.Macro.Precision}, {name: "macro recall", value: m.Macro.Recall}, {name: "macro F1", value: m.Macro.F1},
	})
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(table, "  "+strings.Join(cells, "\t")+"\t") }
	row("class", "precision", "recall", "F1", "support")
	for _, c := range m.Classes[:min(len(m.Classes), shownClasses)] {
		row(short(c.Class), score(c.Precision), score(c.Recall), score(c.F1), count(c.Support))
	}
	if more := len(m.Classes) - shownClasses; more > 0 {
		row(fmt.Sprintf("and %d more: --json has all", more))
	}
	table.Flush()
	if len(m.Confusion) == 0 || len(m.Confusion) > shownConfusion {
		return
	}
	head := []string{"actual \\ predicted"}
	for _, c := range m.Classes {
		head = append(head, short(c.Class))
	}
	row(head...)
	for i, counts := range m.Confusion {
		cells := []string{short(m.Classes[i].Class)}
		for _, n := range counts {
			cells = append(cells, count(n))
		}
		row(cells...)
	}
	table.Flush()
}

// short returns a class's name for a table.
func short(name string) string {
	if r := []rune(name); len(r) > 24 {
		return string(r[:23]) + "…"
	}
	return name
}

// score returns a score as text, or - for an undefined one.
func score(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 5, 64)
}

// count returns a sum of weights as text.
func count(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
