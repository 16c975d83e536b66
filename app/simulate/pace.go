package simulate

import (
	"math"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// pace spreads a campaign's budget over the traffic of a day that it knows. Every few minutes it
// compares what a slot brings to spend with what is left for each slot to come, and sets the share
// of auctions in which the campaign takes part, or, of the strategy spend, the price of a positive.
type pace struct {
	traffic *traffic
	budget  campaign.Budget
	spends  bool    // the strategy spend
	share   float64 // of auctions
	each    float64 // USD for a positive, of the strategy spend

	day          string
	today, total float64 // USD that are spent
	looked       event.Time
	slots, spent float64 // lately, at a share of 1; older ones fade
	unseen       float64 // spent since looked
}

const (
	lookEvery  = 5 * time.Minute
	fading     = 0.85 // of what was lately, each time
	firstEach  = 0.3
	stepOfEach = 0.15 // most change of the logarithm of each
)

func newPace(c *campaign.Campaign, t *traffic) pace {
	return pace{traffic: t, budget: c.Budget, spends: c.Bid.Strategy == "spend", share: 1, each: firstEach}
}

// joins says whether the campaign takes part in an auction at a time; u is a number of chance.
func (p *pace) joins(at event.Time, u float64) bool {
	p.roll(at)
	if p.left() <= 0 {
		return false
	}
	if p.looked == 0 || at.Sub(p.looked) >= lookEvery {
		p.look(at)
	}
	return u < p.share
}

// spend counts what an impression has cost, in USD.
func (p *pace) spend(at event.Time, amount float64) {
	p.roll(at)
	p.today += amount
	p.total += amount
	p.unseen += amount
}

// roll begins a day.
func (p *pace) roll(at event.Time) {
	if day := at.Std().In(p.zone()).Format(time.DateOnly); day != p.day {
		p.day, p.today = day, 0
	}
}

func (p *pace) zone() *time.Location {
	if p.budget.Zone == nil {
		return time.UTC
	}
	return p.budget.Zone
}

// left is what may be spent today, in USD.
func (p *pace) left() float64 {
	left := math.Inf(1)
	if p.budget.Daily > 0 {
		left = p.budget.Daily.Units() - p.today
	}
	if p.budget.Total > 0 {
		left = min(left, p.budget.Total.Units()-p.total)
	}
	return left
}

// look sets the share, or the price of a positive.
func (p *pace) look(at event.Time) {
	if p.looked > 0 {
		p.slots = p.slots*fading + p.traffic.between(p.looked, at)*p.share
		p.spent = p.spent*fading + p.unseen
	}
	p.looked, p.unseen = at, 0
	left := p.left()
	if math.IsInf(left, 1) || p.budget.Pacing == "asap" || p.slots == 0 {
		return
	}
	local := at.Std().In(p.zone())
	midnight := event.TimeOf(time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, p.zone()))
	wanted := ratio(left, p.traffic.between(at, midnight)) // USD a slot
	is := p.spent / p.slots
	switch {
	case p.spends && is == 0:
		p.each *= math.Exp(stepOfEach)
	case p.spends:
		p.each *= math.Exp(max(-stepOfEach, min(stepOfEach, math.Log(wanted/is))))
	case is > 0:
		p.share = max(0.001, min(1, wanted/is))
	}
}
