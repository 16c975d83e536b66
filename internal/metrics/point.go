package metrics

import "math"

// clamp keeps logarithms finite: a prediction of exactly 0 or 1 that is wrong costs 36 nats. It is
// the one of scikit-learn's log_loss, the distance from 1 to the next float64.
const clamp = 0x1p-52

// Point is an example with what several Accumulators need of it, computed once.
type Point struct {
	p, y, w float64
	loss    float64 // nats, without the weight
	key     int32   // bin of p
	group   uint8   // of the bootstrap
	user    uint64  // 0: unknown
}

// NewPoint returns the example with the predicted probability p, the label y from 0 to 1 and the
// weight w. id tells examples apart: equal ids share their counts in every replicate of the
// bootstrap, on every process. user is a hash of the user, or 0.
func NewPoint(p, y, w float64, id, user uint64) Point {
	q := p
	if q < clamp {
		q = clamp
	} else if q > 1-clamp {
		q = 1 - clamp
	}
	x := Point{p: p, y: y, w: w, key: binOf(q), group: uint8(mix(id) >> 56), user: user}
	switch y {
	case 0:
		x.loss = -math.Log1p(-q)
	case 1:
		x.loss = -math.Log(q)
	default:
		x.loss = -y*math.Log(q) - (1-y)*math.Log1p(-q)
	}
	return x
}

// mix spreads the bits of an integer evenly over 64 bits: the finalizer of SplitMix64 (Steele, Lea
// and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
