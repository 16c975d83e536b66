package ledger

import (
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// oracle adds up the topic in the plainest way: all valid steps in their order, one after the
// other, with the budgets checked behind each.
type oracle struct {
	campaigns map[string]*campaign.Campaign
	spent     map[string]int64 // by campaign, and by campaign and day
	reserved  map[string]int64
	bids      map[string]event.BidStep // that are open
	billed    map[string][]event.BidStep
	shown     map[string][]event.Time // impressions by campaign and user, within caps
	known     map[string]bool         // bids with a step
	faults    []string
}

// validSteps are the steps that count, each once, in their order.
func validSteps(steps []event.BidStep) (valid []event.BidStep) {
	epoch := int64(0)
	seen := map[place]bool{}
	for _, s := range steps {
		switch {
		case s.Step == event.StepEpoch:
			epoch = max(epoch, s.Epoch)
		case s.Epoch == epoch && s.Seq > 0 && !seen[place{s.Epoch, s.Seq}]:
			seen[place{s.Epoch, s.Seq}] = true
			valid = append(valid, s)
		}
	}
	slices.SortStableFunc(valid, func(a, b event.BidStep) int {
		if (place{a.Epoch, a.Seq}).before(place{b.Epoch, b.Seq}) {
			return -1
		}
		return 1
	})
	return valid
}

// replay adds up steps as they stand on the topic.
func replay(steps []event.BidStep, campaigns map[string]*campaign.Campaign) *oracle {
	users := map[string]event.BidStep{} // of bids that were billed before their bidder could log them
	for _, s := range steps {
		if s.Step == event.StepBid && s.Seq == 0 {
			users[s.Bid] = s
		}
	}
	o := &oracle{campaigns: campaigns, spent: map[string]int64{}, reserved: map[string]int64{}, bids: map[string]event.BidStep{}, billed: map[string][]event.BidStep{},
		shown: map[string][]event.Time{}, known: map[string]bool{}}
	for _, s := range validSteps(steps) {
		if known, ok := users[s.Bid]; ok && s.Step == event.StepBill && s.User == "" {
			s.User, s.CapMs = known.User, known.CapMs
		}
		o.add(s)
	}
	o.checkCaps()
	return o
}

func (o *oracle) fault(format string, args ...any) {
	o.faults = append(o.faults, fmt.Sprintf(format, args...))
}

func (o *oracle) add(s event.BidStep) {
	daily := s.Campaign + " " + s.Day
	o.known[s.Bid] = true
	switch s.Step {
	case event.StepBid:
		if before, open := o.bids[s.Bid]; open {
			o.fault("bid %s is reserved at %d.%d, and was at %d.%d", s.Bid, s.Epoch, s.Seq, before.Epoch, before.Seq)
		}
		if s.Reserved != s.Price || s.Spent != 0 {
			o.fault("bid %s reserves %d of its price %d, and spends %d", s.Bid, s.Reserved, s.Price, s.Spent)
		}
		o.bids[s.Bid] = s
		o.reserved[s.Campaign] += s.Price
		o.reserved[daily] += s.Price
	case event.StepBill, event.StepLoss, event.StepExpire:
		if b, open := o.bids[s.Bid]; open {
			delete(o.bids, s.Bid)
			o.reserved[s.Campaign] -= b.Price
			o.reserved[b.Campaign+" "+b.Day] -= b.Price
		}
		if s.Step == event.StepBill {
			o.billed[s.Bid] = append(o.billed[s.Bid], s)
			o.spent[s.Campaign] += s.Spent
			o.spent[daily] += s.Spent
			if len(o.billed[s.Bid]) == 1 && s.CapMs > 0 && s.User != "" && !s.Overcap {
				o.shown[s.Campaign+"\n"+s.User] = append(o.shown[s.Campaign+"\n"+s.User], s.Time)
			}
		}
	}
	c := o.campaigns[s.Campaign]
	if c == nil {
		return
	}
	if sum := o.spent[s.Campaign] + o.reserved[s.Campaign]; c.Budget.Total > 0 && sum > int64(c.Budget.Total) {
		o.fault("after %d.%d (%s %s) campaign %s has spent or reserved %d of %d", s.Epoch, s.Seq, s.Step, s.Bid, s.Campaign, sum, c.Budget.Total)
	}
	if sum := o.spent[daily] + o.reserved[daily]; c.Budget.Daily > 0 && s.Day != "" && sum > int64(c.Budget.Daily) {
		o.fault("after %d.%d (%s %s) campaign %s has spent or reserved %d of %d on %s", s.Epoch, s.Seq, s.Step, s.Bid, s.Campaign, sum, c.Budget.Daily, s.Day)
	}
}

// checkCaps looks at every window that ends with an impression.
func (o *oracle) checkCaps() {
	for key, times := range o.shown {
		slices.Sort(times)
		id := key[:slices.Index([]byte(key), '\n')]
		c := o.campaigns[id]
		if c == nil {
			continue
		}
		for _, limit := range c.Caps {
			for i, last := range times {
				n := 0
				for _, at := range times[:i+1] {
					if last.Sub(at) < limit.Window {
						n++
					}
				}
				if n > limit.Impressions {
					o.fault("a user of %s was shown %d impressions within %v up to %v, the cap is %d", id, n, limit.Window, last, limit.Impressions)
				}
			}
		}
	}
}
