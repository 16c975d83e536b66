// Package metrics measures predictions against labels: log loss, normalized entropy, AUC and
// calibration, for fit, feedback and summaries. Examples are added one by one and not kept, so
// memory is bounded.
package metrics

import "math"

// clamp keeps logarithms finite: a prediction of exactly 0 or 1 that is wrong costs 34.5 nats.
const clamp = 1e-15

// Accumulator adds up examples whose predictions are probabilities. Memory grows with the bins of
// the predictions, at most 35,370.
type Accumulator struct {
	examples, positives                 int64
	weight, positive                    float64 // sums of weights, and of labels by weight
	loss, predicted                     float64 // nats and probabilities, by weight
	correct, foundPositive, allPositive float64 // weights, when decided at 0.5
	bins                                bins
}

// New returns an empty Accumulator.
func New() *Accumulator { return &Accumulator{} }

// Add counts one example: the predicted probability p, the label y from 0 to 1, and the weight w.
func (a *Accumulator) Add(p, y, w float64) {
	q := p
	if q < clamp {
		q = clamp
	} else if q > 1-clamp {
		q = 1 - clamp
	}
	switch y {
	case 0:
		a.loss -= w * math.Log1p(-q)
	case 1:
		a.loss -= w * math.Log(q)
	default:
		a.loss -= w * y * math.Log(q)
		a.loss -= w * (1 - y) * math.Log1p(-q)
	}
	a.examples++
	a.weight += w
	a.positive += w * y
	a.predicted += w * p
	if y >= 0.5 {
		a.positives++
		a.allPositive += w
		if p >= 0.5 {
			a.correct += w
			a.foundPositive += w
		}
	} else if p < 0.5 {
		a.correct += w
	}
	b := a.bins.of(binOf(q))
	b.positive += w * y
	b.negative += w * (1 - y)
	b.predicted += w * p
}

// Result is the metrics of the examples. A metric that is undefined is NaN, as all are without
// examples and some with one class only.
type Result struct {
	Examples  int64
	Positives int64
	LogLoss   float64 // nats, mean over weights
	// LogLoss over the entropy of the mean label; below 1 it is better than to predict the mean (He
	// et al. 2014)
	NormalizedEntropy float64
	// probability that a positive is scored above a negative; ties count half
	AUC                 float64
	PredictedOverActual float64 // sum of predictions over sum of labels: 1 is calibrated
	ECE                 float64 // expected calibration error over bins of equal mass
	Accuracy            float64 // share of weight that is decided right at 0.5
	Recall              float64 // share of the positives that is found at 0.5
}

// Sums are the totals behind Result's ratios: those of two Accumulators add up to those of all
// their examples. They are always defined.
type Sums struct {
	Weight    float64
	Predicted float64 // probabilities, by weight
	Actual    float64 // labels, by weight
	Loss      float64 // nats, by weight
}

// Sums returns the sums so far.
func (a *Accumulator) Sums() Sums { return Sums{a.weight, a.predicted, a.positive, a.loss} }

// Result computes the metrics of the examples so far.
func (a *Accumulator) Result() Result {
	r := Result{Examples: a.examples, Positives: a.positives}
	r.LogLoss = a.loss / a.weight
	mean := a.positive / a.weight
	r.NormalizedEntropy = r.LogLoss / -(mean*math.Log(mean) + (1-mean)*math.Log1p(-mean))
	if mean <= 0 || mean >= 1 {
		r.NormalizedEntropy = math.NaN()
	}
	r.PredictedOverActual = a.predicted / a.positive
	if a.positive == 0 {
		r.PredictedOverActual = math.NaN()
	}
	r.Accuracy = a.correct / a.weight
	r.Recall = a.foundPositive / a.allPositive
	sorted := a.bins.sorted()
	r.AUC = auc(sorted)
	r.ECE = a.ece(sorted)
	return r
}

func auc(sorted []bin) float64 {
	below, pairs, positives := 0.0, 0.0, 0.0
	for _, b := range sorted {
		pairs += b.positive * (below + b.negative/2)
		below += b.negative
		positives += b.positive
	}
	return pairs / (positives * below)
}

// calibrationBins is the number of bins of equal mass of the calibration error.
const calibrationBins = 15

func (a *Accumulator) ece(sorted []bin) float64 {
	var mass, predicted, positive, sum float64
	flush := func() {
		sum += math.Abs(predicted - positive)
		mass, predicted, positive = 0, 0, 0
	}
	for _, b := range sorted {
		mass += b.positive + b.negative
		predicted += b.predicted
		positive += b.positive
		if mass >= a.weight/calibrationBins {
			flush()
		}
	}
	flush()
	return sum / a.weight
}

// Defined is f for a message that can hold no NaN: nil when the metric is undefined.
func Defined(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}
