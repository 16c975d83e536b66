package ledger

import (
	"sync"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// allowances bound, for each campaign, what this process has reserved by bids that are not on the
// topic yet. The topic has the bound before it is used.
type allowances struct {
	cfg *Config

	mu  sync.Mutex
	all map[string]*allowance
	// announced are the campaigns of which the topic has an allowance that no step leave has ended
	announced map[string]bool
	unlogged  auction.Micros // the sum of used
}

type allowance struct {
	used    auction.Micros
	most    auction.Micros // 0: none yet
	wanted  auction.Micros
	budget  campaign.Budget // as the topic has it
	asking  campaign.Budget
	expires event.Time
	asked   bool // it is on its way to the topic
	// closed when what was asked last is decided
	ready chan struct{}
}

func newAllowances(cfg *Config) *allowances {
	return &allowances{cfg: cfg, all: map[string]*allowance{}, announced: map[string]bool{}}
}

// endless is the allowance of a campaign without a budget.
const endless auction.Micros = 1_000_000_000

// want is the allowance that a campaign should have, for bids of a price.
func (a *allowances) want(b *campaign.Budget, price auction.Micros) auction.Micros {
	least := auction.Micros(0)
	for _, budget := range []auction.Micros{b.Total, b.Daily} {
		if budget > 0 && (least == 0 || budget < least) {
			least = budget
		}
	}
	if least == 0 {
		return max(endless, 4*price)
	}
	return max(auction.Micros(float64(least)*a.cfg.Unlogged), a.cfg.UnloggedLeast, 4*price)
}

func (a *allowances) ofLocked(id string) *allowance {
	found := a.all[id]
	if found == nil {
		found = &allowance{}
		a.all[id] = found
	}
	return found
}

// take uses price of a campaign's allowance, and returns false where it does not allow it. ask
// tells that the allowance is to be written to the topic (anew), which the caller does.
func (a *allowances) take(c *campaign.Campaign, price auction.Micros, now event.Time) (ok, ask bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.ofLocked(c.ID)
	ok = now < one.expires && one.used+price <= one.most
	if ok {
		one.used += price
		a.unlogged += price
	}
	return ok, a.askLocked(one, c, price, now)
}

// askLocked notes that an allowance goes to the topic, and returns false where it need not, or is
// on its way.
func (a *allowances) askLocked(one *allowance, c *campaign.Campaign, price auction.Micros, now event.Time) bool {
	want := a.want(&c.Budget, price)
	// much less, so that prices of two sizes do not ask in turns
	changed := want > one.most || want < one.most/8 || c.Budget.Total != one.budget.Total || c.Budget.Daily != one.budget.Daily
	if one.asked || !changed && now.Add(a.cfg.Allowance/2) < one.expires {
		return false
	}
	one.asked, one.wanted, one.asking, one.ready = true, want, c.Budget, make(chan struct{})
	a.announced[c.ID] = true
	return true
}

// entry is the step that announces a campaign's allowance.
func (a *allowances) entry(id string, epoch int64, now event.Time) *entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.ofLocked(id)
	e := &entry{step: event.BidStep{Step: event.StepAllow, Campaign: id, Time: now, Epoch: epoch, Expires: now.Add(a.cfg.Allowance),
		Allowance: int64(one.wanted), BudgetTotal: int64(one.asking.Total), BudgetDaily: int64(one.asking.Daily)}}
	budget := one.asking
	e.done = func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		one.asked = false
		close(one.ready)
		if err == nil {
			one.most, one.expires, one.budget = auction.Micros(e.step.Allowance), e.step.Expires, budget
		}
	}
	return e
}

// give returns what take has used: the bid's step is on the topic, or there is no bid.
func (a *allowances) give(id string, price auction.Micros) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.ofLocked(id)
	one.used -= price
	a.unlogged -= price
	if one.used < 0 {
		panic("BUG: more of an allowance is given back than was taken")
	}
}

// renounce ends all allowances, and returns the campaigns that had one on the topic. Nothing may be
// taken meanwhile.
func (a *allowances) renounce() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for id := range a.announced {
		names = append(names, id)
	}
	for _, one := range a.all {
		one.most, one.expires = 0, 0
	}
	return names
}

// left notes that the topic has ended all allowances.
func (a *allowances) left() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.announced)
}

// rejoin takes left back.
func (a *allowances) rejoin(campaigns []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range campaigns {
		a.announced[id] = true
	}
}

// sum is what is reserved and not on the topic.
func (a *allowances) sum() auction.Micros {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unlogged
}
