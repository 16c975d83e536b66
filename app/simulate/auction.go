package simulate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// sale is one auction with all that chance has a part in. It is a function of the seed, its number
// and its time, whatever is bid: so several bidders can take part in the same one.
type sale struct {
	n          int64
	id         string
	time       event.Time
	visitor    *visitor
	place      *place
	firstPrice bool
	secure     bool
	tmax       time.Duration
	imps       []offered
}

// offered is one slot of a sale.
type offered struct {
	id    string
	slot  *slot
	floor float64 // USD CPM
	rival float64 // what the highest rival bids; 0: there is none
	// the rival's price is drawn from the slot's market with its median times factor
	factor float64
	// a click happens where its probability is above the number, and a conversion likewise
	click, convert                       float64
	seen                                 bool // whoever wins is shown
	repeats                              bool // notices come twice
	shownAfter, clickAfter, convertAfter time.Duration
	revenue                              float64 // of a conversion, as a multiple of the usual
}

const (
	unseen      = 0.04 // share of wins that are never shown: the visitor has left
	repeated    = 0.01 // share of bids whose notices come twice
	showDelay   = time.Second
	clickDelay  = 12 * time.Second
	mostDelay   = 90 * time.Second // of a click
	buyDelay    = 8 * time.Minute
	mostBuying  = 50 * time.Minute
	floorShare  = 0.25 // a floor is this share of the median, as far as chance does not raise it
	trackedMore = 1.2  // rivals bid so much more for a visitor whom they know
)

// at price rule
const (
	firstPrice  = 1
	secondPrice = 2
)

// sale makes the auction of a number. at is 1 or 2, or 0 for a market in which sales of both kinds
// take turns by chance.
func (w *world) sale(n int64, when event.Time, at int) *sale {
	rng := stream(w.seed, "sale", n)
	v := &w.visitors[rng.IntN(len(w.visitors))]
	p := &w.places[pick(rng, len(w.places), func(i int) float64 { return w.places[i].attraction(v.interest, v.device) })]
	s := &sale{n: n, id: fmt.Sprintf("%x-%d", w.seed, n), time: when, visitor: v, place: p, firstPrice: at == firstPrice, secure: w.secure}
	if coin := rng.IntN(2) == 0; at == 0 {
		s.firstPrice = coin
	}
	s.tmax = time.Duration(100+50*rng.IntN(5)) * time.Millisecond
	first, two := rng.IntN(len(p.slots)), rng.Float64() < twoImps
	s.imps = append(s.imps, s.offer(1, &p.slots[first], rng))
	if two && len(p.slots) > 1 {
		s.imps = append(s.imps, s.offer(2, &p.slots[(first+1)%len(p.slots)], rng))
	}
	return s
}

func (s *sale) offer(number int, on *slot, rng *rand.Rand) offered {
	o := offered{id: fmt.Sprint(number), slot: on, factor: 1}
	if s.visitor.consents {
		o.factor = trackedMore
	}
	o.floor = cents(on.market.median * (floorShare + 0.35*rng.Float64()))
	o.rival = cents(on.market.draw(rng, o.factor))
	o.click, o.convert = rng.Float64(), rng.Float64()
	o.seen, o.repeats = rng.Float64() >= unseen, rng.Float64() < repeated
	o.shownAfter = 200*time.Millisecond + after(rng, showDelay, 10*showDelay)
	o.clickAfter = o.shownAfter + time.Second + after(rng, clickDelay, mostDelay)
	o.convertAfter = o.clickAfter + 20*time.Second + after(rng, buyDelay, mostBuying)
	o.revenue = 0.4 + rng.ExpFloat64()*0.6
	return o
}

// cents rounds a price to whole cents.
func cents(price float64) float64 { return float64(int64(price*100+0.5)) / 100 }

// after draws a delay with a mean, at most most.
func after(rng *rand.Rand, mean, most time.Duration) time.Duration {
	return min(time.Duration(rng.ExpFloat64()*float64(mean)), most)
}

// verdict is what an auction makes of a bid.
type verdict struct {
	won      bool
	paid     float64 // CPM, of a bid that won
	minToWin float64 // the least price that would have won, or tied
	reason   int     // of a loss, by OpenRTB's list
}

// Reasons of a loss.
const (
	lostInvalid = 3
	lostFloor   = 100
	lostOutbid  = 102
)

// increment is what the winner pays above the second price.
const increment = 0.01

// settle is the verdict on a bid of a price. A tie goes to the rival.
func (o *offered) settle(price float64, firstPrice bool) verdict {
	least := max(o.floor, o.rival)
	switch {
	case price < o.floor:
		return verdict{minToWin: least, reason: lostFloor}
	case price <= o.rival:
		return verdict{minToWin: least, reason: lostOutbid}
	case firstPrice:
		return verdict{won: true, paid: price, minToWin: least}
	}
	return verdict{won: true, paid: min(price, least+increment), minToWin: least}
}

// ad is what is shown, as far as it has a part in the rule.
type ad struct {
	creative   string
	advertiser string // by whose rate of conversions it is bought
	about      topic
	format     auction.Format
	size       auction.Size // of a banner
}
