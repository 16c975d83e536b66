package metrics

import (
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mathext"
)

// Interval is a lower and an upper end with a confidence of 95%. Both are NaN where none can be
// told.
type Interval [2]float64

var undefined = Interval{math.NaN(), math.NaN()}

const (
	tail = 0.025             // of each side of an interval
	z    = 1.959963984540054 // which a normal variable exceeds with the probability tail
)

// Intervals are those of Result's metrics.
type Intervals struct{ LogLoss, NormalizedEntropy, AUC, PredictedOverActual Interval }

// minClass is how many positives and negatives there must be for intervals of losses and AUC. With
// fewer the intervals would be too short.
const minClass = 20

// Intervals computes the intervals of a Result of the same examples.
func (a *Accumulator) Intervals(r *Result) Intervals {
	v := Intervals{undefined, undefined, undefined, a.ratioInterval()}
	if a.unranked || min(a.positives, a.examples-a.positives) < minClass {
		return v
	}
	v.LogLoss, v.NormalizedEntropy = bootstrap(a.groups)
	v.AUC = aucInterval(r.AUC, r.variance)
	return v
}

// groupSums are the sums by weight of the examples of a group.
type groupSums struct{ weight, loss, positive float64 }

// replicates is how many replicates the bootstrap has.
const replicates = 400

// counts has for each replicate and each group how often the group's examples count in it: a
// Poisson variable of mean 1.
var counts = sync.OnceValue(func() *[replicates][256]float64 {
	var t [replicates][256]float64
	for b := range t {
		for g := range t[b] {
			u := float64(mix(uint64(b)<<8|uint64(g))>>11) / (1 << 53)
			k, p := 0.0, math.Exp(-1)
			for ; u >= p && k < 20; k++ {
				u -= p
				p /= k + 1
			}
			t[b][g] = k
		}
	}
	return &t
})

// bootstrap returns intervals of log loss and normalized entropy: the quantiles of replicates in
// which each example counts as often as a Poisson variable of mean 1 says (Hanley and MacGibbon
// 2006; Oza and Russell 2001). The hash of its identity seeds an example's variables, so they are
// the same on every process and each time (Chamandy et al. 2012). Examples whose hashes agree in
// their last bits, a group, share them: then the sums of groups are enough, and an example costs
// one addition whatever the replicates.
func bootstrap(groups []groupSums) (logLoss, normalizedEntropy Interval) {
	var losses, entropies [replicates]float64
	wider := 1 + 1.7/float64(len(groups)) // that of Student's quantile, times that of sqrt(n/(n-1))
	for b := range losses {
		var s groupSums
		for g, k := range counts()[b][:len(groups)] {
			s.weight += k * groups[g].weight
			s.loss += k * groups[g].loss
			s.positive += k * groups[g].positive
		}
		losses[b] = s.loss / s.weight
		entropies[b] = losses[b] / entropy(s.positive/s.weight)
	}
	return quantiles(losses[:], wider), quantiles(entropies[:], wider)
}

// quantiles returns the interval that leaves out the tails of some values, made wider around the
// median: few groups spread less than their examples do.
func quantiles(values []float64, wider float64) Interval {
	slices.Sort(values)
	if math.IsNaN(values[0]) { // Sort puts NaN first
		return undefined
	}
	at := func(q float64) float64 {
		x := q*float64(len(values)+1) - 1 // Davison and Hinkley 1997
		i := int(x)
		return values[i] + (x-float64(i))*(values[i+1]-values[i])
	}
	median := at(0.5)
	return Interval{median - wider*(median-at(tail)), median + wider*(at(1-tail)-median)}
}

// aucInterval is symmetric in the logit of the AUC, and so stays between 0 and 1.
func aucInterval(auc, variance float64) Interval {
	if !(auc > 0 && auc < 1 && variance > 0) {
		return undefined
	}
	logit, half := math.Log(auc/(1-auc)), z*math.Sqrt(variance)/(auc*(1-auc))
	return Interval{sigmoid(logit - half), sigmoid(logit + half)}
}

// ratioInterval is that of predicted over actual, where the number of positives is a Poisson
// variable: the exact interval of its mean (Garwood 1936), or with weights the one of Fay and Feuer
// (1997).
func (a *Accumulator) ratioInterval() Interval {
	if a.unranked || a.positive <= 0 {
		return undefined // without positives the upper end is infinite
	}
	// A sum of weights has the mean and variance of v/n times a Poisson variable of mean n*n/v.
	n, v, most := a.positive, a.squares[1], a.heaviest
	low := v / n * gamma(n*n/v, tail)
	n, v = n+most, v+most*most
	high := v / n * gamma(n*n/v, 1-tail)
	return Interval{a.predicted / high, a.predicted / low}
}

// gamma is the quantile q of a gamma variable of this shape and scale 1.
func gamma(shape, q float64) float64 {
	if shape > 1e5 { // Wilson and Hilferty (1931), here exact to 1e-9
		d := 1 / (9 * shape)
		x := 1 - d + math.Copysign(z, q-0.5)*math.Sqrt(d)
		return shape * x * x * x
	}
	return mathext.GammaIncRegInv(shape, q)
}
