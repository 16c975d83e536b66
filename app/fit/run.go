package fit

import (
	"context"
	"errors"

	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// Run learns labels that mean yes or no.
type Run struct {
	pass[float64, *metrics.Accumulator]
	leaks leaks // of a recording's columns; those of files are in Files
}

// NewRun returns a Run that learns net.
func NewRun(objective string, net *model.Net) *Run {
	r := &Run{pass: newPass[float64](objective, net, metrics.New)}
	r.predict = func(x []model.Feature) float64 { return net.Predict(x, r.scratch) }
	r.step = func(e *example) error {
		_, err := net.Learn(e.x, e.y, e.w, r.scratch)
		return err
	}
	r.keep = func(p float64) float64 { return p }
	return r
}

// Learn is the pass's Learn. Without a delay it learns whole blocks, and measures them in another
// goroutine.
func (r *Run) Learn(ctx context.Context, f *Files, paths []string, delay int) (skipped int64, err error) {
	if len(r.net.Config().Network) == 0 {
		f.rows = manyRows
	}
	if delay == 0 && f.Holdout == 0 {
		return f.pipeline(ctx, paths, r.learnBlock, r.judgeBlock)
	}
	return r.pass.Learn(ctx, f, paths, delay)
}

// learnBlock learns a block at once.
func (r *Run) learnBlock(b *block) error {
	r.rows.Add(int64(len(b.x)))
	err := r.net.LearnBatch(b.x, b.y, b.w, b.p)
	b.learned = len(b.x)
	if failed, ok := errors.AsType[*model.BatchError](err); ok {
		b.learned = failed.At
		return b.places[failed.At].wrap(failed.Err)
	}
	return err
}

// judgeBlock measures the predictions of the examples that learnBlock learned.
func (r *Run) judgeBlock(b *block) error {
	for i := range b.learned {
		r.learned++
		if err := r.add(r.metrics, b.places[i], b.p[i], b.y[i], b.w[i]); err != nil {
			return err
		}
	}
	return nil
}

// Test predicts a file without learning from it.
func (r *Run) Test(ctx context.Context, f *Files, path string) (TestResult, error) {
	m, skipped, err := r.test(ctx, f, path)
	return testResult(path, skipped, m), err
}

// Result is what fit prints as JSON.
type Result struct {
	Objective string `json:"objective"`
	Model     string `json:"model"`
	Weights   string `json:"weights"`
	Metrics
	Skipped           int64   `json:"skipped,omitempty"`
	Seconds           float64 `json:"seconds"`
	ExamplesPerSecond float64 `json:"examples_per_second"`
	// examples that were predicted and not learned
	Holdout *TestResult  `json:"holdout,omitempty"`
	Test    []TestResult `json:"test,omitempty"`
}

// Metrics measures predictions of yes or no. A metric that is undefined is null.
type Metrics struct {
	Examples            int64    `json:"examples"`
	Positives           int64    `json:"positives"`
	LogLoss             *float64 `json:"log_loss"`
	NormalizedEntropy   *float64 `json:"normalized_entropy"`
	AUC                 *float64 `json:"auc"`
	PredictedOverActual *float64 `json:"predicted_over_actual"`
	ECE                 *float64 `json:"ece"`
	Brier               *float64 `json:"brier"`
	AveragePrecision    *float64 `json:"average_precision"`
	Lift                *float64 `json:"lift"`
	// how far auc, average_precision, ece and a tenth of lift may be off, since scores were counted
	// in bins
	RankError *float64 `json:"rank_error,omitempty"`
	// intervals with a confidence of 95%
	LogLossInterval             *Interval `json:"log_loss_interval"`
	NormalizedEntropyInterval   *Interval `json:"normalized_entropy_interval"`
	AUCInterval                 *Interval `json:"auc_interval"`
	PredictedOverActualInterval *Interval `json:"predicted_over_actual_interval"`
	// The logistic regression of labels on the predictions' logits has this intercept and slope.
	// Calibrated predictions have the intercept 0 and the slope 1; a slope below 1 means that they
	// are too extreme.
	Intercept *float64 `json:"calibration_intercept"`
	Slope     *float64 `json:"calibration_slope"`
	Accuracy  *float64 `json:"accuracy"`
	Recall    *float64 `json:"recall"`
}

// Interval is a lower and an upper end.
type Interval [2]float64

// interval is i for JSON, which has no NaN: nil when it is undefined.
func interval(i metrics.Interval) *Interval {
	if metrics.Defined(i[0]) == nil || metrics.Defined(i[1]) == nil {
		return nil
	}
	return (*Interval)(&i)
}

// TestResult measures the predictions of a file from which nothing is learned.
type TestResult struct {
	File                string   `json:"file,omitempty"`
	Examples            int64    `json:"examples"`
	Skipped             int64    `json:"skipped,omitempty"` // malformed lines
	LogLoss             *float64 `json:"log_loss"`
	AUC                 *float64 `json:"auc"`
	Accuracy            *float64 `json:"accuracy"`
	Recall              *float64 `json:"recall"`
	PredictedOverActual *float64 `json:"predicted_over_actual"`
	Brier               *float64 `json:"brier"`
	AveragePrecision    *float64 `json:"average_precision"`
}

// Result stops the clock and computes the metrics.
func (r *Run) Result() Result {
	result := Result{Objective: r.Objective}
	result.Seconds, result.ExamplesPerSecond = r.speed()
	result.Model, result.Weights = Version(r.Objective, r.net)
	result.Metrics = probabilityMetrics(r.metrics)
	if kept := testResult("", 0, r.holdout); kept.Examples > 0 {
		result.Holdout = &kept
	}
	return result
}

func probabilityMetrics(a *metrics.Accumulator) Metrics {
	m := a.Result()
	intercept, slope := a.Calibration()
	i := a.Intervals(&m)
	r := Metrics{
		Examples: m.Examples, Positives: m.Positives,
		LogLoss: metrics.Defined(m.LogLoss), NormalizedEntropy: metrics.Defined(m.NormalizedEntropy), AUC: metrics.Defined(m.AUC),
		PredictedOverActual: metrics.Defined(m.PredictedOverActual), ECE: metrics.Defined(m.ECE),
		Brier: metrics.Defined(m.Brier), AveragePrecision: metrics.Defined(m.AveragePrecision), Lift: metrics.Defined(m.Lift),
		LogLossInterval: interval(i.LogLoss), NormalizedEntropyInterval: interval(i.NormalizedEntropy),
		AUCInterval: interval(i.AUC), PredictedOverActualInterval: interval(i.PredictedOverActual),
		Intercept: metrics.Defined(intercept), Slope: metrics.Defined(slope), Accuracy: metrics.Defined(m.Accuracy), Recall: metrics.Defined(m.Recall),
	}
	if !m.Exact {
		r.RankError = metrics.Defined(m.RankError())
	}
	return r
}

func testResult(file string, skipped int64, a *metrics.Accumulator) TestResult {
	m := a.Result()
	return TestResult{
		File: file, Examples: m.Examples, Skipped: skipped,
		LogLoss: metrics.Defined(m.LogLoss), AUC: metrics.Defined(m.AUC), Accuracy: metrics.Defined(m.Accuracy),
		Recall: metrics.Defined(m.Recall), PredictedOverActual: metrics.Defined(m.PredictedOverActual),
		Brier: metrics.Defined(m.Brier), AveragePrecision: metrics.Defined(m.AveragePrecision),
	}
}
