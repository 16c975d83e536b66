package model

import (
	"math"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// base is the running rate of positives: what is predicted of an example before anything is known
// of it. It starts at the configured prior.
//
// Three beliefs about the rate, each a Beta distribution, explain the labels, and Bayes' rule
// weighs them. The first says that the prior is about right, the second that positives are as much
// more frequent as the root of the prior, the third that any rate may be. The second and third are
// unlikely but far away, so each carries a share of the prior (baseCarries), and the first one's
// mean is below it: without positives the rate falls fast. A stream with many positives is believed
// after the second or third of them.
//
//	rate = sum of share_i (positives + yes_i) / (rows + rows_i)
//
// With a prior above one half the two labels change places.
type base struct {
	beliefs
	num   []float64 // the first of core.num
	until int64     // the example from which on it is needed no more
}

// Where the base's numbers lie in core.num.
const (
	numPositives = iota
	numRows
	numLikely // the share of the second belief
	numAny    // that of the third
	numBase   // the logit
	numNet    // of a plain net: how far its own probability is believed
)

const (
	baseCarries = 0.3   // of the prior, by each of the second and third beliefs
	yesExpected = 0.3   // positives that the first belief is worth
	yesOther    = 2     // and each other one
	firstCounts = 0.25  // as how much of a label the first positive weighs the beliefs
	baseLean    = 0.5   // standard deviations
	leastShare  = 1e-12 // of a belief: it may come back
	leastRate   = 1e-9
)

// beliefs follow from the prior alone.
type beliefs struct {
	mirrored              bool // the rare label is 0
	expected, likely, any belief
	likelyShare, anyShare float64 // at the start
}

// belief is a Beta distribution as the positives and the rows that it is worth.
type belief struct{ yes, rows float64 }

func (b belief) rate(yes, rows float64) float64 { return (yes + b.yes) / (rows + b.rows) }

func newBeliefs(prior float64) (b beliefs) {
	b.mirrored = prior > 0.5
	q := min(prior, 1-prior)
	more := min(math.Sqrt(q), 0.5)
	b.likelyShare, b.anyShare = baseCarries*q/more, baseCarries*q/0.5
	mean := (1 - 2*baseCarries) * q / (1 - b.likelyShare - b.anyShare)
	b.expected = belief{yesExpected, yesExpected / mean}
	b.likely = belief{yesOther, yesOther / more}
	b.any = belief{yesOther, yesOther / 0.5}
	return b
}

// newBase starts the numbers at the prior.
func newBase(prior float64, num []float64, until int64) base {
	b := base{newBeliefs(prior), num, until}
	num[numLikely], num[numAny] = b.likelyShare, b.anyShare
	num[numBase] = arith.Logit(prior)
	return b
}

// counts are the positives and rows so far, or with mirrored beliefs the negatives and rows. Labels
// that were undone may leave less than nothing.
func (b *base) counts() (yes, rows float64) {
	yes = max(b.num[numPositives], 0)
	rows = max(b.num[numRows], yes)
	if b.mirrored {
		yes = rows - yes
	}
	return yes, rows
}

// count takes a label into the rate, as long as the base is needed.
func (b *base) count(number int64, y, w float64) {
	if number >= b.until {
		return
	}
	b.weigh(y, w)
	b.num[numPositives] += float64(w * y)
	b.num[numRows] += w
	b.num[numBase] = b.logit()
}

// weigh multiplies each belief's share by the probability that it gave the label.
//
// The first positive counts little: one label may be an accident, and must not overthrow the prior.
func (b *base) weigh(y, w float64) {
	yes, rows := b.counts()
	if b.mirrored {
		y = 1 - y
	}
	like := func(b belief) float64 { return likelihood(y, b.rate(yes, rows)) }
	expected, likely, any := like(b.expected), like(b.likely), like(b.any)
	if y > 0 && yes < 1 {
		w = float64(w * max(firstCounts, yes))
	}
	if w != 1 {
		w = min(max(w, -100), 100)
		by := arith.Log(expected)
		expected, likely, any = 1, arith.Exp(float64(w*(arith.Log(likely)-by))), arith.Exp(float64(w*(arith.Log(any)-by)))
	}
	likely, any = float64(b.num[numLikely]*likely), float64(b.num[numAny]*any)
	sum := float64((1-b.num[numLikely]-b.num[numAny])*expected) + likely + any
	likely, any = max(likely/sum, leastShare), max(any/sum, leastShare)
	if most := 1 - leastShare; likely+any > most {
		by := most / (likely + any)
		likely, any = float64(likely*by), float64(any*by)
	}
	b.num[numLikely], b.num[numAny] = likely, any
}

// likelihood is what the probability p gave to a label y.
func likelihood(y, p float64) float64 { return float64(y*p) + float64((1-y)*(1-p)) }

// logit is the rate's logit, with a lean towards frequent positives: half a standard deviation of
// the rate, as far as the prior is not believed. A rate far above the prior has to climb from there
// and comes late. The lean costs no loss and takes most of the delay back.
func (b *base) logit() float64 {
	yes, rows := b.counts()
	likely, any := b.num[numLikely], b.num[numAny]
	expected := b.expected.rate(yes, rows)
	p := expected + float64(likely*(b.likely.rate(yes, rows)-expected)) + float64(any*(b.any.rate(yes, rows)-expected))
	if rows > 0 {
		p += float64(baseLean*(likely+any)*math.Sqrt(float64(float64(p*(1-p))*rows))) / (rows + 4)
	}
	p = min(max(p, leastRate), 1-leastRate)
	z := arith.Log(p) - arith.Log(1-p)
	if b.mirrored {
		return -z
	}
	return z
}

// reach is how far the members may move a prediction away from the base: not at all before both
// labels were seen, half the way after one of each. By their first labels members are too sure.
func (b *base) reach() float64 {
	yes := b.num[numPositives]
	least := max(min(yes, b.num[numRows]-yes), 0)
	return least / (least + 1)
}
