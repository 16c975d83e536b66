package bidder

import (
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/event"
)

// share is the share of the auctions in which a campaign takes part, and by what its value is
// multiplied. It is 0 where the campaign has no money left, as far as the last look at the ledger
// tells: the ledger itself decides.
func (b *Bidder) share(c *campaign.Campaign, now event.Time) (share, multiplier float64) {
	s, known := b.ledger.Standing(c.ID)
	if known {
		spent := price.Pace{Spent: s.Spent, Reserved: s.Reserved, SpentToday: s.SpentToday, ReservedToday: s.ReservedToday, Day: s.Day, At: s.At}
		if exhausted(&c.Budget, &spent) {
			return 0, 1
		}
		return b.pacer.Share(c, spent, now)
	}
	return b.pacer.Share(c, price.Pace{}, now)
}

// exhausted says whether a budget has no room for any bid.
func exhausted(b *campaign.Budget, s *price.Pace) bool {
	return b.Total > 0 && s.Spent+s.Reserved >= b.Total || b.Daily > 0 && s.SpentToday+s.ReservedToday >= b.Daily
}
