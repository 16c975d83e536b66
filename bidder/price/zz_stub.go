package price

import (
	"context"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
)

// Strategy is what an impression is worth.
type Strategy struct {
	bid     campaign.Bid
	program *expression.Program
	at      []int
	of      int
}

// Compile compiles a strategy.
func Compile(b campaign.Bid, objectives []string) (*Strategy, error) {
	s := &Strategy{bid: b}
	index := func(name string) int {
		for i, o := range objectives {
			if o == name {
				return i
			}
		}
		return 0
	}
	s.of = index(b.Objective)
	if b.Value != "" {
		p, err := expression.Compile(b.Value, expression.Names{Numbers: map[string][]string{"p": objectives}})
		if err != nil {
			return nil, err
		}
		s.program = p
		for _, r := range p.Refs() {
			s.at = append(s.at, index(r.Field))
		}
	}
	return s, nil
}

// Worth is the value in micros.
func (s *Strategy) Worth(p []float64) float64 {
	v := 0.0
	switch s.bid.Strategy {
	case "cpm":
		return s.bid.CPM * 1000
	case "cpa":
		v = p[s.of] * s.bid.Target * 1e6
	case "spend":
		v = p[s.of] * 1e6
	default:
		var run expression.Run
		for _, i := range s.at {
			run.Values = append(run.Values, event.Value{Kind: event.Number, Num: p[i]})
		}
		f, err := s.program.Number(&run)
		if err != nil {
			return 0
		}
		if v = f * 1e6; s.bid.Strategy == "roas" {
			v /= s.bid.Target
		}
	}
	if s.bid.MaxCPM > 0 {
		v = min(v, s.bid.MaxCPM*1000)
	}
	return v
}

// Fixed says that the price is fixed.
func (s *Strategy) Fixed() bool { return s.bid.Strategy == "cpm" }

// Landscape is the model of win rates.
type Landscape struct{}

// Run follows.
func (l *Landscape) Run(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// Offer is a price.
func (l *Landscape) Offer(q *Quote) Offer {
	if q.FirstPrice {
		return Offer{Price: max(q.Floor, q.Value*7/10)}
	}
	return Offer{Price: q.Value}
}

// Pace is money.
type Pace struct {
	Spent, Reserved, SpentToday, ReservedToday auction.Micros
	Day                                        string
	At                                         event.Time
}

// Pacer paces.
type Pacer struct{}

// Share is the share.
func (p *Pacer) Share(c *campaign.Campaign, s Pace, now event.Time) (share, multiplier float64) {
	return 1, 1
}
