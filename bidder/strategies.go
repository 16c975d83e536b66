package bidder

import (
	"sync"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/price"
)

// strategies keeps the compiled strategies of campaigns, by their ids. A campaign never changes: a
// new version is a new one, and gets a new strategy.
type strategies struct {
	objectives []string
	known      sync.Map // id to compiled
}

type compiled struct {
	of       *campaign.Campaign
	strategy *price.Strategy
	err      error
}

func newStrategies(objectives []string) *strategies { return &strategies{objectives: objectives} }

// of returns the strategy of a campaign.
func (s *strategies) of(c *campaign.Campaign) (*price.Strategy, error) {
	if v, ok := s.known.Load(c.ID); ok {
		if k := v.(*compiled); k.of == c {
			return k.strategy, k.err
		}
	}
	k := &compiled{of: c}
	k.strategy, k.err = price.Compile(c.Bid, s.objectives)
	s.known.Store(c.ID, k)
	return k.strategy, k.err
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
