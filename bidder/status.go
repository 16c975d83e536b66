package bidder

import (
	"encoding/json"
	"net/http"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
)

// mostTold is how many campaigns an answer tells of.
const mostTold = 1000

// status is what GET /v1/bidding tells. Money is in units of the currency.
type status struct {
	Currency  string              `json:"currency"`
	Campaigns int                 `json:"campaigns"` // in the catalogue
	Standing  []Standing          `json:"standing"`
	WinRates  price.LandscapeInfo `json:"win_rates"`
}

// Standing is how one campaign does: its money as it was about a second ago.
type Standing struct {
	Campaign string        `json:"campaign"`
	Name     string        `json:"name,omitempty"`
	Paused   bool          `json:"paused,omitempty"`
	Strategy string        `json:"strategy"`
	Budget   budgetInfo    `json:"budget"`
	Known    bool          `json:"known"` // else the ledger was not asked yet: ask again
	Spent    float64       `json:"spent"`
	Reserved float64       `json:"reserved"`
	Day      string        `json:"day,omitempty"`
	Today    moneyInfo     `json:"today"`
	Pacing   *pacingInfo   `json:"pacing,omitempty"` // of this process, once it has bid
	Feedback *feedbackInfo `json:"feedback,omitempty"`
}

type (
	budgetInfo struct {
		Total float64 `json:"total"` // 0: no bound
		Daily float64 `json:"daily"`
	}
	moneyInfo struct {
		Spent    float64 `json:"spent"`
		Reserved float64 `json:"reserved"`
	}
	pacingInfo   = price.PacingInfo
	feedbackInfo = price.FeedbackInfo
)

// handleStatus tells how campaigns do, or one of them, and what the model of win rates has learned.
func (b *Bidder) handleStatus(w http.ResponseWriter, r *http.Request) {
	values, err := inbound.Query(r, "campaign")
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "", err)
		return
	}
	view := b.catalogue.View()
	ids := view.IDs()
	if only := values.Get("campaign"); only != "" {
		if view.Find(only) == nil {
			web.Refuse(w, http.StatusNotFound, "not_found", &event.Error{Field: "campaign", Reason: "is " + clip(only) + ", which is not in the catalogue"})
			return
		}
		ids = []string{only}
	}
	s := status{Currency: b.cfg.Currency, Campaigns: view.Len(), WinRates: b.landscape.Describe(), Standing: []Standing{}}
	for _, id := range ids[:min(len(ids), mostTold)] {
		if c := view.Find(id); c != nil {
			s.Standing = append(s.Standing, b.standingOf(c))
		}
	}
	text, err := json.Marshal(&s)
	if err != nil {
		web.Refuse(w, http.StatusInternalServerError, "internal", err)
		return
	}
	web.WriteJSON(w, http.StatusOK, text)
}

// Standing tells how campaigns do, at most mostTold of them. It costs no I/O.
func (b *Bidder) Standing() []Standing {
	view := b.catalogue.View()
	ids := view.IDs()
	var all []Standing
	for _, id := range ids[:min(len(ids), mostTold)] {
		if c := view.Find(id); c != nil {
			if s := b.standingOf(c); s.Known {
				all = append(all, s)
			}
		}
	}
	return all
}

func (b *Bidder) standingOf(c *campaign.Campaign) Standing {
	s, known := b.ledger.Standing(c.ID)
	info := Standing{
		Campaign: c.ID, Name: c.Name, Paused: c.Paused, Strategy: c.Bid.Strategy, Budget: budgetInfo{c.Budget.Total.Units(), c.Budget.Daily.Units()},
		Known: known, Spent: s.Spent.Units(), Reserved: s.Reserved.Units(), Day: s.Day, Today: moneyInfo{s.SpentToday.Units(), s.ReservedToday.Units()},
	}
	if p, ok := b.pacer.Describe(c.ID); ok {
		info.Pacing = &p
	}
	if k := b.strategies.of(c); k.err == nil && k.strategy.Steered() == "feedback" {
		f := k.feedback.Describe()
		info.Feedback = &f
	}
	return info
}

// clip shortens a text from outside for a message.
func clip(s string) string { return headerText(s[:min(len(s), 60)]) }
