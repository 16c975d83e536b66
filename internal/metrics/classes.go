package metrics

import "math"

// MaxConfusion is the most classes for which a confusion matrix is kept: it grows with their
// square.
const MaxConfusion = 32

// Classes measures predictions over several classes. Support and confusion matrix add up weights.
type Classes struct {
	examples              int64
	weight, loss, correct float64
	actual, decided, hit  []float64 // by class: that it was, that it was predicted, both
	confusion             []float64 // row: actual, column: predicted; empty above MaxConfusion
}

// NewClasses returns an empty Classes for k classes.
func NewClasses(k int) *Classes {
	c := &Classes{actual: make([]float64, k), decided: make([]float64, k), hit: make([]float64, k)}
	if k <= MaxConfusion {
		c.confusion = make([]float64, k*k)
	}
	return c
}

// Add counts one example: the probability p of each class, the actual class, and the weight w. The
// most probable class is the predicted one; of equal ones it is the first.
func (c *Classes) Add(p []float64, class int, w float64) {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	c.examples++
	c.weight += w
	c.loss -= w * math.Log(min(max(p[class], clamp), 1))
	c.actual[class] += w
	c.decided[best] += w
	if best == class {
		c.correct += w
		c.hit[class] += w
	}
	if len(c.confusion) > 0 {
		c.confusion[class*len(c.actual)+best] += w
	}
}

// ClassesResult is the metrics of the examples. A metric that is undefined is NaN.
type ClassesResult struct {
	Examples int64
	LogLoss  float64 // nats, mean over weights
	// LogLoss over the entropy of the classes' shares; below 1 it is better than to predict those
	NormalizedEntropy float64
	Accuracy          float64
	// mean over the classes that occur, in labels or predictions; an undefined score counts as 0
	Macro   ClassScore
	Classes []ClassScore // by class
	// weights by actual class, then predicted class; nil above MaxConfusion
	Confusion [][]float64
}

// ClassScore is how good the predictions of one class are.
type ClassScore struct {
	Precision float64 // share of those predicted to be of the class that are
	Recall    float64 // share of those of the class that are predicted to be
	F1        float64 // harmonic mean of both
	Support   float64 // weight of the examples of the class
}

// Result computes the metrics of the examples so far.
func (c *Classes) Result() ClassesResult {
	r := ClassesResult{Examples: c.examples, LogLoss: c.loss / c.weight, Accuracy: c.correct / c.weight}
	entropy, occur := 0.0, 0.0
	for i, actual := range c.actual {
		s := ClassScore{Precision: c.hit[i] / c.decided[i], Recall: c.hit[i] / actual, F1: 2 * c.hit[i] / (actual + c.decided[i]), Support: actual}
		r.Classes = append(r.Classes, s)
		if actual > 0 {
			entropy -= actual / c.weight * math.Log(actual/c.weight)
		}
		if actual == 0 && c.decided[i] == 0 {
			continue
		}
		occur++
		r.Macro.Support += actual
		r.Macro.F1 += s.F1
		if c.decided[i] > 0 {
			r.Macro.Precision += s.Precision
		}
		if actual > 0 {
			r.Macro.Recall += s.Recall
		}
	}
	r.Macro.Precision /= occur
	r.Macro.Recall /= occur
	r.Macro.F1 /= occur
	if r.NormalizedEntropy = r.LogLoss / entropy; entropy == 0 {
		r.NormalizedEntropy = math.NaN()
	}
	for k, i := len(c.actual), 0; i < len(c.confusion); i += k {
		r.Confusion = append(r.Confusion, append([]float64(nil), c.confusion[i:i+k]...))
	}
	return r
}
