package bidder

import (
	"sync"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/price"
)

// strategies keeps the compiled strategies of campaigns, by their ids. A campaign never changes: a
// new version is a new one, and gets a new strategy. What its feedback has learned stays as long as
// the strategy is the same.
type strategies struct {
	objectives []string
	known      sync.Map // id to *compiled
}

// compiled is the strategy of a campaign.
type compiled struct {
	of       *campaign.Campaign
	strategy *price.Strategy
	feedback *price.Feedback
	err      error
}

func newStrategies(objectives []string) *strategies { return &strategies{objectives: objectives} }

// of returns the strategy of a campaign.
func (s *strategies) of(c *campaign.Campaign) *compiled {
	v, ok := s.known.Load(c.ID)
	if ok && v.(*compiled).of == c {
		return v.(*compiled)
	}
	k := &compiled{of: c}
	if k.strategy, k.err = price.Compile(c.Bid, s.objectives); k.err == nil {
		if before, ok := v.(*compiled); ok && before.err == nil && before.of.Bid == c.Bid {
			k.feedback = before.feedback
		} else {
			var run price.Run
			k.feedback = price.NewFeedback(k.strategy.Unit(&run, len(s.objectives)))
		}
	}
	s.known.Store(c.ID, k)
	return k
}

// keep forgets the strategies of campaigns that are gone.
func (s *strategies) keep(has func(id string) bool) {
	s.known.Range(func(id, _ any) bool {
		if !has(id.(string)) {
			s.known.Delete(id)
		}
		return true
	})
}

// control is what steers a strategy: see price.Strategy.Worth.
func (k *compiled) control(p price.Plan) float64 {
	switch k.strategy.Steered() {
	case "feedback":
		return k.feedback.Factor()
	case "multiplier":
		return p.Multiplier
	}
	return 0
}
