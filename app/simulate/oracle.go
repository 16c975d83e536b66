package simulate

import (
	"fmt"
	"math"
	"slices"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/internal/field"
)

// oracle is a bidder that knows the rule, the law of the rivals' prices, and the traffic of the
// day. It takes part in the same auctions as the bidder, with the same campaigns. It knows of a
// visitor what a request tells.
type oracle struct {
	world   *world
	rule    rule
	believe func(*sale, *offered, ad) (click, conversion float64)
	plans   []*plan
	tallies series
	shown   func(s *sale, o *offered, a ad, clicked bool) // nil: nobody wants to know
}

// plan is a campaign as the oracle runs it.
type plan struct {
	*campaign.Campaign
	objectives map[string]event.Objective
	value      *expression.Program // nil where the strategy has none
	pace       pace
	seen       map[string][]event.Time // impressions by visitor, the newest last
}

// offer is what a campaign would show and bid in an auction.
type offer struct {
	plan  *plan
	ad    ad
	worth float64 // USD an impression
}

// newOracle returns an oracle that runs campaigns. It refuses what it cannot value.
func newOracle(w *world, t *traffic, campaigns []*campaign.Campaign, objectives []event.Objective, start event.Time) (*oracle, error) {
	known := map[string]event.Objective{}
	var names []string
	for _, o := range objectives {
		known[o.Name] = o
		names = append(names, o.Name)
	}
	all := &oracle{world: w, rule: newRule(w.seed), tallies: series{start: start}}
	all.believe = func(s *sale, o *offered, a ad) (click, conversion float64) { return w.told(all.rule, s, o, a) }
	for _, c := range campaigns {
		p := &plan{Campaign: c, objectives: known, seen: map[string][]event.Time{}, pace: newPace(c, t)}
		if c.Bid.Value != "" {
			var err error
			p.value, err = expression.Compile(c.Bid.Value, expression.Names{Numbers: map[string][]string{"p": names}})
			if err != nil {
				return nil, field.Wrong(fmt.Sprintf("campaigns[%s].bid.value", c.ID), "%v: the oracle knows p of objectives only", err)
			}
		}
		if !c.Paused {
			all.plans = append(all.plans, p)
		}
	}
	return all, nil
}

// play bids for every slot of a sale, and counts what becomes of it.
func (x *oracle) play(s *sale) {
	for i := range s.imps {
		o := &s.imps[i]
		for _, best := range x.offers(s, o) {
			if !best.plan.joins(s, i) {
				continue // the next best campaign has its turn
			}
			x.bid(s, o, best)
			break
		}
	}
}

// offers are the best ads of all campaigns that may bid for a slot, what is worth most first.
func (x *oracle) offers(s *sale, o *offered) (all []offer) {
	for _, p := range x.plans {
		if !p.runs(s.time) || len(p.Caps) > 0 && !s.visitor.consents || !reaches(&p.Targeting, s, o) {
			continue
		}
		best, fit := offer{plan: p}, false
		for j := range p.Creatives {
			a, ok := fits(&p.Creatives[j], p.Campaign, s, o)
			if !ok {
				continue
			}
			fit = true
			click, conversion := x.believe(s, o, a)
			if worth := p.worth(click, conversion); worth > best.worth {
				best.ad, best.worth = a, worth
			}
		}
		if fit {
			x.tallies.at(s.time, p.ID).Slots++
		}
		if best.worth*1000 >= o.floor && best.worth > 0 {
			all = append(all, best)
		}
	}
	slices.SortStableFunc(all, func(a, b offer) int {
		switch {
		case a.worth > b.worth:
			return -1
		case a.worth < b.worth:
			return 1
		}
		return 0
	})
	return all
}

func (x *oracle) bid(s *sale, o *offered, b offer) {
	t := x.tallies.at(s.time, b.plan.ID)
	t.Bids++
	price := b.worth * 1000
	if s.firstPrice {
		price = o.slot.market.best(price, o.floor, o.factor)
	}
	v := o.settle(price, s.firstPrice)
	if !v.won {
		return
	}
	t.Wins++
	if !o.seen {
		return
	}
	clicked, converted := outcome(x.rule, s, o, b.ad)
	click, conversion := x.world.told(x.rule, s, o, b.ad)
	t.impression(v.paid/1000, b.plan.worth(click, conversion), click, clicked, converted, o.revenue)
	if x.shown != nil {
		x.shown(s, o, b.ad, clicked)
	}
	b.plan.pace.spend(s.time, v.paid/1000)
	if len(b.plan.Caps) > 0 {
		b.plan.seen[s.visitor.id] = append(b.plan.seen[s.visitor.id], s.time)
	}
}

// outcome is what a visitor does when an ad is shown: chance is the sale's own.
func outcome(r rule, s *sale, o *offered, a ad) (clicked, converted bool) {
	clicked = o.click < r.click(s, o, a)
	return clicked, clicked && o.convert < r.convert(s, a)
}

// runs says whether the campaign is within its time.
func (p *plan) runs(at event.Time) bool {
	return at >= p.Start && (p.End == 0 || at < p.End)
}

// joins says whether the campaign takes part: within its budget, its pace and its caps.
func (p *plan) joins(s *sale, imp int) bool {
	for _, c := range p.Caps {
		seen := 0
		for _, at := range p.seen[s.visitor.id] {
			if s.time.Sub(at) < c.Window {
				seen++
			}
		}
		if seen >= c.Impressions {
			return false
		}
	}
	return p.pace.joins(s.time, stream(uint64(s.n), p.ID, int64(imp)).Float64())
}

// worth is what an impression is worth to the campaign, in USD, by the true probabilities.
func (p *plan) worth(click, conversion float64) float64 {
	worth := 0.0
	switch p.Bid.Strategy {
	case "cpm":
		worth = p.Bid.CPM / 1000
	case "cpa":
		worth = p.Bid.Target * p.probability(p.Bid.Objective, click, conversion)
	case "roas":
		worth = ratio(p.valued(click, conversion), p.Bid.Target)
	case "spend":
		worth = p.pace.each * p.probability(p.Bid.Objective, click, conversion)
	default:
		worth = p.valued(click, conversion)
	}
	if p.Bid.MaxCPM > 0 {
		worth = min(worth, p.Bid.MaxCPM/1000)
	}
	return worth
}

// valued is the campaign's value expression.
func (p *plan) valued(click, conversion float64) float64 {
	if p.value == nil {
		return 0
	}
	var run expression.Run
	for _, ref := range p.value.Refs() {
		run.Values = append(run.Values, event.Value{Kind: event.Number, Num: p.probability(ref.Field, click, conversion)})
	}
	worth, err := p.value.Number(&run)
	if err != nil || math.IsNaN(worth) {
		return 0
	}
	return worth
}

// probability is that of an objective's positive, of those that the world has.
func (p *plan) probability(objective string, click, conversion float64) float64 {
	switch p.objectives[objective].Positive {
	case event.TypeClick:
		return click
	case event.TypeConversion:
		return conversion
	}
	return 0
}
