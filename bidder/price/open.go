package price

import (
	"math"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// Bounds of the table of open bids.
const (
	openBids = 1 << 16
	// a bid that says not when it expires, or later, waits so long in ms
	longestWait event.Time = 60 * 60 * 1000
)

// openBid is a bid whose outcome is not learned yet.
type openBid struct {
	id                  uint64 // hash
	at, expires         event.Time
	price, floor, value int64
	least               int64 // the least winning price, as notices told it; 0: they did not
	pwin                float64
	tokens              [maxTokens]uint32
	n                   uint8
	secondPrice         bool
	state               bidState
}

type bidState uint8

const (
	bidOpen bidState = iota
	bidWon
	bidLost
	bidDone // learned, or dropped
)

// table holds the open bids in the order in which they were made.
//
// A win is told within seconds; where an exchange tells no losses, a loss shows when the bid
// expires. Whoever learned each outcome as it comes would see wins only, for as long as bids take
// to expire, whenever there are more bids than before. Outcomes are therefore learned when their
// bids have the age at which nearly all losses are known: horizon. It is a few seconds where losses
// are told, and the time to expire where they are not; the model is behind by as much.
//
// More bids than the table holds are thinned by the hash of their ids, which has nothing to do with
// their outcomes: to drop the oldest would drop losses, since wins have left already.
type table struct {
	bids  []openBid // a ring
	first uint64    // place of the oldest, from the beginning of time
	due   uint64    // bids before it have the age of horizon
	end   uint64
	byID  map[uint64]uint64
	now   event.Time // the greatest time of a step
	thin  uint       // bids are kept whose hash has so many low zero bits
	ages  ages
}

func newTable(size int) table { return table{bids: make([]openBid, size), byID: map[uint64]uint64{}} }

func (t *table) bid(place uint64) *openBid { return &t.bids[place%uint64(len(t.bids))] }

// open takes a new bid.
func (t *table) open(s *event.BidStep) {
	id := xxhash.Sum64String(s.Bid)
	if _, known := t.byID[id]; known || s.Price <= 0 {
		return
	}
	if t.end-t.first == uint64(len(t.bids)) {
		t.makeRoom()
	}
	if !t.keeps(id) {
		return
	}
	expires := s.Expires
	if expires <= s.Time || expires > s.Time+longestWait {
		expires = s.Time + longestWait
	}
	t.byID[id] = t.end
	b := t.bid(t.end)
	t.end++
	*b = openBid{id: id, at: s.Time, expires: expires, price: s.Price, floor: s.Floor, value: s.Value, pwin: s.PWin, secondPrice: !s.FirstPrice}
	b.n = tokensOf(&b.tokens, s.Market)
}

func (t *table) keeps(id uint64) bool { return id&(1<<t.thin-1) == 0 }

// makeRoom removes what is done, and thins what is left where that is much.
func (t *table) makeRoom() {
	t.sweep()
	for t.end-t.first > uint64(len(t.bids))*3/4 {
		t.thin++
		t.sweep()
	}
}

// sweep drops the bids that a thinner table does not keep.
func (t *table) sweep() {
	to, due := t.first, t.first
	for from := t.first; from < t.end; from++ {
		if from == t.due {
			due = to
		}
		b := *t.bid(from)
		if b.state == bidDone || !t.keeps(b.id) {
			delete(t.byID, b.id)
			continue
		}
		*t.bid(to) = b
		t.byID[b.id] = to
		to++
	}
	if t.due == t.end {
		due = to
	}
	t.due, t.end = due, to
}

// close notes the outcome of a bid, and returns it where it is due. Of a bid that is closed
// already only the least winning price is still taken.
func (t *table) close(s *event.BidStep, state bidState) *openBid {
	id := xxhash.Sum64String(s.Bid)
	place, known := t.byID[id]
	if !known {
		return nil
	}
	b := t.bid(place)
	if b.least == 0 {
		b.least = leastOf(b, s, state)
	}
	if b.state != bidOpen {
		return nil
	}
	b.state = state
	if state == bidLost {
		t.ages.add(s.Time - b.at)
	}
	if place < t.due {
		return b
	}
	return nil
}

// leastOf is the least winning price that a notice tells: by its macro, or by what a second-price
// auction took.
func leastOf(b *openBid, s *event.BidStep, state bidState) int64 {
	switch {
	case s.MinToWin > 0 && (s.MinToWin <= b.price) == (state == bidWon):
		return s.MinToWin
	case state == bidWon && b.secondPrice && s.Paid > 0 && s.Paid < b.price:
		return s.Paid
	}
	return 0
}

// drop forgets a bid whose outcome says nothing about prices.
func (t *table) drop(s *event.BidStep) {
	if place, known := t.byID[xxhash.Sum64String(s.Bid)]; known {
		t.done(t.bid(place))
	}
}

func (t *table) done(b *openBid) {
	b.state = bidDone
	delete(t.byID, b.id)
}

// advance moves the clock to a step's time, and returns a bid that is due thereby and closed; nil
// when there is none.
func (t *table) advance(now event.Time) *openBid {
	t.now = max(t.now, now)
	for t.due < t.end {
		b := t.bid(t.due)
		if t.now < b.at+t.ages.horizon(b.expires-b.at) {
			break
		}
		t.due++
		if b.state == bidWon || b.state == bidLost {
			return b
		}
	}
	t.leave()
	return nil
}

// leave frees the places of the oldest bids: of those that are learned, and of those of which the
// log has never told the end.
func (t *table) leave() {
	for t.first < t.due {
		b := t.bid(t.first)
		if b.state != bidDone && t.now < b.expires+longestWait {
			break
		}
		t.done(b)
		t.first++
	}
	if t.thin > 0 && t.end-t.first < uint64(len(t.bids))/4 {
		t.thin--
	}
}

// ages counts how old bids were when their losses became known, by powers of the root of two of
// milliseconds.
type ages struct {
	counts [64]float64
	total  float64
}

const agesKept = 4096 // counts halve when there are so many

func (a *ages) add(age event.Time) {
	a.counts[ageBin(age)]++
	if a.total++; a.total < agesKept {
		return
	}
	for i := range a.counts {
		a.counts[i] /= 2
	}
	a.total /= 2
}

func ageBin(age event.Time) int {
	if age < 1 {
		return 0
	}
	return min(int(2*math.Log2(float64(age)))+1, 63)
}

// horizon is the age at which 95 of 100 losses are known, at most limit.
func (a *ages) horizon(limit event.Time) event.Time {
	if a.total < 20 {
		return limit
	}
	sum := 0.0
	for i, n := range a.counts {
		if sum += n; sum >= 0.95*a.total {
			return min(limit, event.Time(math.Exp2(float64(i)/2)))
		}
	}
	return limit
}
