// Package fit learns one pass over files or a recording, in memory: predict, then learn, with
// honest progressive metrics.
package fit

import (
	"encoding/hex"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// Run is one pass: a network and what is measured on the way.
type Run struct {
	pass
	leaks   leaks // of a recording
	metrics *metrics.Accumulator
	holdout *metrics.Accumulator               // of examples that were kept from learning
	observe func(at Place, p, y float64) error // each prediction as it is judged, nil for none
}

// pass is what every kind of pass has.
type pass struct {
	Objective string

	net      *model.Net
	scratch  *model.Scratch
	began    time.Time
	learned  int64
	progress *progress
}

// progress may be read while a pass works.
type progress struct{ rows atomic.Int64 }

func newPass(objective string, net *model.Net) pass {
	return pass{Objective: objective, net: net, scratch: net.NewScratch(), began: time.Now(), progress: &progress{}}
}

// NewRun returns a Run over net.
func NewRun(objective string, net *model.Net) *Run {
	return &Run{pass: newPass(objective, net), metrics: metrics.New(), holdout: metrics.New()}
}

// Rows is how many rows were predicted so far.
func (p *pass) Rows() int64 { return p.progress.rows.Load() }

// Net is the network.
func (p *pass) Net() *model.Net { return p.net }

// learn judges the prediction p of x, and learns.
func (r *Run) learn(at Place, x []model.Feature, y, w, p float64) error {
	if _, err := r.net.Learn(x, y, w, r.scratch); err != nil {
		return err
	}
	return r.judge(at, p, y, w)
}

func (r *Run) judge(at Place, p, y, w float64) error {
	r.metrics.Add(p, y, w)
	r.learned++
	return r.seen(at, p, y)
}

func (r *Run) seen(at Place, p, y float64) error {
	if r.observe == nil {
		return nil
	}
	return r.observe(at, p, y)
}

// Result is what a pass prints as JSON.
type Result struct {
	Objective           string   `json:"objective"`
	Model               string   `json:"model"`
	Weights             string   `json:"weights"`
	Examples            int64    `json:"examples"`
	Positives           int64    `json:"positives"`
	LogLoss             *float64 `json:"log_loss"`
	NormalizedEntropy   *float64 `json:"normalized_entropy"`
	AUC                 *float64 `json:"auc"`
	PredictedOverActual *float64 `json:"predicted_over_actual"`
	ECE                 *float64 `json:"ece"`
	// of the labels' logistic regression on the predictions' logits: 0 is calibrated
	Intercept *float64 `json:"calibration_intercept"`
	// 1 is calibrated, below 1 too extreme
	Slope             *float64 `json:"calibration_slope"`
	Accuracy          *float64 `json:"accuracy"`
	Recall            *float64 `json:"recall"`
	Skipped           int64    `json:"skipped,omitempty"`
	Seconds           float64  `json:"seconds"`
	ExamplesPerSecond float64  `json:"examples_per_second"`
	// examples that were predicted and kept from learning
	Holdout *TestResult  `json:"holdout,omitempty"`
	Test    []TestResult `json:"test,omitempty"`
}

// TestResult is what the network, learning no more, says of a file.
type TestResult struct {
	File                string   `json:"file,omitempty"`
	Examples            int64    `json:"examples"`
	Skipped             int64    `json:"skipped,omitempty"` // malformed lines
	LogLoss             *float64 `json:"log_loss"`
	AUC                 *float64 `json:"auc"`
	Accuracy            *float64 `json:"accuracy"`
	Recall              *float64 `json:"recall"`
	PredictedOverActual *float64 `json:"predicted_over_actual"`
}

// Result ends the pass's clock and computes its metrics.
func (r *Run) Result() Result {
	seconds := time.Since(r.began).Seconds()
	m := r.metrics.Result()
	h := r.net.Hash()
	intercept, slope := r.metrics.Calibration()
	var holdout *TestResult
	if kept := testResult("", r.holdout); kept.Examples > 0 {
		holdout = &kept
	}
	return Result{
		Holdout: holdout, Objective: r.Objective, Model: event.ModelVersion(r.Objective, r.net.Examples()), Weights: "sha256:" + hex.EncodeToString(h[:]),
		Examples: m.Examples, Positives: m.Positives, LogLoss: metrics.Defined(m.LogLoss), NormalizedEntropy: metrics.Defined(m.NormalizedEntropy), AUC: metrics.Defined(m.AUC),
		PredictedOverActual: metrics.Defined(m.PredictedOverActual), ECE: metrics.Defined(m.ECE),
		Intercept: metrics.Defined(intercept), Slope: metrics.Defined(slope), Accuracy: metrics.Defined(m.Accuracy), Recall: metrics.Defined(m.Recall),
		Seconds: seconds, ExamplesPerSecond: float64(r.learned) / seconds,
	}
}

func testResult(file string, a *metrics.Accumulator) TestResult {
	m := a.Result()
	return TestResult{
		File: file, Examples: m.Examples, LogLoss: metrics.Defined(m.LogLoss), AUC: metrics.Defined(m.AUC), Accuracy: metrics.Defined(m.Accuracy), Recall: metrics.Defined(m.Recall),
		PredictedOverActual: metrics.Defined(m.PredictedOverActual),
	}
}

// Observe makes fn see each prediction with its label, in the order of the examples, of tests too.
func (r *Run) Observe(fn func(at Place, p, y float64) error) { r.observe = fn }

// Again begins another pass: the network goes on, the metrics start anew.
func (r *Run) Again() { r.metrics, r.holdout = metrics.New(), metrics.New() }
