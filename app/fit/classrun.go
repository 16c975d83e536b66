package fit

import (
	"context"
	"errors"
	"slices"

	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// ClassRun learns labels that name one of several classes, by a softmax.
type ClassRun struct {
	pass[[]float64, classMeasure]
	names []string
	p     []float64 // the last prediction
}

// classMeasure is metrics.Classes for labels that are numbers of classes.
type classMeasure struct{ *metrics.Classes }

// Add adds a prediction of the class with number y.
func (m classMeasure) Add(p []float64, y, w float64) { m.Classes.Add(p, int(y), w) }

// NewClassRun returns a ClassRun that learns net, whose classes are names.
func NewClassRun(objective string, net *model.Net, names []string) (*ClassRun, error) {
	if c := net.Config(); c.Output != "softmax" || c.Classes != len(names) {
		return nil, errors.New("BUG: a network of other classes")
	}
	newMeasure := func() classMeasure { return classMeasure{metrics.NewClasses(len(names))} }
	r := &ClassRun{pass: newPass[[]float64](objective, net, newMeasure), names: names}
	r.predict = func(x []model.Feature) []float64 {
		r.p = net.PredictClasses(r.p[:0], x, r.scratch)
		return r.p
	}
	r.step = func(e *example) error { return net.LearnClass(e.x, int(e.y), e.w, r.scratch) }
	r.keep = slices.Clone[[]float64]
	return r, nil
}

// Names returns the classes.
func (r *ClassRun) Names() []string { return r.names }

// Test predicts a file without learning from it.
func (r *ClassRun) Test(ctx context.Context, f *Files, path string) (ClassTest, error) {
	m, skipped, err := r.test(ctx, f, path)
	return ClassTest{path, skipped, classMetrics(m.Classes, r.names)}, err
}

// ClassResult is what fit prints as JSON for a softmax.
type ClassResult struct {
	Objective string `json:"objective"`
	Model     string `json:"model"`
	Weights   string `json:"weights"`
	ClassMetrics
	Skipped           int64   `json:"skipped,omitempty"`
	Seconds           float64 `json:"seconds"`
	ExamplesPerSecond float64 `json:"examples_per_second"`
	// examples that were predicted and not learned
	Holdout *ClassTest  `json:"holdout,omitempty"`
	Test    []ClassTest `json:"test,omitempty"`
}

// ClassMetrics measures predictions of classes. A metric that is undefined is null.
type ClassMetrics struct {
	Examples          int64        `json:"examples"`
	LogLoss           *float64     `json:"log_loss"`
	NormalizedEntropy *float64     `json:"normalized_entropy"`
	Accuracy          *float64     `json:"accuracy"`
	Macro             ClassAverage `json:"macro"`
	Classes           []ClassScore `json:"classes"`
	// one row for each actual class, one column for each predicted class; only for few classes
	Confusion [][]float64 `json:"confusion,omitempty"`
}

// ClassAverage is the mean over the classes that occur. A score that is undefined for one of them
// counts as 0.
type ClassAverage struct {
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
}

// ClassScore measures one class. Its support is the weight of its examples.
type ClassScore struct {
	Class     string   `json:"class"`
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
	Support   float64  `json:"support"`
}

// ClassTest measures the predictions of a file from which nothing is learned.
type ClassTest struct {
	File    string `json:"file,omitempty"`
	Skipped int64  `json:"skipped,omitempty"` // malformed lines
	ClassMetrics
}

// Result stops the clock and computes the metrics.
func (r *ClassRun) Result() ClassResult {
	result := ClassResult{Objective: r.Objective}
	result.Seconds, result.ExamplesPerSecond = r.speed()
	result.Model, result.Weights = Version(r.Objective, r.net)
	result.ClassMetrics = classMetrics(r.metrics.Classes, r.names)
	if kept := classMetrics(r.holdout.Classes, r.names); kept.Examples > 0 {
		result.Holdout = &ClassTest{ClassMetrics: kept}
	}
	return result
}

func classMetrics(acc *metrics.Classes, names []string) ClassMetrics {
	m := acc.Result()
	average := ClassAverage{metrics.Defined(m.Macro.Precision), metrics.Defined(m.Macro.Recall), metrics.Defined(m.Macro.F1)}
	c := ClassMetrics{
		Examples: m.Examples, LogLoss: metrics.Defined(m.LogLoss), NormalizedEntropy: metrics.Defined(m.NormalizedEntropy), Accuracy: metrics.Defined(m.Accuracy),
		Macro: average, Confusion: m.Confusion,
	}
	for i, s := range m.Classes {
		c.Classes = append(c.Classes, ClassScore{names[i], metrics.Defined(s.Precision), metrics.Defined(s.Recall), metrics.Defined(s.F1), s.Support})
	}
	return c
}
