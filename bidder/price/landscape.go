package price

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// Landscape is the model of what prices win. It is a function of the steps that it has learned, in
// their order: all bidders that follow the topic bids from the same place have the same.
//
// One goroutine calls Learn. Any number may call Offer and Describe meanwhile, which read a copy
// that does not change.
type Landscape struct {
	open     table
	learner  *learner
	tally    tally
	copiedAt int64 // of learner.count
	current  atomic.Pointer[snapshot]
}

// snapshot is a model at one moment.
type snapshot struct {
	weights
	center float64
	count  int64 // observations
	about  LandscapeInfo
}

// NewLandscape returns a model without evidence.
func NewLandscape() *Landscape {
	l := &Landscape{open: newTable(openBids), learner: newLearner(slots)}
	l.publish()
	return l
}

// How prices are varied. A price that followed from the features alone would leave their effects
// and its own inseparable; see DESIGN.
const (
	warmUp     = 200 // observations before the model is asked
	leastShare = 0.2 // of the value: prices while there is no model
	// share of the offers that look for other prices: at most at the first observations, then
	// falling with the root of their number
	exploreLeast, exploreFirst = 0.015, 0.02
	exploreFar                 = 0.3 // of these, those that may be anywhere
	exploreNats                = 0.5 // how far the others are at most from the best price
	jitterLeast, jitterFirst   = 0.08, 0.15
	reference                  = 1000.0 // observations at which the shares are exploreFirst and jitterFirst
)

// Offer finds the price that maximizes (Value - price) * P(win). In a second-price auction that is
// the Value itself. It allocates nothing.
func (l *Landscape) Offer(q *Quote) Offer {
	if q.Value <= 0 || q.Value < q.Floor {
		return Offer{}
	}
	m := l.current.Load()
	var c curve
	var at [maxTokens]uint32
	n := tokensOf(&at, q.Market)
	m.open(&c, m.center, at[:n], logMicros(int64(q.Value)))
	price := q.Value
	if q.FirstPrice {
		price = m.price(&c, q)
	}
	o := Offer{Price: price}
	if m.count >= warmUp {
		o.PWin = min(max(c.win(logMicros(int64(price))), 1e-6), 1)
	}
	return o
}

// price is the best one, varied by the quote's draw.
func (m *snapshot) price(c *curve, q *Quote) auction.Micros {
	value, draw := float64(q.Value), q.Draw
	explore := max(exploreLeast, exploreFirst*math.Sqrt(reference/float64(m.count+1)))
	var price float64
	switch {
	case m.count < warmUp:
		price = value * math.Pow(leastShare, draw)
	case draw < explore*exploreFar:
		price = value * math.Pow(leastShare, draw/(explore*exploreFar))
	case draw < explore:
		part := (draw/explore - exploreFar) / (1 - exploreFar)
		price = c.best(value, float64(q.Floor)) * math.Exp(exploreNats*(2*part-1))
	default:
		part := (draw - explore) / (1 - explore)
		jitter := max(jitterLeast, jitterFirst*math.Pow(reference/float64(m.count+1), 0.25))
		price = c.best(value, float64(q.Floor)) * math.Exp(jitter*(2*part-1))
	}
	return min(max(auction.Micros(price), q.Floor, 1), q.Value)
}

// lowest is the least price that is looked at, as a part of the value.
const lowest = 1.0 / 50

// best is the price between floor and value with the greatest surplus, to a quarter of a step.
func (c *curve) best(value, floor float64) float64 {
	const parts = 4
	factor := math.Exp(step / parts)
	best, most := value, 0.0
	price := max(floor, value*lowest, 1)
	u := math.Log(price)
	knot, part := c.place(u)
	below := c.cumulative(u) - step*part*c.rate[knot]
	for price <= value {
		at, part := c.place(u)
		for ; knot < at; knot++ {
			below += step * c.rate[knot]
		}
		if surplus := (value - price) * -math.Expm1(-(below + step*part*c.rate[at])); surplus > most {
			best, most = price, surplus
		}
		price *= factor
		u += step / parts
	}
	return best
}

// Learn takes the next step of the topic bids.
func (l *Landscape) Learn(s *event.BidStep) {
	var b *openBid
	switch s.Step {
	case event.StepBid:
		l.open.open(s)
	case event.StepWin, event.StepBill:
		b = l.open.close(s, bidWon)
	case event.StepLoss:
		if !aboutPrice(s.Reason) {
			l.open.drop(s)
			break
		}
		b = l.open.close(s, bidLost)
	case event.StepExpire:
		b = l.open.close(s, bidLost)
	}
	if s.Late {
		l.tally.late++
	}
	for ; b != nil; b = l.open.advance(s.Time) {
		l.settle(b)
	}
	for b = l.open.advance(s.Time); b != nil; b = l.open.advance(s.Time) {
		l.settle(b)
	}
	if l.learner.count-l.copiedAt >= min(max(1, l.copiedAt/64), publishEvery) {
		l.publish()
	}
}

// publishEvery is after how many observations readers get another model, at the latest.
const publishEvery = 256

// aboutPrice says whether a higher price would have won, by OpenRTB's list of loss reasons: not
// told, below a floor, outbid, or lost to a deal. A creative that is refused says nothing on
// prices.
func aboutPrice(reason int64) bool { return reason == 0 || reason >= 100 && reason <= 103 }

func (l *Landscape) settle(b *openBid) {
	o := b.observe()
	l.learner.learn(&o)
	l.tally.add(b)
	l.open.done(b)
}

// beyond is how far above the value prices are told apart: nothing that is dearer is bought.
const beyond = 1.5

// observe says where the least winning price was. Below the floor, and far above the value, it does
// not matter where.
func (b *openBid) observe() observation {
	o := observation{tokens: b.tokens, n: b.n, low: math.Inf(-1), high: math.Inf(1)}
	u := logMicros(b.price)
	if b.state == bidWon {
		o.high = u
	} else {
		o.low = u
	}
	if b.least == 0 {
		return o
	}
	switch most := max(int64(beyond*float64(b.value)), b.price); {
	case b.least <= b.floor:
		o.high = logMicros(b.floor)
	case b.least > most:
		o.low = logMicros(most)
	default:
		least := logMicros(b.least)
		o.low, o.high = least-step/2, least+step/2
	}
	return o
}

// publish gives readers the model as it is.
func (l *Landscape) publish() {
	m := &snapshot{weights: l.learner.now, center: l.learner.center, count: l.learner.count, about: l.describe()}
	m.tokens = slices.Clone(m.tokens)
	l.current.Store(m)
	l.copiedAt = l.learner.count
}
