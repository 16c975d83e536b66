package bidder

import (
	"net/http"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
)

// mostTold is how many campaigns an answer tells of.
const mostTold = 1000

// handleStatus tells how each campaign stands: its money, as it was about a second ago, and the
// share of auctions in which it takes part.
func (b *Bidder) handleStatus(w http.ResponseWriter, r *http.Request) {
	values, err := inbound.Query(r, "campaign")
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "", err)
		return
	}
	view, only := b.catalogue.View(), values.Get("campaign")
	now := b.clock.now()
	o := strictjson.NewObject(nil)
	o.Text("currency", b.cfg.Currency)
	o.Integer("campaigns", int64(view.Len()))
	o.Key("standing")
	o.Buf = append(o.Buf, '[')
	told := 0
	for _, id := range view.IDs() {
		c := view.Find(id)
		if c == nil || only != "" && id != only || told == mostTold {
			continue
		}
		if told++; told > 1 {
			o.Buf = append(o.Buf, ',')
		}
		o.Buf = b.appendStanding(o.Buf, c, now)
	}
	o.Buf = append(o.Buf, ']')
	b.appendLandscape(&o)
	web.WriteJSON(w, http.StatusOK, o.End())
}

// appendStanding appends what one campaign has spent and reserved, in units of the currency.
func (b *Bidder) appendStanding(dst []byte, c *campaign.Campaign, now event.Time) []byte {
	o := strictjson.NewObject(dst)
	o.Text("campaign", c.ID)
	o.OptionalText("name", c.Name)
	o.Text("strategy", c.Bid.Strategy)
	if c.Budget.Total > 0 {
		o.Number("total", c.Budget.Total.Units())
	}
	if c.Budget.Daily > 0 {
		o.Number("daily", c.Budget.Daily.Units())
	}
	s, known := b.ledger.Standing(c.ID)
	if known {
		o.Number("spent", s.Spent.Units())
		o.Number("reserved", s.Reserved.Units())
		o.OptionalText("day", s.Day)
		o.Number("spent_today", s.SpentToday.Units())
		o.Number("reserved_today", s.ReservedToday.Units())
	}
	return o.End()
}

func (b *Bidder) appendLandscape(*strictjson.Object) {}
