package report

import (
	"cmp"
	"math"
	"slices"
)

// z95 is the quantile of the normal distribution for an interval of 95%.
const z95 = 1.959963984540054

// normalQuantile is the z that a standard normal variable exceeds with the probability tail.
func normalQuantile(tail float64) float64 { return -math.Sqrt2 * math.Erfinv(2*tail-1) }

// rate is the share k of n with Wilson's interval (1927). n may be a sum of weights.
func rate(k, n float64) figure {
	const z = z95
	if n <= 0 {
		return certain(math.NaN())
	}
	p := k / n
	middle, half := (p+z*z/(2*n))/(1+z*z/n), z/(1+z*z/n)*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	f := figure{p, max(middle-half, 0), min(middle+half, 1)}
	if k == 0 {
		f.low = 0 // not what rounding leaves of it
	}
	return f
}

// poisson is the exact interval of the mean of a Poisson count k (Garwood 1936), z standard errors
// wide. From exactCounts on it is Byar's approximation (Breslow and Day 1987), off by up to 0.1%.
func poisson(k, z float64) (low, high float64) {
	if k < exactCounts {
		return poissonMean(k, z, true), poissonMean(k+1, z, false)
	}
	byar := func(k, z float64) float64 { return k * math.Pow(1-1/(9*k)+z/(3*math.Sqrt(k)), 3) }
	return byar(k, -z), byar(k+1, z)
}

const exactCounts = 30

// shareBounds is an interval of the share k of n for verdicts, z standard errors wide: that of a
// Poisson count, which is wider than the binomial one. Wilson's is too narrow for few events and
// large z.
func shareBounds(k, n, z float64) (low, high float64) {
	if k > n/2 {
		low, high = shareBounds(n-k, n, z)
		return 1 - high, 1 - low
	}
	low, _ = poisson(math.Floor(k), z)
	_, high = poisson(math.Ceil(k), z)
	return low / n, min(high/n, 1)
}

// poissonMean is the mean with which k or more events are as unlikely as z standard errors. Where
// they are to be likely, it is the mean with which all but that is likely.
func poissonMean(k, z float64, unlikely bool) float64 {
	tail := math.Erfc(z/math.Sqrt2) / 2
	if !unlikely {
		tail = 1 - tail
	}
	low, high := 0.0, k+10*max(z, 1)*math.Sqrt(k+1)+10*z*z
	for range 80 {
		if middle := (low + high) / 2; poissonTail(k, middle) < tail {
			low = middle
		} else {
			high = middle
		}
	}
	if k == 0 {
		return 0
	}
	return (low + high) / 2
}

// poissonTail is the probability of k or more events, where mean are expected.
func poissonTail(k, mean float64) float64 {
	term, below := math.Exp(-mean), 0.0
	for i := 0.0; i < k; i++ {
		below += term
		term *= mean / (i + 1)
	}
	return 1 - below
}

// perCount is a sum over a count that is left to chance, such as the cost of a click.
func perCount(sum float64, k int64) figure {
	low, high := poisson(float64(k), z95)
	switch {
	case sum == 0 && k == 0:
		return certain(math.NaN())
	case k == 0:
		return figure{math.NaN(), sum / high, math.Inf(1)}
	}
	return figure{sum / float64(k), sum / high, sum / low}
}

// ratio is predicted over actual positives, with the Poisson interval of the positives. weighted is
// their sum of weights, n their number.
func ratio(predicted, weighted float64, n int64, z float64) figure {
	if weighted <= 0 || n == 0 {
		return certain(math.NaN())
	}
	low, high := poisson(float64(n), z)
	r := predicted / weighted
	return figure{r, r * float64(n) / high, r * float64(n) / low}
}

// difference is b - a with an interval of both intervals, by the method of Zou and Donner (2008):
// it needs no standard errors, and intervals may be lopsided.
func difference(a, b figure) figure {
	d := figure{b.value - a.value, math.NaN(), math.NaN()}
	if a.bounded() && b.bounded() {
		d.low = d.value - math.Hypot(b.value-b.low, a.high-a.value)
		d.high = d.value + math.Hypot(b.high-b.value, a.value-a.low)
	}
	return d
}

// chance is the probability of so large a difference where there is none. It takes the end of the
// interval that faces zero as 1.96 standard errors away. It is 1 where no interval is known.
func (f figure) chance() float64 {
	if !f.bounded() {
		return 1
	}
	facing := f.value - f.low
	if f.value < 0 {
		facing = f.high - f.value
	}
	if facing <= 0 || math.IsInf(facing, 0) {
		return 1
	}
	return math.Erfc(math.Abs(f.value) / facing * z95 / math.Sqrt2)
}

// alpha is how often differences may be called more than chance where there are none.
const alpha = 0.05

// holm tells which of several probabilities are more than chance (Holm 1979): with alpha, at most
// one report in twenty calls any difference so where there is none at all.
func holm(chances []float64) []bool {
	order := make([]int, len(chances))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(chances[a], chances[b]) })
	more := make([]bool, len(chances))
	for rank, i := range order {
		if chances[i] > alpha/float64(len(chances)-rank) {
			break
		}
		more[i] = true
	}
	return more
}

// chiSquared is the value that a chi-squared variable of n degrees of freedom exceeds with the
// probability tail, by the approximation of Wilson and Hilferty (1931).
func chiSquared(n, tail float64) float64 {
	return n * math.Pow(1-2/(9*n)+normalQuantile(tail)*math.Sqrt(2/(9*n)), 3)
}
