package bidder

import (
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/event"
)

// plan counts an auction that a campaign could take part in, and says how it does. Its share is 0
// where the campaign has no money left, as far as the last look at the ledger tells: the ledger
// itself decides.
func (b *Bidder) plan(c *campaign.Campaign, now event.Time) price.Plan {
	s, known := b.ledger.Standing(c.ID)
	p := b.pacer.Plan(c, price.Standing{Spent: s.Spent, Reserved: s.Reserved, SpentToday: s.SpentToday, ReservedToday: s.ReservedToday}, now)
	if known && (c.Budget.Total > 0 && s.Spent+s.Reserved >= c.Budget.Total || c.Budget.Daily > 0 && s.SpentToday+s.ReservedToday >= c.Budget.Daily) {
		p.Share = 0
	}
	return p
}
