package price

import "math"

// observation says where the least winning price of an auction lies: in (low, high], as logs of
// micros. A loss has no high (+Inf), a win that tells nothing more no low (-Inf).
type observation struct {
	tokens    [maxTokens]uint32
	n         uint8
	low, high float64
}

// What measured best on the markets of the tests; see DESIGN.
const (
	rateTrend, rateFine, rateBroad, rateShift, rateShape = 0.3, 0.05, 0.1, 0.1, 0.1

	// sums of squared gradients begin with damping, and fade by fading each fadeEvery observations,
	// so that old evidence counts half after 47,000
	damping   = 1
	fading    = 0.985
	fadeEvery = 1024
	// a token's weights are drawn to 0 as if prior observations had said so
	prior = 100
	// each observation is learned once more with replays drawn from the last kept
	replays = 4
	kept    = 16384
	seenMax = 5 * kept
)

// learner fits weights to observations in their order. It is deterministic.
type learner struct {
	now    weights
	sums   weights // of squared gradients
	center float64 // ln of the first price
	count  int64
	ring   []observation
	random uint64
	c      curve
	g      gradient
}

// gradient is of the loss -ln P(observation).
type gradient struct {
	level, slope, shift float64
	fine                [knots]float64
	shape               [shapes + 1]float64
	last                int // the highest knot that it touches
}

func newLearner(slots int) *learner {
	l := &learner{random: 0x9e3779b97f4a7c15}
	// P(win) rises in proportion to the price at first
	l.now.level, l.now.slope = -0.4, 1
	l.now.tokens, l.sums.tokens = make([]token, slots), make([]token, slots)
	return l
}

// learn takes an observation, and some older ones again: a bid's outcome is one bit, of which one
// step of the gradient makes little.
func (l *learner) learn(o *observation) {
	if l.count == 0 {
		if l.center = o.low; math.IsInf(o.low, -1) {
			l.center = o.high
		}
	}
	l.step(o)
	if len(l.ring) < kept {
		l.ring = append(l.ring, *o)
	} else {
		l.ring[l.count%kept] = *o
	}
	l.count++
	for range replays {
		l.random ^= l.random << 13
		l.random ^= l.random >> 7
		l.random ^= l.random << 17
		l.step(&l.ring[l.random%uint64(len(l.ring))])
	}
	if l.count%fadeEvery == 0 {
		l.fade()
	}
}

func (l *learner) step(o *observation) {
	at := o.tokens[:o.n]
	most := o.high
	if math.IsInf(most, 1) {
		most = o.low
	}
	l.now.open(&l.c, l.center, at, most)
	l.g.of(&l.c, o, l.center)
	l.descend(at)
}

// of computes the gradient. With A = H(low) and B = H(high) - H(low),
//
//	loss = A - ln(1 - exp(-B)),  dloss/dA = 1,  dloss/dB = -1/(exp(B) - 1)
//
// where A is 0 without a low, and the second term is 0 without a high.
func (g *gradient) of(c *curve, o *observation, center float64) {
	var low, high int
	var lowPart, highPart, below, within, a float64
	if !math.IsInf(o.low, -1) {
		below, a = 1, c.cumulative(o.low)
		low, lowPart = c.place(o.low)
		g.shift = -c.rate[low]
	} else {
		g.shift = 0
	}
	high, highPart = low, lowPart
	if !math.IsInf(o.high, 1) {
		within = -1 / math.Expm1(max(c.cumulative(o.high)-a, 1e-12))
		high, highPart = c.place(o.high)
		g.shift -= within * (c.rate[high] - below*c.rate[low])
	}
	const steepest = 100
	g.shift = min(max(g.shift, -steepest), steepest)
	g.level, g.slope, g.last = 0, 0, high
	g.shape = [shapes + 1]float64{}
	for i := 0; i <= high; i++ {
		upToLow, upToHigh := covered(i, low, lowPart), covered(i, high, highPart)
		d := c.rate[i] * step * (below*upToLow + within*(upToHigh-upToLow))
		g.fine[i] = d
		g.level += d
		g.slope += d * (float64(i)*step - center)
		k, part := i/coarse, float64(i%coarse)/coarse
		g.shape[k] += d * (1 - part)
		g.shape[k+1] += d * part
	}
}

// covered is how much of the step above knot i lies below the place (knot, part).
func covered(i, knot int, part float64) float64 {
	switch {
	case i < knot:
		return 1
	case i == knot:
		return part
	}
	return 0
}

// descend moves the weights against the gradient, each by its own rate (Adagrad).
func (l *learner) descend(at []uint32) {
	g := &l.g
	trend(&l.now.level, &l.sums.level, g.level)
	trend(&l.now.slope, &l.sums.slope, g.slope)
	l.now.slope = max(l.now.slope, 0)
	for i, d := range g.fine[:g.last+1] {
		adagrad(&l.now.fine[i], &l.sums.fine[i], d, rateFine)
	}
	lastShape := min(g.last/coarse+2, shapes)
	for k, d := range g.shape[:lastShape] {
		adagrad(&l.now.broad[k], &l.sums.broad[k], d, rateBroad)
	}
	for _, t := range at {
		w, s := &l.now.tokens[t], &l.sums.tokens[t]
		w.seen = min(w.seen+1, seenMax)
		pull := prior / float64(w.seen)
		adagrad(&w.shift, &s.shift, g.shift+pull*float64(w.shift), rateShift)
		for k, d := range g.shape[:lastShape] {
			adagrad(&w.shape[k], &s.shape[k], d+pull*float64(w.shape[k]), rateShape)
		}
	}
}

func trend(w, sum *float64, g float64) {
	*sum += g * g
	*w -= rateTrend * g / math.Sqrt(*sum+damping)
}

func adagrad(w, sum *float32, g, rate float64) {
	if g == 0 {
		return
	}
	*sum += float32(g * g)
	*w -= float32(rate * g / math.Sqrt(float64(*sum)+damping))
}

// fade lets steps grow again, so that the model goes with a market that changes.
func (l *learner) fade() {
	s := &l.sums
	s.level, s.slope = s.level*fading, s.slope*fading
	for i := range s.fine {
		s.fine[i] *= fading
	}
	for i := range s.broad {
		s.broad[i] *= fading
	}
	for i := range s.tokens {
		t := &s.tokens[i]
		if t.shift == 0 {
			continue
		}
		t.shift *= fading
		for k := range t.shape {
			t.shape[k] *= fading
		}
	}
}
