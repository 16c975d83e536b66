package scorer

import "math"

// softmax chooses by weights that grow with the scores. The first place goes to a candidate with a
// probability proportional to its weight, each place behind it to one of those left likewise (the
// model of Plackett and Luce). A candidate's weight is exp(-distance/temperature). The distance is
// how far its score lies below the best, as a part of the request's largest score without its sign.
// So the temperature has no unit: at 0.1, a score a tenth below the best makes 1/e of its chance.
//
// The draw gives each candidate an arrival, exponential with its weight as the rate, and takes the
// first ones.
func softmax(temperature float64) *policy {
	return &policy{most: mostDrawn, choose: func(d *decision) {
		if d.takesAll() {
			chooseBest(d)
			return
		}
		d.drawArrivals(temperature)
		d.takeLargest()
		if d.k == 1 {
			sum := 0.0
			for i := range d.drawn {
				sum += math.Exp(d.drawn[i].mean)
			}
			d.ranked[0].Propensity = math.Exp(d.drawn[0].mean) / sum
			return
		}
		d.arrivalPropensities()
	}}
}

// leastWeight is the logarithm of the least weight. A candidate that is hopeless keeps a
// probability above zero, and the integral over arrivals stays short.
const leastWeight = -30

// drawArrivals draws the negative logarithm of each candidate's arrival. The mean is the logarithm
// of its weight.
func (d *decision) drawArrivals(temperature float64) {
	best, largest := d.ranked[0].Score, 0.0
	for i := range d.ranked {
		largest = max(largest, math.Abs(d.ranked[i].Score))
	}
	d.drawn = d.drawn[:0]
	for i := range d.ranked {
		s, weight := &d.ranked[i], 0.0
		if s.Propensity = 0; s.Score < best {
			weight = max((s.Score-best)/(largest*temperature), leastWeight)
		}
		value := weight - math.Log(-math.Log(d.uniform(s.Index)))
		d.drawn = append(d.drawn, drawn{rank: i, value: value, lot: d.lot(s.Index), mean: weight})
	}
}

const (
	arrivalStep = 0.3 // of the logarithm of time
	// no candidate has arrived before, to within 1e-10
	arrivalFrom = -23
	// long after the k-th arrival that is expected last
	arrivalLast = 5
	negligible  = 1e-14 // probability of an arrival
)

// arrivalPropensities gives the chosen ones their propensities:
//
//	P(i) = integral over time t of w exp(-w t) P(at most k-1 others arrived by t)
//
// The others arrive independently, each with probability 1-exp(-w t), so that their number follows
// from one recurrence. The integrand is smooth in log t and vanishes at both ends, where sums over
// equal steps converge faster than any power of the step: the error is below 1e-9. It costs steps
// times (n k + k^3) operations.
func (d *decision) arrivalPropensities() {
	k, n := d.k, len(d.drawn)
	work := d.zeros(2*k + 2*n)
	common, own, weights, arrived := work[:k], work[k:2*k], work[2*k:][:n], work[2*k+n:]
	for i := range d.drawn {
		weights[i] = math.Exp(d.drawn[i].mean)
	}
	until := arrivalLast - d.kthWeight()
	for y := float64(arrivalFrom); y < until; y += arrivalStep {
		t := math.Exp(y)
		clear(common)
		common[0] = 1
		for i, w := range weights {
			if arrived[i] = -math.Expm1(-t * w); i >= k && arrived[i] > negligible {
				beaten(common, arrived[i])
			}
		}
		if sum(common) < 1e-16 {
			break // k others have arrived
		}
		for i := range k {
			copy(own, common)
			for j, p := range arrived[:k] {
				if j != i {
					beaten(own, p)
				}
			}
			rate := t * weights[i]
			d.ranked[i].Propensity += arrivalStep * rate * math.Exp(-rate) * sum(own)
		}
	}
	for i := range k {
		d.ranked[i].Propensity = min(d.ranked[i].Propensity, 1)
	}
}

// kthWeight is the logarithm of the k-th largest weight. Ranks follow weights.
func (d *decision) kthWeight() float64 {
	for i := range d.drawn {
		if d.drawn[i].rank == d.k-1 {
			return d.drawn[i].mean
		}
	}
	panic("BUG: fewer candidates than chosen ones")
}
