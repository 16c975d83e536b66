package ledger

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// installer makes of a fold what the script's operation install takes.
type installer struct {
	cfg     *Config
	now     event.Time
	members int
	open    int
	items   [][]any
}

// reservedSum is what the open bids of a campaign reserve.
type reservedSum struct {
	total int64
	days  map[string]int64
}

// itemsOf returns the items of a ledger that is made again from a fold. All are absolute, so that
// they may be installed twice. open is how many bids reserve money.
func itemsOf(f *fold, cfg *Config, now event.Time) (items [][]any, open int) {
	in := &installer{cfg: cfg, now: now}
	reserved := map[string]*reservedSum{}
	for id, b := range f.bids {
		switch {
		case b.open():
			in.addOpen(id, b)
			r := reserved[b.step.Campaign]
			if r == nil {
				r = &reservedSum{days: map[string]int64{}}
				reserved[b.step.Campaign] = r
			}
			r.total += b.step.Price
			r.days[b.step.Day] += b.step.Price
		case b.billed:
			in.addBilled(id, b)
		}
	}
	holds := f.holds(now, cfg.Longest)
	for id, c := range f.campaigns {
		r := reserved[id]
		if r == nil {
			r = &reservedSum{}
		}
		in.addCampaign(id, c, r)
		if parts := holds[id]; len(parts) > 0 {
			in.addHolds(id, parts, c.budgetTotal, c.total+r.total)
		}
	}
	return in.items, in.open
}

func (in *installer) add(kind string, values ...any) {
	in.items = append(in.items, append([]any{kind, len(values)}, values...))
}

func (in *installer) addCampaign(id string, c *campaignSum, r *reservedSum) {
	names := map[string]bool{}
	for day := range c.days {
		names[day] = true
	}
	for day := range r.days {
		names[day] = true
	}
	oldest := oldestDay(in.cfg, in.now)
	var days []string
	for day := range names {
		if day >= oldest {
			days = append(days, day+"="+strconv.FormatInt(c.days[day], 10)+"="+strconv.FormatInt(r.days[day], 10))
		}
	}
	slices.Sort(days)
	in.add("c", escape(id), c.total, r.total, c.budgetTotal, c.budgetDaily, strings.Join(days, ","))
}

// addHolds holds back what bidders may have reserved without a step on the topic, but no more than
// the budget has left: all that was reserved was within the budget.
func (in *installer) addHolds(id string, parts []hold, budget, used int64) {
	most := auction.Micros(0)
	values := []any{}
	for _, h := range parts {
		most += h.part
		values = append(values, h.bidder, int64(h.part), int64(h.until))
	}
	held := most
	if budget > 0 {
		held = max(0, min(most, auction.Micros(budget-used)))
	}
	in.add("h", append([]any{escape(id), int64(held), int64(most)}, values...)...)
}

// member is a name in the sets of caps, apart from those of the epoch's own bids, which are
// numbers.
func (in *installer) member() string {
	in.members++
	return "i" + strconv.Itoa(in.members)
}

func capName(campaign, user string) string {
	campaign, user = escape(campaign), escape(user)
	return "u:" + strconv.Itoa(len(campaign)) + ":" + campaign + ":" + user + ":"
}

func (in *installer) addOpen(id string, b *foldedBid) {
	in.open++
	s := &b.step
	state, win, member := "R", "0", ""
	if b.won {
		state, win = "W", "1"
	}
	if s.CapMs > 0 && s.User != "" {
		member = in.member()
		in.add("u", capName(s.Campaign, s.User), member, "+inf", "")
	}
	in.add("b", id, in.record(state, s, member, win, nil), int64(s.Expires))
}

// addBilled keeps a bid that was billed, so that another bill of it charges nothing, and counts the
// impression against the caps.
func (in *installer) addBilled(id string, b *foldedBid) {
	s, bill := b.step, &b.bill
	if s.Campaign == "" { // its step bid is not on the topic
		s.Campaign, s.Day, s.Time, s.Expires = bill.Campaign, bill.Day, bill.Time, bill.Time
	}
	s.User, s.CapMs = bill.User, bill.CapMs
	member, gone := "", bill.Time.Add(time.Duration(bill.CapMs)*time.Millisecond)
	if s.CapMs > 0 && s.User != "" && gone > in.now {
		member = in.member()
		in.add("u", capName(s.Campaign, s.User), member, int64(bill.Time), int64(gone))
	}
	if forget := bill.Time.Add(in.cfg.Late); forget > in.now {
		in.add("b", id, in.record("B", &s, member, "1", b), int64(forget))
	}
}

// record is a bid in the form of the script.
func (in *installer) record(state string, s *event.BidStep, member, win string, b *foldedBid) string {
	r := make(record, recValues)
	for i := range r {
		r[i] = "0"
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	r[recState], r[recPrice], r[recAt], r[recExpires], r[recDay] = state, number(s.Price), number(int64(s.Time)), number(int64(s.Expires)), s.Day
	r[recMember], r[recCap], r[recWin], r[recPending], r[recCall] = member, number(s.CapMs), win, "", ""
	r[recCampaign], r[recUser] = escape(s.Campaign), escape(s.User)
	if b != nil {
		r[recEnded], r[recSpent], r[recPaid], r[recUncovered] = number(int64(b.bill.Time)), number(b.charged), number(b.bill.Paid), number(b.bill.Uncovered)
		r[recLate], r[recOver] = flag(b.bill.Late), flag(b.bill.Overcap)
	}
	return strings.Join(r, "\n")
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
