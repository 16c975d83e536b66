package ledger

import (
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// place is where a step stands in the order of the ledger.
type place struct{ epoch, seq int64 }

func (p place) before(q place) bool {
	return p.epoch < q.epoch || p.epoch == q.epoch && p.seq < q.seq
}

// fold adds up the topic. Its result is a function of the records: which steps are valid follows
// from the order of the records, and what they add up to from the order of the steps.
type fold struct {
	whole bool // the topic is read from its first step: sums are not needed

	epoch     int64
	seen      seqs // of the epoch
	campaigns map[string]*campaignSum
	bids      map[string]*foldedBid
	bidders   map[string]map[string]allowed // by bidder and campaign
	// bids that were billed before their bidder could bring them into an epoch: their bills name no
	// user
	users map[string]event.BidStep

	void, repeated int64
	time           event.Time // of the latest step
}

// allowed is an allowance on the topic.
type allowed struct {
	most    auction.Micros
	expires event.Time
}

// campaignSum is what a campaign has spent.
type campaignSum struct {
	total  int64
	days   map[string]int64
	base   place // of the step sum that it begins with: the first of its epoch
	based  bool
	recent []spending // of an epoch whose sum was not read yet
	// as the last allowance has them
	budgetTotal, budgetDaily int64
}

type spending struct {
	at     place
	amount int64
	day    string
}

// foldedBid is a bid that is open, was billed, or whose end was read before its begin.
type foldedBid struct {
	bid     place // of the last step bid; zero: not read
	end     place // of the last step that ended it
	step    event.BidStep
	won     bool
	billed  bool
	bill    event.BidStep // the last
	charged int64         // by all bills
}

func (b *foldedBid) open() bool { return b.bid != place{} && b.end.before(b.bid) }

func newFold(whole bool) *fold {
	return &fold{whole: whole, campaigns: map[string]*campaignSum{}, bids: map[string]*foldedBid{}, bidders: map[string]map[string]allowed{}, users: map[string]event.BidStep{}}
}

// add folds the next record's step.
func (f *fold) add(s *event.BidStep) {
	f.time = max(f.time, s.Time)
	if s.Step == event.StepEpoch {
		if s.Epoch > f.epoch {
			f.epoch, f.seen = s.Epoch, seqs{}
		}
		return
	}
	if s.Epoch > f.epoch {
		f.epoch, f.seen = s.Epoch, seqs{} // its begin is before what is read
	}
	switch {
	case s.Epoch != f.epoch:
		f.void++
		return
	case s.Step == event.StepAllow:
		f.allow(s)
		return
	case s.Step == event.StepLeave:
		delete(f.bidders, s.Bidder)
		return
	case s.Step == event.StepBid && s.Seq == 0:
		f.users[s.Bid] = *s
		return
	case s.Seq <= 0 || f.seen.add(s.Seq):
		f.repeated++
		return
	}
	f.apply(s, place{s.Epoch, s.Seq})
}

func (f *fold) allow(s *event.BidStep) {
	c := f.campaign(s.Campaign)
	c.budgetTotal, c.budgetDaily = s.BudgetTotal, s.BudgetDaily
	campaigns := f.bidders[s.Bidder]
	if campaigns == nil {
		campaigns = map[string]allowed{}
		f.bidders[s.Bidder] = campaigns
	}
	a := campaigns[s.Campaign]
	campaigns[s.Campaign] = allowed{max(a.most, auction.Micros(s.Allowance)), max(a.expires, s.Expires)}
}

func (f *fold) apply(s *event.BidStep, at place) {
	if s.Step == event.StepSum {
		f.sum(s, at)
		return
	}
	if s.Spent != 0 {
		f.campaign(s.Campaign).spend(spending{at, s.Spent, s.Day}, f.whole)
	}
	b := f.bids[s.Bid]
	if b == nil {
		b = &foldedBid{}
		f.bids[s.Bid] = b
	}
	switch s.Step {
	case event.StepBid:
		f.campaign(s.Campaign)
		if b.bid.before(at) {
			b.bid, b.step = at, *s
		}
	case event.StepWin:
		b.won = true
		if b.bid == (place{}) {
			b.step.Time = s.Time // so that it can be forgotten
		}
	case event.StepBill:
		b.charged += s.Spent
		if !b.billed || b.end.before(at) {
			b.bill = *s
		}
		b.billed = true
		b.ended(at)
	case event.StepLoss, event.StepExpire:
		b.ended(at)
	}
	if b.bid != (place{}) && !b.open() && !b.billed {
		delete(f.bids, s.Bid)
	}
}

func (b *foldedBid) ended(at place) {
	if b.end.before(at) {
		b.end = at
	}
}

func (f *fold) campaign(id string) *campaignSum {
	c := f.campaigns[id]
	if c == nil {
		c = &campaignSum{days: map[string]int64{}}
		f.campaigns[id] = c
	}
	return c
}

// sum begins a campaign's sums where the topic is not read from its first step. The first sum of
// each epoch begins them anew, since it tells what the ledger that was made again has counted.
func (f *fold) sum(s *event.BidStep, at place) {
	c := f.campaign(s.Campaign)
	if f.whole || c.based && at.epoch <= c.base.epoch {
		return
	}
	c.base, c.based, c.total = at, true, s.SpentTotal
	clear(c.days)
	for _, day := range s.SpentDays {
		c.days[day.Name] = int64(day.Value.Num)
	}
	for _, e := range c.recent {
		if at.before(e.at) {
			c.add(e)
		}
	}
	c.recent = nil
}

func (c *campaignSum) spend(e spending, whole bool) {
	if whole || c.based && c.base.before(e.at) {
		c.add(e)
	}
	if !whole && e.at.epoch > c.base.epoch {
		c.recent = append(c.recent, e)
	}
}

func (c *campaignSum) add(e spending) {
	c.total += e.amount
	c.days[e.day] += e.amount
}

// end ends the fold: a campaign of which no sum was read has spent what was read, and bills get the
// users that only their bidders knew.
func (f *fold) end() {
	for id, s := range f.users {
		if b := f.bids[id]; b != nil && b.billed && b.bill.User == "" {
			b.bill.User, b.bill.CapMs = s.User, s.CapMs
		}
	}
	for _, c := range f.campaigns {
		for _, e := range c.recent {
			if !c.based {
				c.add(e)
			}
		}
		c.recent = nil
	}
}

// hold is what is held back of a campaign for a bidder whose bids may not all be on the topic.
type hold struct {
	bidder string
	part   auction.Micros
	until  event.Time
}

// holds are those of all campaigns at a time.
func (f *fold) holds(now event.Time, longest time.Duration) map[string][]hold {
	all := map[string][]hold{}
	for bidder, campaigns := range f.bidders {
		for id, a := range campaigns {
			// no bid is made after the allowance ends, and none is open longer than this
			if until := a.expires.Add(longest); until > now {
				all[id] = append(all[id], hold{bidder, a.most, until})
			}
		}
	}
	return all
}

// seqs is a set of numbers from 1, most of them close to each other.
type seqs struct{ pages map[int64]*[64]uint64 }

// add adds a number, and tells whether it was there.
func (s *seqs) add(n int64) bool {
	if s.pages == nil {
		s.pages = map[int64]*[64]uint64{}
	}
	page := s.pages[n>>12]
	if page == nil {
		page = &[64]uint64{}
		s.pages[n>>12] = page
	}
	word, bit := &page[n>>6&63], uint64(1)<<(n&63)
	there := *word&bit != 0
	*word |= bit
	return there
}
