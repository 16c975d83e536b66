package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
)

// betaMap maps a probability p to q, the average of three by how far each is trusted:
//
//	q = trust_0 p + trust_1 half + trust_2 full
//	logit full = logit p + beta(p)
//	logit half = logit p + (beta(p) + shift)/2
//	beta(p) = w0 + w1 (ln p - centre) - w2 ln(1-p)
//
// All weights zero are the identity. A beta calibration is the logistic regression of the label on
// ln p and ln(1-p): Kull, Silva Filho and Flach, "Beta calibration" (2017). With w1 = w2 it is the
// one of Platt, "Probabilistic outputs for support vector machines" (1999). Three weights need far
// fewer labels than the bins of Zadrozny and Elkan, "Transforming classifier scores into accurate
// multiclass probability estimates" (2002), and cannot break the order of two probabilities as long
// as w1 and w2 are above -1: the slope of logit full is 1 + w1 (1-p) + w2 p.
//
// The shift is a map of its own, learned beside the other one with a stronger ridge: what few
// labels tell. A correction that is estimated from labels is off by about as much as it corrects
// where the network is nearly right, and then it costs loss. Log loss is convex in the logit: half
// the correction loses at most half of that, and where the network is far off it gains most of
// what there is to gain. So the half begins with most of the trust. Trust follows the likelihoods
// with a fixed share, as the mixer's does (Herbster and Warmuth, "Tracking the best expert", 1998):
// where the network is far off all of the correction is served, and where none helps it loses
// against the network -ln of the identity's prior, and at most one more for each memory's worth of
// labels.
//
// Weights and shift follow the labels by Newton steps, with a ridge towards the identity and a
// memory: what was learned fades as later labels bring information. The labels of stepLabels
// examples are summed up for one step.
type betaMap struct {
	weights [mapWeights]float64
	shift   float64
	odds    float64 // e^(shift/2); it follows from the shift
	trust   [mapTrusts]float64
	// what only a full core has
	curvature      [6]float64 // second derivatives, ridge included: the lower triangle by rows
	shiftCurvature float64
	pending        pendingStep
}

// pendingStep is what the labels since the last step sum up to.
type pendingStep struct {
	labels                          int
	likelihood                      [mapTrusts]float64 // the products
	gradient                        [mapWeights]float64
	curvature                       [6]float64
	information                     float64 // the sum of q(1-q), of the beta map
	shiftGradient, shiftInformation float64
}

const (
	mapWeights = 3
	mapTrusts  = 3
	mapCentre  = -3.9120230054281460 // ln 0.02
	mapMemory  = 1.0 / 1500          // of what is known fades, for each p(1-p) that a label brings
	stepLabels = 16
	stepMost   = 4      // of p(1-p): heavy examples make a step sooner
	stepLeast  = 1e-100 // and likelihoods that would leave the range of a float64
	leastSlope = 0.02   // of a beta map: it is strictly increasing
	mostSlope  = 10
	mostShift  = 10
	leastP     = 1e-9 // probabilities are held to leastP and 1-leastP
)

// mapRidge is how many p(1-p) worth of labels each weight's start at zero is worth.
var mapRidge = [mapWeights]float64{30, 30, 0.3}

const shiftRidge = 300

// mapPrior is the trust at the start: in the network, half the correction, and all of it.
var mapPrior = [mapTrusts]float64{0.05, 0.8, 0.15}

// newBetaMap is the identity, with what learning needs if it is of a full core.
func newBetaMap(full bool) betaMap {
	m := betaMap{odds: 1, trust: mapPrior}
	if full {
		m.curvature = [6]float64{mapRidge[0], 0, mapRidge[1], 0, 0, mapRidge[2]}
		m.shiftCurvature, m.pending.likelihood = shiftRidge, [mapTrusts]float64{1, 1, 1}
	}
	return m
}

func holdProbability(p float64) float64 {
	if p < leastP {
		return leastP
	}
	if p > 1-leastP {
		return 1 - leastP
	}
	return p
}

// point is a probability that was held, what w1 and w2 are multiplied with there, and what the map
// makes of it.
type point struct{ p, x1, x2, half, full float64 }

// set is the point at p.
func (t *point) set(m *betaMap, p float64) {
	x1, x2 := arith.QuickLog(p)-mapCentre, -arith.QuickLog(1-p)
	e := arith.QuickExp(0.5 * (m.weights[0] + float64(m.weights[1]*x1) + float64(m.weights[2]*x2)))
	t.p, t.x1, t.x2 = p, x1, x2
	t.half, t.full = byOdds(p, float64(e*m.odds)), byOdds(p, float64(e*e))
}

// served is q.
func (m *betaMap) served(t *point) float64 {
	return holdProbability(float64(m.trust[0]*t.p) + float64(m.trust[1]*t.half) + float64(m.trust[2]*t.full))
}

// byOdds is the probability whose odds are by times those of p.
func byOdds(p, by float64) float64 {
	yes := float64(p * by)
	return yes / (yes + (1 - p))
}

// apply is q of a probability that was held.
func (m *betaMap) apply(p float64) float64 {
	var t point
	t.set(m, p)
	return m.served(&t)
}

// learn is apply, and then learns a label y of weight w. An undone label changes nothing: its
// curvature cannot be taken back, and it fades.
func (m *betaMap) learn(p, y, w float64) float64 {
	var t point
	t.set(m, p)
	served := m.served(&t)
	if w <= 0 {
		return served
	}
	s := &m.pending
	s.add(&t, y, w)
	// what the shift alone says
	q := byOdds(p, float64(m.odds*m.odds))
	s.shiftInformation += information(q, w)
	s.shiftGradient += float64((q - y) * w)
	room := s.weigh(&t, y, w)
	if s.labels++; s.labels >= stepLabels || s.information >= stepMost || s.shiftInformation >= stepMost || !room {
		m.newton()
	}
	return served
}

// add sums up what a label says of the weights.
func (s *pendingStep) add(t *point, y, w float64) {
	h, g := information(t.full, w), float64((t.full-y)*w)
	s.information += h
	s.gradient[0] += g
	s.gradient[1] += float64(g * t.x1)
	s.gradient[2] += float64(g * t.x2)
	hx1, hx2 := float64(h*t.x1), float64(h*t.x2)
	s.curvature[0] += h
	s.curvature[1] += hx1
	s.curvature[2] += float64(hx1 * t.x1)
	s.curvature[3] += hx2
	s.curvature[4] += float64(hx1 * t.x2)
	s.curvature[5] += float64(hx2 * t.x2)
}

// weigh multiplies the likelihoods by those of a label, and says whether there is room for another.
// A heavy label counts against the likeliest, so that one of them stays as it was.
func (s *pendingStep) weigh(t *point, y, w float64) (room bool) {
	// y p + (1-y)(1-p)
	a, b := 1-y, 2*y-1
	raw, half, full := a+float64(b*t.p), a+float64(b*t.half), a+float64(b*t.full)
	if w != 1 {
		most := max(raw, half, full)
		raw, half, full = tempered(raw/most, w), tempered(half/most, w), tempered(full/most, w)
	}
	l := &s.likelihood
	l[0], l[1], l[2] = float64(l[0]*raw), float64(l[1]*half), float64(l[2]*full)
	return l[0] > stepLeast && l[1] > stepLeast && l[2] > stepLeast
}

// tempered is the likelihood of w labels, each with that of l, against others.
func tempered(l, w float64) float64 { return arith.Exp(float64(w * arith.Log(max(l, leastP)))) }

// information is the second derivative of a label's log loss by the logit of q.
func information(q, w float64) float64 {
	h := float64(q * (1 - q))
	if h < 1e-6 {
		h = 1e-6
	}
	return float64(h * w)
}

// newton moves the weights, the shift and the trust by the labels that wait for it.
func (m *betaMap) newton() {
	s := m.pending
	m.pending = pendingStep{likelihood: [mapTrusts]float64{1, 1, 1}}
	fade := min(float64(mapMemory*s.information), 0.5)
	for k := range m.curvature {
		m.curvature[k] = float64((1-fade)*m.curvature[k]) + s.curvature[k]
	}
	for i, k := range [mapWeights]int{0, 2, 5} {
		m.curvature[k] += float64(fade * mapRidge[i])
		s.gradient[i] += float64(fade * float64(mapRidge[i]*m.weights[i]))
	}
	m.step(s.gradient)
	var sum float64
	for i := range m.trust {
		m.trust[i] = float64(m.trust[i] * s.likelihood[i])
		sum += m.trust[i]
	}
	for i := range m.trust {
		m.trust[i] = float64((1-fade)*(m.trust[i]/sum)) + float64(fade*mapPrior[i])
	}
	fade = min(float64(mapMemory*s.shiftInformation), 0.5)
	m.shiftCurvature = float64((1-fade)*m.shiftCurvature) + float64(fade*shiftRidge) + s.shiftInformation
	by := (s.shiftGradient + float64(fade*float64(shiftRidge*m.shift))) / m.shiftCurvature
	m.shift = min(max(m.shift-by, -mostShift), mostShift)
	m.odds = arith.Exp(m.shift / 2)
}

// step moves the weights by inverse(curvature) g. A weight that would leave its bounds goes to the
// bound, and the others go to what is best then: cut off alone, they would go the wrong way.
func (m *betaMap) step(g [mapWeights]float64) {
	by := solve(&m.curvature, g)
	if m.within(by, 0) && m.within(by, 1) && m.within(by, 2) {
		for i := range by {
			m.weights[i] -= by[i]
		}
		return
	}
	a, fixed := m.curvature, [mapWeights]bool{}
	for i := 0; i < mapWeights; i++ {
		if least, most := mapBounds(i); !fixed[i] && !m.within(by, i) {
			fixed[i] = true
			fix(&a, &g, i, m.weights[i]-min(max(m.weights[i]-by[i], least), most))
			by, i = solve(&a, g), -1 // the others again
		}
	}
	for i := range by {
		least, most := mapBounds(i)
		m.weights[i] = min(max(m.weights[i]-by[i], least), most)
	}
}

// within says whether a step leaves a weight in its bounds.
func (m *betaMap) within(by [mapWeights]float64, i int) bool {
	least, most := mapBounds(i)
	v := m.weights[i] - by[i]
	return v >= least && v <= most
}

func mapBounds(i int) (least, most float64) {
	if i == 0 {
		return -mostShift, mostShift
	}
	return leastSlope - 1, mostSlope - 1
}

// fix turns the equations a x = g into those with x_i = v.
func fix(a *[6]float64, g *[mapWeights]float64, i int, v float64) {
	for k := range mapWeights {
		if at := max(i, k)*(max(i, k)+1)/2 + min(i, k); k != i {
			g[k] -= float64(a[at] * v)
			a[at] = 0
		} else {
			a[at], g[i] = 1, v
		}
	}
}

// solve is inverse(A) g of the positive definite matrix whose lower triangle a is, by its factors L
// D L'.
func solve(a *[6]float64, g [mapWeights]float64) [mapWeights]float64 {
	d0 := a[0]
	l10, l20 := a[1]/d0, a[3]/d0
	d1 := a[2] - float64(l10*a[1])
	e := a[4] - float64(l20*a[1])
	l21 := e / d1
	d2 := a[5] - float64(l20*a[3]) - float64(l21*e)
	y1 := g[1] - float64(l10*g[0])
	y2 := g[2] - float64(l20*g[0]) - float64(l21*y1)
	z2 := y2 / d2
	z1 := y1/d1 - float64(l21*z2)
	z0 := g[0]/d0 - float64(l10*z1) - float64(l20*z2)
	return [mapWeights]float64{z0, z1, z2}
}
