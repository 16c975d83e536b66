package notice

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/event"
)

// Steps are how far an ad was seen, by their name in URLs, and the types of their events.
var Steps = map[string]string{
	"start": "ad_start", "q1": "ad_first_quartile", "mid": "ad_midpoint", "q3": "ad_third_quartile", "complete": "ad_complete",
	"skip": "ad_skip", "viewable": "ad_viewable",
}

// typeOf is the type of the events of a kind; Progress has that of its step.
var typeOf = [kinds]string{
	Win: event.TypeWin, Bill: event.TypeBilling, Loss: event.TypeLoss, Impression: event.TypeImpression, Click: event.TypeClick,
}

// stepOf is the ledger's step of a kind; empty: it concerns no money.
var stepOf = [kinds]string{Win: event.StepWin, Bill: event.StepBill, Loss: event.StepLoss}

// facts are what is known of a notice.
type facts struct {
	ledger.Result                // once the ledger has it
	price         auction.Micros // 0: left out
	told          bool           // by the notice
	minToWin      auction.Micros
	loss          int64
	now           event.Time
}

// eventID is the same for every notice of one kind of one bid, so they count once.
func eventID(bid, name string) string {
	if id := bid + "/" + name; len(id) <= event.MaxIDBytes {
		return id
	}
	sum := sha256.Sum256([]byte(bid))
	return hex.EncodeToString(sum[:16]) + "/" + name
}

// event is what a notice becomes. It brings the token of the prediction, which feedback may ask
// for: whoever has the notice's has bid.
func (n *Notices) event(k Kind, t *Token, name, kind string, f *facts) event.Event {
	e := event.Event{
		ID: eventID(t.ID, name), Type: kind, Time: f.now, Received: f.now, User: f.User,
		Prediction: t.ID, Token: string(n.deps.Keys.Keys().Append(nil, []byte(t.ID), t.Issued)),
		Request: requestOf(t.ID), Ad: t.Ad, Campaign: t.Campaign,
	}
	number := func(name string, v int64) {
		if v > 0 {
			e.Properties = append(e.Properties, event.Field{Name: name, Value: event.Value{Kind: event.Number, Num: float64(v)}})
		}
	}
	number("price_micros", int64(f.price))
	number("min_to_win_micros", int64(f.minToWin))
	number("loss_reason", f.loss)
	number("uncovered_micros", int64(f.Uncovered))
	if f.Late {
		e.Properties = append(e.Properties, event.Field{Name: "late", Value: event.Value{Kind: event.String, Str: "true"}})
	}
	return e
}

// requestOf is the id of the request of which a prediction is: PredictionID the other way round.
func requestOf(prediction string) string {
	i := strings.LastIndexByte(prediction, '.')
	if i < 0 || i+1 == len(prediction) || strings.Trim(prediction[i+1:], "0123456789") != "" {
		return ""
	}
	return prediction[:i]
}
