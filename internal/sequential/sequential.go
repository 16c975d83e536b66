// Package sequential compares the losses of two networks over the same examples while they come in.
// Its interval holds at all times at once, so one may look as often as one likes and stop whenever
// one likes.
//
// # What is observed
//
// A Block is a stretch of the stream with the sum of the differences of losses. Blocks are joined
// to units of at least ten positives and ten negatives, since the sum over fewer is far from
// normal. A unit ends where labels say so, never where differences do.
//
// # The interval
//
// Let the units have differences D_i and weights W_i, and let R_i = D_i - m W_i be the residuals of
// a hypothesis m for the mean difference. Of t units, with nu = t-1,
//
//	T^2 = (sum R)^2 / t / s^2,   s^2 = (sum R^2 - (sum R)^2/t) / nu
//
// is the squared t statistic. Its Bayes factor, with a normal prior of variance g for the mean in
// standard deviations, is a nonnegative martingale when the residuals are normal, whatever their
// variance is:
//
//	E = (1+gt)^(-1/2) ((1 + T^2/nu) / (1 + T^2/(nu(1+gt))))^(t/2)
//
// By Ville's inequality it ever exceeds 1/alpha with probability alpha at most. E <= 1/alpha is
// T^2 <= q with
//
//	K = ((1+gt)/alpha^2)^(1/t),   q = nu (K-1) / (1 - K/(1+gt)),   infinite where K >= 1+gt
//
// and the interval is all m for which that holds: a quadratic inequality. Early, when a variance
// cannot be known, the interval is the whole line. The martingale and its use are from H. Wang and
// A. Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown
// variance" (2024), and M. Lindon, D. Ham, M. Tingley and I. Bojinov, "Anytime-Valid Inference in
// Linear Models and Regression-Adjusted Causal Inference" (2022). It comes close to the normal
// mixture of S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform, nonparametric,
// nonasymptotic confidence sequences" (2021), as t grows.
//
// # Neighbours that are alike
//
// When neighbouring units are alike with a correlation r > 0, s^2 is taken (1+r)/(1-r) times, as
// for an autoregressive series.
package sequential

import "math"

// Block is a stretch of the stream that both networks have predicted.
type Block struct {
	Examples, Positives int64
	Weight              float64 // sum of the examples' weights
	Difference          float64 // sum of the differences of losses, by weight
}

// Least of each class in a unit.
const leastOfClass = 10

// g is the prior's variance: a difference whose mean is 1/sqrt(20) standard deviations of a unit is
// found soonest.
const g = 1. / 20

// LeastBetter is the part of the log loss by which a network must be better to be called so.
// Networks of one configuration that started from two seeds differ by a thousandth for ever, and a
// test without a margin ends up preferring one of them.
const LeastBetter = 0.002

// maxCorrelation bounds the correction for neighbours, whose correlation is an estimate.
const maxCorrelation = 0.9

// Comparison is the mean difference of losses of all blocks so far. Its zero value has seen none.
// Its size does not grow.
type Comparison struct {
	examples int64
	units    int64
	open     Block // the unit under way
	last     unit

	d, w, dd, dw, ww float64 // sums of differences, weights and their products
	nn, nw, mm       float64 // the same products, of neighbours: dd', dw'+wd', ww'
}

type unit struct{ d, w float64 }

// Add adds the next block of the stream.
func (c *Comparison) Add(b Block) {
	o := &c.open
	o.Examples += b.Examples
	o.Positives += b.Positives
	o.Weight += b.Weight
	o.Difference += b.Difference
	if min(o.Positives, o.Examples-o.Positives) < leastOfClass || !(o.Weight > 0) {
		return
	}
	u := unit{o.Difference, o.Weight}
	c.examples += o.Examples
	*o = Block{}
	c.d += u.d
	c.w += u.w
	c.dd += u.d * u.d
	c.dw += u.d * u.w
	c.ww += u.w * u.w
	if c.units > 0 {
		c.nn += u.d * c.last.d
		c.nw += u.d*c.last.w + u.w*c.last.d
		c.mm += u.w * c.last.w
	}
	c.last = u
	c.units++
}

// Examples is how many examples the units have; those of the unit under way are not among them.
func (c *Comparison) Examples() int64 { return c.examples }

// Mean is the mean difference by weight; NaN before the first unit.
func (c *Comparison) Mean() float64 {
	if c.units == 0 {
		return math.NaN()
	}
	return c.d / c.w
}

// Interval holds the mean difference at all times at once with a probability of 1-alpha. ok is
// false while it is the whole line: before some 13 units, and as long as no two of them differ.
func (c *Comparison) Interval(alpha float64) (low, high float64, ok bool) {
	q := c.largestT2(alpha)
	if math.IsInf(q, 1) {
		return 0, 0, false
	}
	m, ss := c.Mean(), c.squares()
	if !(ss > 0) {
		return 0, 0, false
	}
	r := min(max(c.neighbours()/ss, 0), maxCorrelation)
	q *= (1 + r) / (1 - r)
	// T^2 <= q  <=>  k (sum R)^2 <= sum R^2  <=>  a m^2 - 2 b m + c <= 0
	t := float64(c.units)
	k := (t - 1 + q) / (t * q)
	// around the mean, whose residuals add up to 0, so that no digits cancel: sum R = -w x and
	// sum R^2 = ss - 2 x (dw - m ww) + x^2 ww for m+x
	a := k*c.w*c.w - c.ww
	b := -(c.dw - m*c.ww)
	if !(a > 0) {
		return 0, 0, false // a few units have almost all the weight
	}
	root := math.Sqrt(b*b + a*ss)
	return m + (b-root)/a, m + (b+root)/a, true
}

// largestT2 is q.
func (c *Comparison) largestT2(alpha float64) float64 {
	t := float64(c.units)
	if c.units < 2 {
		return math.Inf(1)
	}
	grown := 1 + g*t
	k := math.Exp((math.Log(grown) - 2*math.Log(alpha)) / t)
	if k >= grown {
		return math.Inf(1)
	}
	return (t - 1) * (k - 1) / (1 - k/grown)
}

// squares is the sum of the squared residuals at the mean.
func (c *Comparison) squares() float64 {
	m := c.Mean()
	return c.dd - 2*m*c.dw + m*m*c.ww
}

// neighbours is the sum of the products of neighbouring residuals at the mean.
func (c *Comparison) neighbours() float64 {
	m := c.Mean()
	return c.nn - m*c.nw + m*m*c.mm
}
