package simulate

import (
	"math"
	"math/rand/v2"
)

// market is the law of what the highest rival bids for a slot, in USD CPM.
type market struct {
	median float64
	shape  shape
}

// shape is the kind of a law whose scale is a median of about 1.
type shape int

const (
	lognormal shape = iota
	bimodal         // two groups of rivals: one that retargets, and one that takes what is left
	weibull
	shapes = 3
)

const (
	nobody       = 0.08 // share of auctions without a rival
	spread       = 0.6  // of the logarithm of a lognormal price
	lowMode      = 0.55
	lowShare     = 0.6
	highMode     = 2.1
	modeSpread   = 0.3
	weibullShape = 1.5
)

// draw returns the highest rival's price; 0 where there is none. factor scales the whole law.
func (m *market) draw(rng *rand.Rand, factor float64) float64 {
	alone, u, z := rng.Float64() < nobody, rng.Float64(), rng.NormFloat64()
	if alone {
		return 0
	}
	scale := m.median * factor
	switch m.shape {
	case bimodal:
		if u < lowShare {
			return scale * lowMode * math.Exp(modeSpread*z)
		}
		return scale * highMode * math.Exp(modeSpread*z)
	case weibull:
		return scale * math.Pow(-math.Log(1-u)/math.Ln2, 1/weibullShape)
	}
	return scale * math.Exp(spread*z)
}

// below is the probability that no rival bids as much as price.
func (m *market) below(price, factor float64) float64 {
	x := price / (m.median * factor)
	if x <= 0 {
		return 0
	}
	var f float64
	switch m.shape {
	case bimodal:
		f = lowShare*normal(math.Log(x/lowMode)/modeSpread) + (1-lowShare)*normal(math.Log(x/highMode)/modeSpread)
	case weibull:
		f = 1 - math.Exp(-math.Ln2*math.Pow(x, weibullShape))
	default:
		f = normal(math.Log(x) / spread)
	}
	return nobody + (1-nobody)*f
}

// normal is the law of a standard normal number.
func normal(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// best is the bid, in steps of a fiftieth of value, that has the largest expected surplus of
// whoever pays the own bid and gets value.
func (m *market) best(value, floor, factor float64) float64 {
	bid, most := floor, -1.0
	const steps = 50
	for i := 1; i <= steps; i++ {
		b := value * float64(i) / steps
		if b < floor {
			continue
		}
		if surplus := (value - b) * m.below(b, factor); surplus > most {
			bid, most = b, surplus
		}
	}
	return bid
}
