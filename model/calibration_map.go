package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
)

// betaMap maps a probability p to q, by the three weights of a beta calibration:
//
//	logit q = logit p + w0 + w1 (ln p - centre) - w2 ln(1-p) + shift
//
// All weights zero are the identity. A beta calibration is the logistic regression of the label on
// ln p and ln(1-p): Kull, Silva Filho and Flach, "Beta calibration" (2017). With w1 = w2 it is the
// one of Platt, "Probabilistic outputs for support vector machines" (1999). Three weights need far
// fewer labels than the bins of Zadrozny and Elkan, "Transforming classifier scores into accurate
// multiclass probability estimates" (2002), and cannot break the order of two probabilities as long
// as w1 and w2 are above -1: the slope of logit q is 1 + w1 (1-p) + w2 p.
//
// The weights follow the labels by Newton steps, as the mixers' do, with a ridge towards the
// identity and a memory: what was learned fades as later labels bring information. The shift
// follows
// the difference between what is served and the labels by small steps of constant size. So the
// served probabilities of any time add up to the labels, but for what the shift moved divided by
// the step, however the stream drifts. A plain net needs it: without it three of them were served
// 0.94 to 0.96 of the positives of bank-marketing. The mixture's base follows the rate already, and
// there the step is zero: its shift only cost log loss.
type betaMap struct {
	weights [mapWeights]float64
	shift   float64
	// curvature is the matrix of second derivatives, ridge included: the lower triangle by rows. A
	// replica's is zero.
	curvature [6]float64
}

const (
	mapWeights = 3
	mapCentre  = -3.9120230054281460 // ln 0.02
	mapMemory  = 1.0 / 1500          // of what is known fades, for each p(1-p) that a label brings
	plainShift = 0.001
	leastSlope = 0.02 // of logit q: the map is strictly increasing
	mostSlope  = 10
	mostShift  = 10
	leastP     = 1e-9 // probabilities are held to leastP and 1-leastP
)

// mapRidge is how many p(1-p) worth of labels each weight's start at zero is worth.
var mapRidge = [mapWeights]float64{30, 30, 0.3}

func newBetaMap() betaMap {
	return betaMap{curvature: [6]float64{mapRidge[0], 0, mapRidge[1], 0, 0, mapRidge[2]}}
}

// inputs are what the weights are multiplied with, and the logit of p.
func inputs(p float64) (x [mapWeights]float64, z float64) {
	l, o := arith.Log(p), arith.Log(1-p)
	return [mapWeights]float64{1, l - mapCentre, -o}, l - o
}

func holdProbability(p float64) float64 { return min(max(p, leastP), 1-leastP) }

// apply is q of a probability that was held.
func (m *betaMap) apply(p float64) float64 {
	x, z := inputs(p)
	return holdProbability(arith.Sigmoid(m.logit(&x, z) + m.shift))
}

// logit is that of q without the shift.
func (m *betaMap) logit(x *[mapWeights]float64, z float64) float64 {
	return z + m.weights[0] + float64(m.weights[1]*x[1]) + float64(m.weights[2]*x[2])
}

// learn is apply, and then learns a label y of weight w, with a step of the shift. An undone
// label changes nothing: its
// curvature cannot be taken back, and it fades.
func (m *betaMap) learn(p, y, w, shiftStep float64) float64 {
	x, z := inputs(p)
	z = m.logit(&x, z)
	q := holdProbability(arith.Sigmoid(z + m.shift))
	if w <= 0 {
		return q
	}
	m.newton(&x, arith.Sigmoid(z), y, w)
	m.shift = min(max(m.shift-float64(float64(shiftStep*w)*(q-y)), -mostShift), mostShift)
	return q
}

// newton moves the weights, which gave q.
func (m *betaMap) newton(x *[mapWeights]float64, q, y, w float64) {
	h := float64(max(float64(q*(1-q)), 1e-6) * w)
	fade := min(float64(mapMemory*h), 0.5)
	c := &m.curvature
	k := 0
	for i := range mapWeights {
		for j := range i + 1 {
			v := float64((1-fade)*c[k]) + float64(h*float64(x[i]*x[j]))
			if i == j {
				v += float64(fade * mapRidge[i])
			}
			c[k] = v
			k++
		}
	}
	var g [mapWeights]float64
	for i := range g {
		g[i] = float64(float64((q-y)*w)*x[i]) + float64(fade*float64(mapRidge[i]*m.weights[i]))
	}
	m.step(g)
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
