package price

import "math"

// The distribution of the least price that wins an auction, by its features x.
//
//	u    = ln(price in micros)
//	v    = u - s(x),  s(x) = sum of the tokens' shifts
//	r(v) = exp(level + slope*(v - center) + fine(v) + broad(v) + sum of the tokens' shapes(v))
//	H(v) = integral of r from 0 to v
//	P(win | u, x) = 1 - exp(-H(v))
//
// r is the rate at which prices begin to win, per nat. A slope alone is a Weibull distribution of
// prices; fine, broad and the shapes are linear between knots, and bend it. A token that moves
// prices by a factor needs its shift alone. H never falls, so neither does P(win).
const (
	step   = 0.125                // nats between knots of fine: prices 13% apart
	knots  = 137                  // from 1 micro to e^17 = 24 million micros
	coarse = 8                    // steps between knots of broad and of shapes
	shapes = (knots-1)/coarse + 1 // how many of them there are
	top    = float64(knots-1) * step
)

// token is what the model knows of one value of one field.
type token struct {
	seen  float32 // observations, bounded
	shift float32
	shape [shapes]float32
}

// weights are all parameters, or the sums of their squared gradients.
type weights struct {
	level, slope float64
	fine         [knots]float32
	broad        [shapes]float32
	tokens       []token
}

// curve is the distribution for one auction.
type curve struct {
	shift float64
	rate  [knots]float64 // r between a knot and the next; filled up to the price of open
}

// open prepares c for an auction with the tokens at, for log prices up to u.
func (w *weights) open(c *curve, center float64, at []uint32, u float64) {
	c.shift = 0
	var shape [shapes + 1]float64
	for i := range w.broad {
		shape[i] = float64(w.broad[i])
	}
	for _, t := range at {
		k := &w.tokens[t]
		c.shift += float64(k.shift)
		for i := range k.shape {
			shape[i] += float64(k.shape[i])
		}
	}
	last, _ := c.place(u)
	for i := 0; i <= last; i++ {
		k, part := i/coarse, float64(i%coarse)/coarse
		g := w.level + w.slope*(float64(i)*step-center) + float64(w.fine[i]) + shape[k] + part*(shape[k+1]-shape[k])
		c.rate[i] = math.Exp(min(g, maxLogRate))
	}
}

// maxLogRate bounds r, so that sums stay finite whatever was learned.
const maxLogRate = 12

// place is the knot below the log price u, and how far u is from it to the next one.
func (c *curve) place(u float64) (knot int, part float64) {
	v := u - c.shift
	if v <= 0 {
		return 0, 0
	}
	if v >= top {
		return knots - 1, 0
	}
	knot = int(v / step)
	return knot, v/step - float64(knot)
}

// cumulative is H at the log price u.
func (c *curve) cumulative(u float64) float64 {
	knot, part := c.place(u)
	h := part * c.rate[knot]
	for _, r := range c.rate[:knot] {
		h += r
	}
	return step * h
}

// win is P(win) at the log price u.
func (c *curve) win(u float64) float64 { return -math.Expm1(-c.cumulative(u)) }
