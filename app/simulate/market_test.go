package simulate

import (
	"math"
	"testing"
)

// The law by which the oracle bids is that from which prices are drawn.
func TestPricesHaveTheirLaw(t *testing.T) {
	for s := range shape(shapes) {
		m, factor := market{median: 2, shape: s}, 1.2
		rng := stream(1, "test", int64(s))
		const draws = 40_000
		drawn := make([]float64, draws)
		for i := range drawn {
			drawn[i] = m.draw(rng, factor)
		}
		for _, price := range []float64{0.5, 1, 1.5, 2.4, 4, 8} {
			n := 0
			for _, d := range drawn {
				n += number(d < price)
			}
			is, want := float64(n)/draws, m.below(price, factor)
			if math.Abs(is-want) > 4*math.Sqrt(want*(1-want)/draws)+1e-3 {
				t.Errorf("shape %d: %.4f of the prices are below %v, want %.4f", s, is, price, want)
			}
		}
	}
}

// The best bid has at least the surplus of every other one, to within a step.
func TestTheBestBidIsTheBest(t *testing.T) {
	for s := range shape(shapes) {
		m := market{median: 2, shape: s}
		for _, value := range []float64{0.5, 2, 5, 20} {
			const floor = 0.4
			bid := m.best(value, floor, 1)
			if bid < floor || bid > value {
				t.Fatalf("shape %d: the bid for %v is %v", s, value, bid)
			}
			is := (value - bid) * m.below(bid, 1)
			for b := floor; b < value; b += 0.01 {
				if other := (value - b) * m.below(b, 1); other > is*1.01+1e-9 {
					t.Fatalf("shape %d: %v has the surplus %.4f, and %.2f has %.4f", s, bid, is, b, other)
				}
			}
		}
	}
}

func TestAnAuctionIsSettled(t *testing.T) {
	f := func(price, floor, rival float64, firstPrice bool, want verdict) {
		t.Helper()
		o := offered{floor: floor, rival: rival}
		if got := o.settle(price, firstPrice); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	f(2, 0.5, 1, true, verdict{won: true, paid: 2, minToWin: 1})
	f(2, 0.5, 1, false, verdict{won: true, paid: 1.01, minToWin: 1})
	f(2, 0.5, 0, false, verdict{won: true, paid: 0.51, minToWin: 0.5})
	f(1.005, 0.5, 1, false, verdict{won: true, paid: 1.005, minToWin: 1}) // never more than the bid
	f(1, 0.5, 1, false, verdict{minToWin: 1, reason: lostOutbid})
	f(0.4, 0.5, 0.1, true, verdict{minToWin: 0.5, reason: lostFloor})
	f(0.5, 0.5, 0.1, true, verdict{won: true, paid: 0.5, minToWin: 0.5})
}
