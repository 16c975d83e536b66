package model

import "math"

// The base is what is predicted of an example before anything is known of it: the running rate of
// positives, which starts at the configured prior.
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
const (
	numPositives = iota // in core.num
	numRows
	numLikely // the share of the second belief
	numAny    // that of the third
	numBase   // the base's logit
	numNet    // of a plain net: how much its own probability is believed
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

// beliefs are what the prior alone decides.
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

func (c *core) startBase() {
	c.beliefs = newBeliefs(c.cfg.Prior)
	c.num[numLikely], c.num[numAny] = c.beliefs.likelyShare, c.beliefs.anyShare
	c.num[numBase] = logit(c.cfg.Prior)
}

// counts are the positives and rows so far, or with mirrored beliefs the negatives and rows. Labels
// that were undone may leave less than nothing.
func (c *core) counts() (yes, rows float64) {
	yes = max(c.num[numPositives], 0)
	rows = max(c.num[numRows], yes)
	if c.beliefs.mirrored {
		yes = rows - yes
	}
	return yes, rows
}

// countBase takes a label into the base.
func (c *core) countBase(y, w float64) {
	c.weighBeliefs(y, w)
	c.num[numPositives] += float64(w * y)
	c.num[numRows] += w
	c.num[numBase] = c.baseLogit()
}

// weighBeliefs multiplies each belief's share by the probability that it gave the label.
//
// The first positive counts little: one label, which may be an accident, must not overthrow the
// prior.
func (c *core) weighBeliefs(y, w float64) {
	b := &c.beliefs
	yes, rows := c.counts()
	if b.mirrored {
		y = 1 - y
	}
	like := func(b belief) float64 {
		p := b.rate(yes, rows)
		return float64(y*p) + float64((1-y)*(1-p))
	}
	expected, likely, any := like(b.expected), like(b.likely), like(b.any)
	if y > 0 && yes < 1 {
		w = float64(w * max(firstCounts, yes))
	}
	if w != 1 {
		w = min(max(w, -100), 100)
		by := log(expected)
		expected, likely, any = 1, exp(float64(w*(log(likely)-by))), exp(float64(w*(log(any)-by)))
	}
	likely, any = float64(c.num[numLikely]*likely), float64(c.num[numAny]*any)
	sum := float64((1-c.num[numLikely]-c.num[numAny])*expected) + likely + any
	likely, any = max(likely/sum, leastShare), max(any/sum, leastShare)
	if most := 1 - leastShare; likely+any > most {
		by := most / (likely + any)
		likely, any = float64(likely*by), float64(any*by)
	}
	c.num[numLikely], c.num[numAny] = likely, any
}

// baseLogit leans to the side of frequent positives by a part of what the rate is uncertain by, as
// far as the prior is not believed: from there the rate comes late, as it climbs from the prior. It
// costs no loss and takes most of the delay back.
func (c *core) baseLogit() float64 {
	b := &c.beliefs
	yes, rows := c.counts()
	likely, any := c.num[numLikely], c.num[numAny]
	expected := b.expected.rate(yes, rows)
	p := expected + float64(likely*(b.likely.rate(yes, rows)-expected)) + float64(any*(b.any.rate(yes, rows)-expected))
	if rows > 0 {
		p += float64(baseLean*(likely+any)*math.Sqrt(float64(float64(p*(1-p))*rows))) / (rows + 4)
	}
	p = min(max(p, leastRate), 1-leastRate)
	z := log(p) - log(1-p)
	if b.mirrored {
		return -z
	}
	return z
}

// reach is how far the members may move a prediction away from the base: not at all before both
// labels were seen, half the way after one of each. By their first labels members are too sure.
func (c *core) reach() float64 {
	yes := c.num[numPositives]
	least := max(min(yes, c.num[numRows]-yes), 0)
	return least / (least + 1)
}
