package ledger

import (
	"context"

	"github.com/clickloop/clickloop/bidder/auction"
)

// awaitFirst announces the allowances of campaigns that have none, as at a start or after a pause,
// and waits until they stand on the topic or ctx ends: without it the first auctions of a campaign
// would be left out. Later ones are announced before they end, and nobody waits for them.
func (l *Ledger) awaitFirst(ctx context.Context, s *session, claims [][]Claim) {
	for i := range claims {
		for j := range claims[i] {
			c := &claims[i][j]
			ready, ask := l.allowances.first(c)
			if ask {
				l.announce(s, c.Campaign.ID, c.Step.Time)
			}
			if ready == nil {
				continue
			}
			select {
			case <-ready:
			case <-ctx.Done():
				return
			}
		}
	}
}

// first returns a channel that is closed when the allowance of a claim's campaign, which has none
// now, is decided; nil when it has one. ask tells that it is to be written to the topic.
func (a *allowances) first(c *Claim) (ready <-chan struct{}, ask bool) {
	price := auction.Micros(c.Step.Price)
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.ofLocked(c.Campaign.ID)
	if c.Step.Time < one.expires && one.most > 0 {
		return nil, false
	}
	ask = a.askLocked(one, c.Campaign, price, c.Step.Time)
	return one.ready, ask
}
