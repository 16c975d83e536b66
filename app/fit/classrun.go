package fit

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// ClassRun is a pass of a softmax: like Run, over several classes.
type ClassRun struct {
	pass
	names   []string
	metrics *metrics.Classes
	holdout *metrics.Classes
	p       []float64
	observe func(at Place, p []float64, class int) error
}

// NewClassRun returns a ClassRun over net, whose classes are names.
func NewClassRun(objective string, net *model.Net, names []string) (*ClassRun, error) {
	if c := net.Config(); c.Output != "softmax" || c.Classes != len(names) {
		return nil, errors.New("BUG: a network of other classes")
	}
	r := &ClassRun{pass: newPass(objective, net), names: names}
	r.Again()
	return r, nil
}

// Names are the classes.
func (r *ClassRun) Names() []string { return r.names }

// Again begins another pass: the network goes on, the metrics start anew.
func (r *ClassRun) Again() {
	r.metrics, r.holdout = metrics.NewClasses(len(r.names)), metrics.NewClasses(len(r.names))
}

// Observe makes fn see each prediction with its class, in the order of the examples, of tests too.
// p is valid until fn returns.
func (r *ClassRun) Observe(fn func(at Place, p []float64, class int) error) { r.observe = fn }

// Learn learns files one after another; a label is learned delay examples after its prediction.
func (r *ClassRun) Learn(ctx context.Context, f *Files, paths []string, delay int) (skipped int64, err error) {
	if delay == 0 && f.Holdout == 0 {
		return f.pipe(ctx, paths, func(b *block) error {
			return b.each(func(e *example) error {
				r.progress.rows.Add(1)
				if err := r.learn(e, r.predict(e)); err != nil {
					return e.at(err)
				}
				return nil
			})
		})
	}
	d := &delayed[[]float64]{
		delay: delay, holdout: f.Holdout, rows: &r.progress.rows,
		predict: func(e *example) []float64 { return slices.Clone(r.predict(e)) },
		learn:   r.learn,
		keep: func(e *example, p []float64) error {
			r.holdout.Add(p, int(e.y), e.w)
			return r.seen(e.place, p, int(e.y))
		},
	}
	return d.files(ctx, f, paths)
}

// predict is valid until the next call.
func (r *ClassRun) predict(e *example) []float64 {
	r.p = r.net.PredictClasses(r.p[:0], e.x, r.scratch)
	return r.p
}

// learn learns an example and judges its prediction.
func (r *ClassRun) learn(e *example, p []float64) error {
	class := int(e.y)
	if err := r.net.LearnClass(e.x, class, e.w, r.scratch); err != nil {
		return err
	}
	r.metrics.Add(p, class, e.w)
	r.learned++
	return r.seen(e.place, p, class)
}

func (r *ClassRun) seen(at Place, p []float64, class int) error {
	if r.observe == nil {
		return nil
	}
	return r.observe(at, p, class)
}

// Test predicts a file without learning from it.
func (r *ClassRun) Test(ctx context.Context, f *Files, path string) (ClassTest, error) {
	acc := metrics.NewClasses(len(r.names))
	skipped, err := f.pipe(ctx, []string{path}, func(b *block) error {
		return b.each(func(e *example) error {
			p := r.predict(e)
			acc.Add(p, int(e.y), e.w)
			return r.seen(e.place, p, int(e.y))
		})
	})
	return ClassTest{path, skipped, r.measured(acc)}, err
}

// ClassResult is what a pass of a softmax prints as JSON.
type ClassResult struct {
	Objective string `json:"objective"`
	Model     string `json:"model"`
	Weights   string `json:"weights"`
	ClassMetrics
	Skipped           int64   `json:"skipped,omitempty"`
	Seconds           float64 `json:"seconds"`
	ExamplesPerSecond float64 `json:"examples_per_second"`
	// examples that were predicted and kept from learning
	Holdout *ClassTest  `json:"holdout,omitempty"`
	Test    []ClassTest `json:"test,omitempty"`
}

// ClassMetrics say how good predictions of classes are; what is undefined is null.
type ClassMetrics struct {
	Examples          int64        `json:"examples"`
	LogLoss           *float64     `json:"log_loss"`
	NormalizedEntropy *float64     `json:"normalized_entropy"`
	Accuracy          *float64     `json:"accuracy"`
	Macro             ClassAverage `json:"macro"`
	Classes           []ClassScore `json:"classes"`
	// rows: actual, columns: predicted, in the order of classes; of few classes only
	Confusion [][]float64 `json:"confusion,omitempty"`
}

// ClassAverage is the mean over the classes that occur; what is undefined of one of them counts as
// 0.
type ClassAverage struct {
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
}

// ClassScore is of one class; its support is the weight of its examples.
type ClassScore struct {
	Class     string   `json:"class"`
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
	Support   float64  `json:"support"`
}

// ClassTest is what the network, learning no more, says of a file.
type ClassTest struct {
	File    string `json:"file,omitempty"`
	Skipped int64  `json:"skipped,omitempty"` // malformed lines
	ClassMetrics
}

// Result ends the pass's clock and computes its metrics.
func (r *ClassRun) Result() ClassResult {
	seconds := time.Since(r.began).Seconds()
	h := r.net.Hash()
	result := ClassResult{
		Objective: r.Objective, Model: event.ModelVersion(r.Objective, r.net.Examples()), Weights: "sha256:" + hex.EncodeToString(h[:]),
		ClassMetrics: r.measured(r.metrics), Seconds: seconds, ExamplesPerSecond: float64(r.learned) / seconds,
	}
	if kept := r.measured(r.holdout); kept.Examples > 0 {
		result.Holdout = &ClassTest{ClassMetrics: kept}
	}
	return result
}

func (r *ClassRun) measured(acc *metrics.Classes) ClassMetrics { return measured(acc, r.names) }

func measured(acc *metrics.Classes, names []string) ClassMetrics {
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
