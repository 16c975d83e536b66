package report

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// bids adds up the topic bids by campaign. A bid's money, impression and clicks all count at the
// time of the bid, as the ledger counts them to the bid's day. So costs and what they brought are
// of the same bids.
type bids struct {
	period    *period
	order     order
	step      event.BidStep // reused
	seed      maphash.Seed
	open      map[uint64]*bid // by the hash of the bid's id
	untracked int64           // bids beyond maxBids
	campaigns map[string]*campaign
	buckets   []money
	sides     [sides]money
	damaged   int64
}

// maxBids is how many bids are remembered until they are lost, some 100 bytes each. Those that were
// billed are remembered to the end, since clicks may follow.
const maxBids = 2_000_000

// maxCampaigns is how many campaigns are told apart; the others count as one.
const maxCampaigns = 2000

// otherCampaigns is the name of the campaigns beyond maxCampaigns.
const otherCampaigns = "(others)"

// bid is what is remembered of one.
type bid struct {
	campaign         *campaign // nil: its step bid was not read
	time             event.Time
	value            int64 // micros that an impression is worth
	spent, uncovered int64 // micros, by all its bills
	won, billed      bool
}

// campaign is the sums of one, and its budgets as its bidders last told them.
type campaign struct {
	id           string
	now, was     money
	total, daily int64 // micros; 0: none
}

// money is sums over bids; amounts are in micros.
type money struct {
	bids, wins, impressions int64
	spent, worth            int64
	uncovered               int64   // owed beyond the budget
	labelled, positives     []int64 // of each objective: impressions with a label, and positives
	cost                    []int64 // of each objective: what the impressions with a label cost
}

func newBids(p *period, objectives int) *bids {
	b := &bids{period: p, order: order{epoch: -1}, seed: maphash.MakeSeed(), open: map[uint64]*bid{}, campaigns: map[string]*campaign{}, buckets: make([]money, p.buckets())}
	for i := range b.buckets {
		b.buckets[i] = newMoney(objectives)
	}
	for i := range b.sides {
		b.sides[i] = newMoney(objectives)
	}
	return b
}

func newMoney(objectives int) money {
	return money{labelled: make([]int64, objectives), positives: make([]int64, objectives), cost: make([]int64, objectives)}
}

// add counts a step.
func (b *bids) add(r *stream.Record) (event.Time, error) {
	s := &b.step
	if s.UnmarshalJSON(r.Value) != nil {
		b.damaged++
		return 0, nil
	}
	counts := b.order.counts(s)
	switch s.Step {
	case event.StepAllow:
		if counts && s.Time < b.period.to {
			c := b.campaign(s.Campaign)
			c.total, c.daily = s.BudgetTotal, s.BudgetDaily
		}
		return 0, nil
	case event.StepEpoch, event.StepLeave, event.StepSum:
		return 0, nil
	}
	if counts {
		b.apply(s)
	}
	return s.Time, nil
}

func (b *bids) campaign(id string) *campaign {
	c := b.campaigns[id]
	if c == nil {
		if len(b.campaigns) >= maxCampaigns {
			if id = otherCampaigns; b.campaigns[id] != nil {
				return b.campaigns[id]
			}
		}
		n := len(b.sides[0].labelled)
		c = &campaign{id: id, now: newMoney(n), was: newMoney(n)}
		b.campaigns[id] = c
	}
	return c
}

func (b *bids) apply(s *event.BidStep) {
	key := maphash.String(b.seed, s.Bid)
	known := b.open[key]
	if known == nil {
		if s.Step != event.StepBid && s.Step != event.StepWin && s.Step != event.StepBill || b.period.side(s.Time) == outside {
			return
		}
		if len(b.open) >= maxBids {
			b.untracked++
			return
		}
		known = &bid{time: s.Time}
		b.open[key] = known
	}
	switch s.Step {
	case event.StepBid:
		b.begin(known, s)
	case event.StepWin:
		b.win(known)
	case event.StepBill:
		b.bill(known, s)
	case event.StepLoss:
		if !known.won && known.campaign != nil {
			delete(b.open, key)
		}
	}
}

// begin counts a bid. Steps stand on the topic in any order: it may be billed already.
func (b *bids) begin(of *bid, s *event.BidStep) {
	if of.campaign != nil { // reserved anew in a later epoch
		return
	}
	of.campaign, of.time, of.value = b.campaign(s.Campaign), s.Time, s.Value
	b.each(of, func(m *money) {
		m.bids++
		m.wins += int64(b2i(of.won))
		if of.billed {
			m.impressions++
			m.worth += of.value
			m.spent += of.spent
			m.uncovered += of.uncovered
		}
	})
}

// each calls fn with all sums that a bid belongs to: none while its step bid was not read.
func (b *bids) each(of *bid, fn func(*money)) {
	at := b.period.side(of.time)
	if of.campaign == nil || at == outside {
		return
	}
	fn(&b.sides[at])
	if at == before {
		fn(&of.campaign.was)
		return
	}
	fn(&of.campaign.now)
	fn(&b.buckets[b.period.bucket(of.time)])
}

// win counts the first win of a bid.
func (b *bids) win(of *bid) {
	if !of.won {
		of.won = true
		b.each(of, func(m *money) { m.wins++ })
	}
}

// bill counts what is spent. A bill may come without a notice of the win, and a second one may
// lower what the first charged.
func (b *bids) bill(of *bid, s *event.BidStep) {
	b.win(of)
	first := !of.billed
	of.billed = true
	of.spent += s.Spent
	of.uncovered += s.Uncovered
	b.each(of, func(m *money) {
		m.spent += s.Spent
		m.uncovered += s.Uncovered
		if first {
			m.impressions++
			m.worth += of.value
		}
	})
}

// stray is what was billed in the period for bids that are not on the topic, and for how many.
func (b *bids) stray() (spent, n int64) {
	for _, of := range b.open {
		if of.campaign == nil && of.billed && b.period.side(of.time) > before {
			spent += of.spent
			n++
		}
	}
	return spent, n
}

// label counts an example of an objective, if its prediction is a bid that was billed.
func (b *bids) label(objective int, x *event.Example) {
	if len(b.open) == 0 {
		return
	}
	of := b.open[maphash.String(b.seed, x.Prediction)]
	if of == nil || of.campaign == nil || !of.billed {
		return
	}
	b.each(of, func(m *money) {
		m.labelled[objective]++
		m.cost[objective] += of.spent
		if x.Y >= 0.5 {
			m.positives[objective]++
		}
	})
}

// now is the sums of the period.
func (b *bids) now() money {
	all := newMoney(len(b.sides[0].labelled))
	for _, at := range []side{firstHalf, secondHalf} {
		all.plus(&b.sides[at])
	}
	return all
}

func (m *money) plus(o *money) {
	m.bids += o.bids
	m.wins += o.wins
	m.impressions += o.impressions
	m.spent += o.spent
	m.worth += o.worth
	m.uncovered += o.uncovered
	for i := range m.labelled {
		m.labelled[i] += o.labelled[i]
		m.positives[i] += o.positives[i]
		m.cost[i] += o.cost[i]
	}
}

// any tells whether the period has bids.
func (b *bids) any() bool { return b.sides[firstHalf].bids+b.sides[secondHalf].bids > 0 }

// units converts micros.
func units(micros int64) float64 { return float64(micros) / 1e6 }

// winRate, clickRate and the rest are figures of sums. Objectives are named by their place.
func (m *money) winRate() figure { return rate(float64(m.wins), float64(m.bids)) }

func (m *money) positiveRate(objective int) figure {
	return rate(float64(m.positives[objective]), float64(m.labelled[objective]))
}

// perThousand is what a thousand impressions cost. Prices are counted, not estimated.
func (m *money) perThousand() figure {
	if m.impressions == 0 {
		return certain(math.NaN())
	}
	return certain(units(m.spent) / float64(m.impressions) * 1000)
}

// perPositive is what a positive cost: the cost of the impressions that have a label, over their
// positives.
func (m *money) perPositive(objective int) figure {
	return perCount(units(m.cost[objective]), m.positives[objective])
}

// sorted are the campaigns with bids in the period, the largest spend first.
func (b *bids) sorted() []*campaign {
	var list []*campaign
	for _, id := range slices.Sorted(maps.Keys(b.campaigns)) {
		if c := b.campaigns[id]; c.now.bids > 0 {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *campaign) int { return int(max(min(b.now.spent-a.now.spent, 1), -1)) })
	return list
}
