package price

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// Standing is what a campaign has spent and reserved, over all bidders.
type Standing struct {
	Spent, Reserved           auction.Micros
	SpentToday, ReservedToday auction.Micros // in the budget's zone
}

// Plan is how a campaign takes part in auctions.
type Plan struct {
	// Share is the probability with which it takes part in an auction. The bid's id decides.
	Share float64
	// Multiplier is what a positive is worth to the strategy spend, in micros; 0 for others.
	Multiplier float64
}

// Pacer spreads budgets over their days in proportion to the forecast of auctions. Its target is
// always what is left of the budget by what is left of the auctions:
//
//	share = (budget - spent - part*reserved) / (auctions to come * spent by an auction taken part in)
//
// so that it needs no memory of the past but the forecast: a process that starts again, a budget
// that changes, and a campaign that begins at noon are no special cases. A Share of 1 leaves what
// cannot be spent. The methods may be called at once.
type Pacer struct {
	mu    sync.RWMutex
	paces map[string]*pace

	allMu sync.Mutex
	all   Forecast // of the auctions of all campaigns
}

// maxPaces bounds the campaigns that are remembered; the one that was not asked for longest goes.
const maxPaces = 20_000

// NewPacer returns a Pacer that knows nothing.
func NewPacer() *Pacer { return &Pacer{paces: map[string]*pace{}} }

// How a plan changes.
const (
	tick = time.Minute // between changes
	// Hysteresis: a plan that is off by more than outer is moved, until it is off by less than
	// inner.
	outer, inner   = 0.05, 0.01
	gain           = 0.5 // part of the log of what it is off that a change takes back
	firstShare     = 0.1
	leastShareLeft = 1e-4 // from which a share can grow again
	// micros a positive; it doubles each minute while nothing is spent
	firstMultiplier = 1000
	mostMultiplier  = 1e15
	// by how much what is spent rises with the multiplier, at a guess: its power
	elasticity = 2
	// What an auction costs fades by half in so many auctions taken part in, but not faster than in
	// fastest, nor slower than in slowest.
	evidenceAuctions = 1000
	fastest, slowest = 10 * time.Minute, time.Hour
	// How today's auctions compare to what was foreseen fades by half in knownHalf, and in flatHalf
	// for hours that were never seen. The first begins with levelPrior mean hours as foreseen.
	knownHalf, flatHalf = 6 * time.Hour, 30 * time.Minute
	levelPrior          = 4
	recentPrior         = 0.25
	levelMost           = 4.0
	leastTaken          = 20 // auctions taken part in before their cost is trusted
)

// pace is the state of one campaign.
type pace struct {
	mu       sync.Mutex
	forecast Forecast
	plan     Plan
	moving   bool       // hysteresis: beyond outer, not within inner yet
	tickAt   event.Time // of the last change; 0: none
	seenAt   event.Time

	matched, taken float64 // auctions since the last change; taken is the sum of shares
	spent          float64 // as of the last change, micros
	costs, takes   float64 // evidence: what was spent, for how many auctions, old ones faded
	// of the auctions in hours that are known, of the last minutes of these, and in other hours
	known, recent, flat level
	target              float64 // share, or part of the multiplier, that was wanted last
	released            float64 // reserved micros of bids that have ended, faded
	settled             float64 // what was spent of these

	budget Standing // for Describe
	left   float64  // micros
	// auctions that come until the budget that binds ends
	auctions float64
}

// Plan counts an auction that matches the campaign, and says how to take part. It is called for
// every one, also while the Share is 0.
func (p *Pacer) Plan(c *campaign.Campaign, s Standing, now event.Time) Plan {
	w := p.pace(c.ID)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.matched++
	w.seenAt = now
	if w.tickAt == 0 {
		w.begin(c, s, now)
	} else if now.Sub(w.tickAt) >= tick {
		p.change(w, c, s, now)
	}
	plan := w.plan
	asap := c.Budget.Pacing == "asap" && c.Bid.Strategy != "spend"
	if asap || w.takes == 0 && w.taken < leastTaken { // the first auctions tell what one costs
		plan.Share = 1
	}
	w.taken += plan.Share
	return plan
}

// pace finds the state of a campaign, or makes one.
func (p *Pacer) pace(id string) *pace {
	p.mu.RLock()
	w := p.paces[id]
	p.mu.RUnlock()
	if w != nil {
		return w
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if w = p.paces[id]; w == nil {
		if len(p.paces) >= maxPaces {
			p.forgetLocked()
		}
		w = &pace{}
		p.paces[id] = w
	}
	return w
}

func (p *Pacer) forgetLocked() {
	var oldest string
	var at event.Time = math.MaxInt64
	for id, w := range p.paces {
		w.mu.Lock()
		if w.seenAt < at {
			oldest, at = id, w.seenAt
		}
		w.mu.Unlock()
	}
	delete(p.paces, oldest)
}

// begin takes a campaign up: slowly behind the first auctions, since nothing is known of what they
// cost.
func (w *pace) begin(c *campaign.Campaign, s Standing, now event.Time) {
	w.tickAt, w.spent = now, w.committed(s.Spent, s.Reserved)
	if w.plan.Share == 0 {
		w.plan = Plan{Share: firstShare}
		if c.Bid.Strategy == "spend" {
			w.plan = Plan{Share: 1, Multiplier: firstMultiplier}
		}
	}
	w.forecast.observe(0, now)
}

// committed is what has been spent, and what will have been of what is reserved.
func (w *pace) committed(spent, reserved auction.Micros) float64 {
	return float64(spent) + w.part()*float64(reserved)
}

// part is how much of a reserved amount is spent in the end: all, until losses are seen.
func (w *pace) part() float64 {
	if w.released <= 0 {
		return 1
	}
	return min(w.settled/w.released, 1)
}

// change makes the plan for the next minute.
func (p *Pacer) change(w *pace, c *campaign.Campaign, s Standing, now event.Time) {
	p.allMu.Lock()
	p.all.observe(w.matched, now)
	all := p.all
	p.allMu.Unlock()
	o := newOutlook(&w.forecast, &all)
	o.open = openHours(c)
	w.learn(&o, s, now)
	w.forecast.observe(w.matched, now)
	w.tickAt, w.matched, w.taken, w.budget = now, 0, 0, s

	wanted, bound := w.wanted(c, &o, s, now)
	switch {
	case c.Bid.Strategy == "spend":
		w.steerMultiplier(wanted, bound)
	case bound:
		w.steerShare(wanted)
	default:
		w.plan, w.target = Plan{Share: 1}, 1
	}
}

// learn takes what the last minutes have shown.
func (w *pace) learn(o *outlook, s Standing, now event.Time) {
	since := float64(now.Sub(w.tickAt))
	fade := max(since/float64(slowest), min(since/float64(fastest), w.taken/evidenceAuctions))
	keep := math.Exp2(-fade)
	committed := w.committed(s.Spent, s.Reserved)
	if w.budget == (Standing{}) {
		w.spent = committed // it was not known before: what it has is not the cost of a minute
	}
	w.costs = max(w.costs*keep+committed-w.spent, 0)
	w.takes = w.takes*keep + w.taken
	w.spent = committed
	f := o.between(w.tickAt, now)
	if f.known > f.flat {
		w.known.observe(w.matched, f.known, math.Exp2(-since/float64(knownHalf)))
		w.recent.observe(w.matched, f.known, math.Exp2(-since/float64(flatHalf)))
	} else {
		w.flat.observe(w.matched, f.flat, math.Exp2(-since/float64(flatHalf)))
	}
}

// coming is how many auctions come until then. A day must be busier than its forecast for hours
// before it counts as a busier day, since it may as well have another form, which says nothing of
// the hours to come. That it is quieter is believed at once: a budget that is spent early can be
// slowed down, one that is left at midnight is lost.
func (w *pace) coming(o *outlook, now, until event.Time) float64 {
	f := o.between(now, until)
	known := min(w.known.factor(levelPrior*o.flat), w.recent.factor(recentPrior*o.flat), levelMost)
	return max(f.known*max(known, 1/levelMost)+f.flat*w.flat.factor(0), 1)
}

// wanted is what an auction that matches may cost, in micros. bound is false where there is nothing
// to pace by: no daily budget, and no total budget with an end.
func (w *pace) wanted(c *campaign.Campaign, o *outlook, s Standing, now event.Time) (micros float64, bound bool) {
	micros = math.Inf(1)
	b := &c.Budget
	target := func(left float64, until event.Time) {
		bound = true
		auctions := w.coming(o, now, until)
		if m := max(left, 0) / auctions; m < micros {
			micros, w.left, w.auctions = m, left, auctions
		}
	}
	_, midnight := day(now, b.Zone)
	if c.End > 0 {
		midnight = min(midnight, c.End)
	}
	if b.Daily > 0 {
		target(float64(b.Daily)-w.committed(s.SpentToday, s.ReservedToday), midnight)
	}
	if b.Total > 0 && c.End > now {
		target(float64(b.Total)-w.committed(s.Spent, s.Reserved), c.End)
	}
	return micros, bound
}

// off is by what factor what an auction taken part in may cost differs from what it does; known is
// false while that has not been seen.
func (w *pace) off(wanted float64) (factor float64, known bool) {
	if w.costs <= 0 || w.takes < leastTaken {
		return 2, false
	}
	return wanted * w.takes / w.costs, true
}

func (w *pace) steerShare(wanted float64) {
	if wanted <= 0 {
		w.plan.Share, w.target = 0, 0
		return
	}
	share := max(w.plan.Share, leastShareLeft)
	factor, known := w.off(wanted)
	w.target = min(factor, 1)
	if known {
		factor /= share
	} else {
		w.target = min(2*share, 1)
	}
	w.plan.Share = min(max(share*w.steer(factor, known), leastShareLeft), 1)
}

func (w *pace) steerMultiplier(wanted float64, bound bool) {
	w.plan.Share = 1
	if !bound || wanted <= 0 {
		w.plan.Share = truth(!bound)
		return
	}
	factor, known := w.off(wanted)
	if known {
		factor = math.Pow(factor, 1.0/elasticity)
	}
	by := w.steer(factor, known)
	w.plan.Multiplier = min(max(w.plan.Multiplier*by, firstMultiplier/1e3), mostMultiplier)
	w.target = w.plan.Multiplier
	w.costs *= math.Pow(by, elasticity)
}

// steer is by what a plan that is off by factor is multiplied. It at most doubles.
func (w *pace) steer(factor float64, known bool) float64 {
	if !known {
		return 2
	}
	off := math.Log(max(factor, 1e-9))
	switch {
	case math.Abs(off) > outer:
		w.moving = true
	case math.Abs(off) < inner:
		w.moving = false
	}
	if !w.moving {
		return 1
	}
	return min(math.Exp(gain*off), 2)
}

// openHours tells the hours in which a campaign may bid, as far as its own clock says. Users in
// other zones differ; what matters once the forecast has seen a day is what came.
func openHours(c *campaign.Campaign) func(event.Time) bool {
	if len(c.Targeting.Hours) == 0 {
		return nil
	}
	zone := c.Budget.Zone
	if zone == nil {
		zone = time.UTC
	}
	return func(hour event.Time) bool {
		t := (hour * hourMs).Std().In(zone)
		return slices.ContainsFunc(c.Targeting.Hours, func(h campaign.Hours) bool {
			return t.Hour() >= h.From && t.Hour() < h.To && (len(h.Days) == 0 || slices.Contains(h.Days, int(t.Weekday())))
		})
	}
}

// Learn takes a step of the topic bids: which part of reserved amounts is spent in the end.
func (p *Pacer) Learn(s *event.BidStep) {
	if s.Late || s.Step != event.StepBill && s.Step != event.StepLoss && s.Step != event.StepExpire || s.Reserved >= 0 {
		return
	}
	p.mu.RLock()
	w := p.paces[s.Campaign]
	p.mu.RUnlock()
	if w == nil {
		return // it is not bid for here
	}
	const remembered = 1 - 1.0/1000
	w.mu.Lock()
	defer w.mu.Unlock()
	w.released = w.released*remembered - float64(s.Reserved)
	w.settled = w.settled*remembered + float64(s.Spent)
}
