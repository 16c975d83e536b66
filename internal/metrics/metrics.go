// Package metrics measures predictions against labels, for fit, feedback and summaries: log loss,
// normalized entropy, Brier score, ranking, calibration, and their intervals. Examples are added
// one by one, and memory is bounded. docs/evaluation.md defines each metric.
//
// The one invariant: a result follows from the examples and their order alone, so processes that
// read the same topic compute the same numbers.
package metrics

import "math"

// Size bounds what an Accumulator keeps.
type Size struct {
	// Scores is how many scores are kept, at 16 bytes each, and half of them once more while a
	// result is computed. With more examples they are counted in bins.
	Scores int
	Bins   int // the most bins, at 43 to 85 bytes each
	Groups int // groups of the bootstrap, a power of 2 up to 256, at 24 bytes each
	// Users is how many examples are kept to compute AUC within users, at about 60 bytes each; 0:
	// that is not measured
	Users int
	// Edges are rising probabilities; Histogram counts examples up to each and above the last.
	Edges []float64
}

// Sizes of an Accumulator: at most 2.5 MiB without users, and at most 40 KiB for the many that
// measure parts.
var (
	Whole = Size{Scores: 1 << 17, Bins: 1 << 13, Groups: 256}
	Small = Size{Scores: 512, Bins: 512, Groups: 64}
)

// Accumulator adds up examples whose predictions are probabilities.
type Accumulator struct {
	size                                Size
	examples, positives                 int64
	weight, positive                    float64    // sums of weights, and of labels by weight
	loss, predicted, brier              float64    // nats, probabilities and squared errors, by weight
	correct, foundPositive, allPositive float64    // weights, when decided at 0.5
	squares                             [2]float64 // squared weights of negatives and positives
	heaviest                            float64    // the largest weight of a positive
	unranked                            bool       // a weight was below 0, or a probability no number

	scores    scores
	sketch    *sketch // nil while scores are kept
	groups    []groupSums
	users     *users
	histogram *histogram
}

// New returns an empty Accumulator of the size Whole.
func New() *Accumulator { return NewSized(Whole) }

// NewSized returns an empty Accumulator.
func NewSized(s Size) *Accumulator {
	a := &Accumulator{size: s, groups: make([]groupSums, s.Groups)}
	if s.Users > 0 {
		a.users = newUsers(s.Users)
	}
	if len(s.Edges) > 0 {
		a.histogram = newHistogram(s.Edges)
	}
	return a
}

// Add counts one example: the predicted probability p, the label y from 0 to 1, and the weight w.
// Its place in the order of examples is its identity.
func (a *Accumulator) Add(p, y, w float64) {
	x := NewPoint(p, y, w, uint64(a.examples), 0)
	a.AddPoint(&x)
}

// AddPoint counts one example.
func (a *Accumulator) AddPoint(x *Point) {
	p, w := x.p, x.w
	a.examples++
	a.histogram.add(p)
	if w == 0 {
		if x.y >= 0.5 {
			a.positives++
		}
		return
	}
	positive := w * x.y
	a.weight += w
	a.positive += positive
	a.predicted += w * p
	a.loss += w * x.loss
	a.brier += w * (p - x.y) * (p - x.y)
	if x.y >= 0.5 {
		a.positives++
		a.allPositive += w
		a.heaviest = max(a.heaviest, w)
		a.squares[1] += w * w
		if p >= 0.5 {
			a.correct += w
			a.foundPositive += w
		}
	} else {
		a.squares[0] += w * w
		if p < 0.5 {
			a.correct += w
		}
	}
	g := &a.groups[int(x.group)&(len(a.groups)-1)]
	g.weight += w
	g.positive += positive
	g.loss += w * x.loss
	if !(w > 0) || math.IsNaN(p) {
		a.unranked = true
		return
	}
	if a.sketch == nil && !a.keep(p, positive, w-positive) {
		a.intoBins()
	}
	if a.sketch != nil {
		a.sketch.add(x.key, p, positive, w-positive)
	}
	if a.users != nil {
		a.users.add(x.user, p, positive, w-positive)
	}
}

// Result is the metrics of the examples. A metric that is undefined is NaN, as all are without
// examples and some with one class only.
type Result struct {
	Examples  int64
	Positives int64
	LogLoss   float64 // nats, mean over weights
	// LogLoss over the entropy of the mean label; below 1 it is better than to predict the mean (He
	// et al. 2014)
	NormalizedEntropy   float64
	Brier               float64 // mean squared error of probabilities (Brier 1950)
	PredictedOverActual float64 // sum of predictions over sum of labels: 1 is calibrated
	Accuracy            float64 // share of weight that is decided right at 0.5
	Recall              float64 // share of the positives that is found at 0.5
	Ranks
	GAUC  float64 // mean of the AUC within users, by weight
	Users int     // users that GAUC is made of
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

// Result computes the metrics of the examples so far. It takes time in proportion to the scores
// that are kept, or to the bins.
func (a *Accumulator) Result() Result {
	r := Result{Examples: a.examples, Positives: a.positives}
	r.LogLoss = a.loss / a.weight
	r.NormalizedEntropy = r.LogLoss / entropy(a.positive/a.weight)
	r.Brier = a.brier / a.weight
	r.PredictedOverActual = a.predicted / a.positive
	if a.positive == 0 {
		r.PredictedOverActual = math.NaN()
	}
	r.Accuracy = a.correct / a.weight
	r.Recall = a.foundPositive / a.allPositive
	r.Ranks = a.ranks()
	r.GAUC, r.Users = a.users.gauc()
	return r
}

// entropy is that of a label of this mean, in nats; NaN when all labels are equal.
func entropy(mean float64) float64 {
	if !(mean > 0 && mean < 1) {
		return math.NaN()
	}
	return -(mean*math.Log(mean) + (1-mean)*math.Log1p(-mean))
}

// Histogram returns how many examples have a probability up to each of Size.Edges, and above the
// last. It is nil without edges.
func (a *Accumulator) Histogram() []int64 {
	if a.histogram == nil {
		return nil
	}
	return append([]int64(nil), a.histogram.counts...)
}

// Defined is f for a message that can hold no NaN: nil when the metric is undefined.
func Defined(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}
