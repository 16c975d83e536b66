package metrics

import "math"

// Ranks are the metrics that depend on the order of scores. Each error is how far the metric may be
// off, since the order within bins is unknown: 0 while all scores are kept, and where each bin has
// one score only.
type Ranks struct {
	// probability that a positive is scored above a negative; ties count half
	AUC float64
	// sum over the distinct scores of precision times the recall that is gained, as scikit-learn's
	AveragePrecision float64
	// rate of positives in the tenth with the highest scores, over that of all
	Lift float64
	ECE  float64 // expected calibration error over Parts

	AUCError, AveragePrecisionError, LiftError, ECEError float64

	Exact bool   // all scores were kept
	Parts []Part // of equal weight, in the order of scores

	variance float64 // of AUC
}

// RankError is the largest error of AUC, AveragePrecision, ECE, and a tenth of Lift, which is the
// share of the positives that Lift finds.
func (r *Ranks) RankError() float64 {
	return max(r.AUCError, r.AveragePrecisionError, r.ECEError, r.LiftError*topShare)
}

// Part is a part of the examples, as sums by weight.
type Part struct{ Weight, Predicted, Actual float64 }

// maxParts is the number of parts of equal weight of the calibration error.
const maxParts = 15

// topShare is the part of the examples that Lift looks at.
const topShare = 0.1

// ranks computes the metrics of ranking in one walk over the scores, from the lowest on.
func (a *Accumulator) ranks() Ranks {
	r := Ranks{AUC: math.NaN(), AveragePrecision: math.NaN(), Lift: math.NaN(), ECE: math.NaN(), Exact: a.sketch == nil, variance: math.NaN()}
	if a.unranked || a.weight == 0 {
		return r
	}
	w := walk{}
	for c := range a.cells() {
		w.positives += c.positive
		w.negatives += c.negative
	}
	if w.positives > 0 {
		w.one = a.squares[1] / w.positives
	}
	w.parts = make([]Part, min(maxParts, a.examples))
	w.top = (1 - topShare) * (w.positives + w.negatives)
	for c := range a.cells() {
		w.add(&c)
	}
	pairs := w.positives * w.negatives
	if pairs > 0 {
		r.AUC, r.AUCError = w.pairs/pairs, w.unknownPairs/pairs
		r.variance = w.variance(r.AUC, a.squares)
	}
	if w.positives > 0 {
		r.AveragePrecision = w.precision / w.positives
		r.AveragePrecisionError = max(w.precision-w.leastPrecision, w.mostPrecision-w.precision) / w.positives
	}
	if a.examples >= 1/topShare && w.positives > 0 {
		r.Lift, r.LiftError = w.found/w.positives/topShare, w.unknownFound/w.positives/topShare
	}
	r.Parts = w.parts
	all := w.positives + w.negatives
	r.ECE = 0
	for _, p := range w.parts {
		r.ECE += math.Abs(p.Predicted-p.Actual) / all
	}
	r.ECEError = w.unknownParts / all
	return r
}

// walk is the state of a walk over cells in rising order of scores. Sums are of weights.
type walk struct {
	positives, negatives float64    // of all
	below                [2]float64 // negatives and positives with lower scores
	one                  float64    // weight of a typical positive

	pairs, unknownPairs float64    // pairs of a positive and a lower negative
	squares             [2]float64 // of placements, by class; see variance

	precision, leastPrecision, mostPrecision float64 // sums over the positives

	top                 float64 // weight below the highest tenth
	found, unknownFound float64 // positives in it

	parts        []Part
	part         int
	unknownParts float64
}

func (w *walk) add(c *cell) {
	w.addPairs(c)
	w.addPrecision(c)
	w.addFound(c)
	w.addParts(c)
	w.below[0] += c.negative
	w.below[1] += c.positive
}

// addPairs counts pairs for the AUC. A pair within a cell counts half. In a bin of several scores
// it may count from 0 to 1.
func (w *walk) addPairs(c *cell) {
	lower := w.below[0] + c.negative/2
	higher := w.positives - w.below[1] - c.positive/2
	w.pairs += c.positive * lower
	w.squares[1] += c.positive * lower * lower
	w.squares[0] += c.negative * higher * higher
	if !c.tied() {
		w.unknownPairs += c.positive * c.negative / 2
	}
}

// variance is that of the AUC (DeLong, DeLong and Clarke-Pearson 1988). The placement of a positive
// is the share of negatives below it, that of a negative the share of positives above it; both have
// the AUC as their mean. With n the numbers of examples of a class, or with weights what Kish
// (1965) calls the effective size, (sum w)^2 / (sum w^2), the variance is the sum over the classes
// of
//
//	mean (placement - AUC)^2 / (n - 1)
func (w *walk) variance(auc float64, squares [2]float64) float64 {
	sum := [2]float64{w.negatives, w.positives}
	v := 0.0
	for class := range sum {
		mean := w.squares[class]/sum[class]/(sum[1-class]*sum[1-class]) - auc*auc
		n := sum[class] * sum[class] / squares[class]
		v += max(mean, 0) / (n - 1)
	}
	return v
}

// addPrecision adds the precision at each positive of a cell, which has t positives and f negatives
// above it. Those that are tied have
//
//	(t + positive) / (t + positive + f + negative)
//
// In a bin of several scores a positive has at most the precision that it has when all positives of
// the bin are tied above all negatives, and at least the one that it has when all negatives are
// above all positives, which are not tied: the integral over u from 0 to positive of
//
//	(t + u) / (t + u + f + negative)
//
// In between lies that of positives spread evenly among the negatives.
func (w *walk) addPrecision(c *cell) {
	if c.positive == 0 {
		return
	}
	t, f := max(w.positives-w.below[1]-c.positive, 0), max(w.negatives-w.below[0]-c.negative, 0)
	if c.tied() {
		same := c.positive * (t + c.positive) / (t + c.positive + f + c.negative)
		w.precision, w.leastPrecision, w.mostPrecision = w.precision+same, w.leastPrecision+same, w.mostPrecision+same
		return
	}
	most := c.positive * (t + c.positive) / (t + c.positive + f)
	least := area(t, f+c.negative, c.positive, 1)
	// the middle of the i-th positive of weight one lies one half below i
	spread, middle := c.negative/(c.positive+w.one), w.one/2
	w.precision += min(max(area(t+middle, f+middle*spread, c.positive, 1+spread), least), most)
	w.leastPrecision += least
	w.mostPrecision += most
}

// area is the integral over u from 0 to n of (t + u) / (t + f + s*u).
func area(t, f, n, s float64) float64 {
	if t+f == 0 {
		return n / s
	}
	return n/s + (t-(t+f)/s)/s*math.Log1p(s*n/(t+f))
}

// addFound counts the positives in the highest tenth. A cell at its lower end is divided: of tied
// examples each class in proportion.
func (w *walk) addFound(c *cell) {
	start := w.below[0] + w.below[1]
	switch end := start + c.positive + c.negative; {
	case start >= w.top:
		w.found += c.positive
	case end > w.top:
		positives, unknown := c.split(end - w.top)
		w.found += positives
		w.unknownFound += unknown
	}
}

// split returns how many positives a piece of the cell has, and how far that may be off.
func (c *cell) split(piece float64) (positives, unknown float64) {
	positives = c.positive * (piece / (c.positive + c.negative))
	if c.tied() {
		return positives, 0
	}
	return positives, max(positives-max(piece-c.negative, 0), min(c.positive, piece)-positives)
}

// addParts divides the cell among the parts of equal weight that it reaches into. A piece of a bin
// may have other examples of the bin than are thought, which its neighbour then lacks. All pieces
// together can be off by no more than the positives, or the negatives, of the bin.
func (w *walk) addParts(c *cell) {
	mass := c.positive + c.negative
	start := w.below[0] + w.below[1]
	all := w.positives + w.negatives
	unknown := 0.0
	for taken := 0.0; ; w.part++ {
		p := &w.parts[w.part]
		end := all*float64(w.part+1)/float64(len(w.parts)) - start
		last := end >= mass || w.part == len(w.parts)-1
		if last {
			end = mass
		}
		share := (end - taken) / mass
		p.Weight += end - taken
		p.Predicted += c.score * (end - taken)
		p.Actual += c.positive * share
		if last {
			break
		}
		_, off := c.split(end)
		unknown += 2 * (off + end*(1-end/mass)*(c.high-c.low))
		taken = end
	}
	if unknown > 0 && !c.tied() {
		w.unknownParts += min(unknown, 2*min(c.positive, c.negative)+2*mass*(c.high-c.low))
	}
}
