package dashboard

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const (
	bidsFirst     = 20_000 // steps that are read when somebody begins to watch
	bidsTurn      = 3_000  // that are read for one state; more are passed over
	mostCampaigns = 1000
	mostMinutes   = 60
	micros        = 1e6
)

const minute = event.Time(60_000)

// bidding follows the steps of bids. It need not read all of them: what campaigns have spent is
// told by the bidder of this process, or by the ledger's sums on the topic and the steps after
// them.
type bidding struct {
	next      int64 // 0: nothing was read
	steps     int64
	skipped   int64
	campaigns map[string]*campaign
	minutes   map[event.Time]int64 // micros spent, by start
}

// campaign is what the steps say of a campaign.
type campaign struct {
	bids, wins      int64
	spent, reserved int64 // micros
	total, daily    int64 // budgets
	exact           bool  // spent begins with a sum
}

func newBidding() *bidding {
	return &bidding{campaigns: map[string]*campaign{}, minutes: map[event.Time]int64{}}
}

// readBidding reads what is new on the topic bids, up to a bound.
func (c *collector) readBidding(ctx context.Context) error {
	const topic = event.TopicBids
	if !c.d.d.Bidding {
		return nil
	}
	b := c.bidding
	if ranges := c.ranges[topic]; len(ranges) > 0 {
		from := b.from(ranges[0])
		to := min(ranges[0].End, from+max(bidsTurn, bidsFirst/4))
		var s event.BidStep
		err := c.span(ctx, topic, 0, from, to, func(r *stream.Record) {
			if err := s.UnmarshalJSON(r.Value); err != nil {
				c.skip(topic)
				return
			}
			c.see(topic, r, s.Time)
			b.add(&s)
		})
		if err != nil {
			return err
		}
		b.next = to
	}
	info := b.describe()
	if c.d.d.Standing != nil {
		info.Campaigns = merge(info.Campaigns, c.d.d.Standing())
	}
	c.state.Bidding = info
	if b.skipped > 0 {
		c.problem("bids and wins are counted from a part of the steps", errors.New("more come than are read; what campaigns have spent is told by the ledger's sums"))
	}
	return nil
}

// from is the offset to read from: at most bidsFirst before the end.
func (b *bidding) from(rg stream.Range) int64 {
	least := max(rg.First, rg.End-bidsFirst)
	switch {
	case b.next == 0, b.next > rg.End: // the first state, or the topic was created again
		return least
	case b.next < least:
		b.skipped += least - b.next
		for _, c := range b.campaigns {
			c.exact = false
		}
		return least
	}
	return b.next
}

func (b *bidding) add(s *event.BidStep) {
	b.steps++
	if s.Campaign == "" {
		return
	}
	c := b.campaigns[s.Campaign]
	if c == nil {
		if len(b.campaigns) >= mostCampaigns {
			return
		}
		c = &campaign{}
		b.campaigns[s.Campaign] = c
	}
	switch s.Step {
	case event.StepBid:
		c.bids++
	case event.StepWin:
		c.wins++
	case event.StepAllow:
		c.total, c.daily = s.BudgetTotal, s.BudgetDaily
		return
	case event.StepSum:
		c.spent, c.exact = s.SpentTotal, true
		return
	}
	c.spent += s.Spent
	c.reserved = max(c.reserved+s.Reserved, 0)
	if s.Spent != 0 {
		b.spend(s.Time-s.Time%minute, s.Spent)
	}
}

func (b *bidding) spend(start event.Time, amount int64) {
	b.minutes[start] += amount
	if len(b.minutes) > mostMinutes {
		oldest := start
		for m := range b.minutes {
			oldest = min(oldest, m)
		}
		delete(b.minutes, oldest)
	}
}

func (b *bidding) describe() *BiddingInfo {
	info := &BiddingInfo{Campaigns: []CampaignInfo{}, SpentPerMinute: []MinuteInfo{}, Steps: b.steps, Skipped: b.skipped}
	for id, c := range b.campaigns {
		told := CampaignInfo{
			ID: id, Spent: float64(c.spent) / micros, Reserved: float64(c.reserved) / micros, Budget: float64(c.total) / micros, Daily: float64(c.daily) / micros,
			Bids: c.bids, Wins: c.wins, Estimated: !c.exact,
		}
		if c.bids > 0 {
			rate := float64(c.wins) / float64(c.bids)
			told.WinRate = &rate
		}
		info.Campaigns = append(info.Campaigns, told)
	}
	slices.SortFunc(info.Campaigns, func(a, b CampaignInfo) int { return cmp.Compare(a.ID, b.ID) })
	for start, spent := range b.minutes {
		info.SpentPerMinute = append(info.SpentPerMinute, MinuteInfo{start, float64(spent) / micros})
	}
	slices.SortFunc(info.SpentPerMinute, func(a, b MinuteInfo) int { return cmp.Compare(a.Start, b.Start) })
	return info
}

// merge takes money from the bidder's own standing, and counts from the steps.
func merge(read, standing []CampaignInfo) []CampaignInfo {
	of := map[string]CampaignInfo{}
	for _, c := range read {
		of[c.ID] = c
	}
	for _, s := range standing {
		c := of[s.ID]
		s.Bids, s.Wins, s.WinRate = c.Bids, c.Wins, c.WinRate
		of[s.ID] = s
	}
	out := []CampaignInfo{}
	for _, c := range of {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b CampaignInfo) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
