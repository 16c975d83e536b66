package notice

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// parameters are what a notice says beside its token. Exchanges leave macros as they are, or put
// nothing, AUDIT or an encrypted text in their place; all that is no number is not told.
type parameters struct {
	token    string
	price    amount
	minToWin amount
	currency string // in capitals; empty: the bid's
	loss     int64  // 0: not told
	step     string // of a Progress
	time     string
}

// amount is a CPM, or why it is none. The text is a label of metrics.
type amount struct {
	cpm    float64
	result string // told, or another of amountResults
}

// What becomes of an amount.
const (
	told      = "told"
	empty     = "empty"
	audit     = "audit"
	unfilled  = "macro"     // such as ${AUCTION_PRICE}
	unread    = "unread"    // such as an encrypted one
	negative  = "negative"  // and NaN
	absurd    = "absurd"    // more than maxCPM, or more than was bid
	elsewhere = "currency"  // in a currency of which no rate is known
	unasked   = "unasked"   // the notice has no such parameter
	maxCPM    = 1_000_000.0 // of any currency
)

var amountResults = []string{told, empty, audit, unfilled, unread, negative, absurd, elsewhere, unasked}

// maxAmount is the most bytes of an amount's text that are looked at.
const maxAmount = 64

// read takes the parameters of a query. Unknown ones are the exchange's own. What cannot be read
// counts as not given.
func read(r *http.Request) parameters {
	values, _ := url.ParseQuery(r.URL.RawQuery) // with all that could be read
	p := parameters{
		token: values.Get("t"), price: amountOf(values, "p"), minToWin: amountOf(values, "m"),
		step: values.Get("e"), time: values.Get("time"), currency: currencyOf(values.Get("c")),
	}
	if code, err := strconv.ParseInt(strings.TrimSpace(values.Get("l")), 10, 64); err == nil && code > 0 && code < 10_000 {
		p.loss = code
	}
	return p
}

func amountOf(values url.Values, name string) amount {
	if !values.Has(name) {
		return amount{result: unasked}
	}
	text := strings.TrimSpace(values.Get(name))
	switch {
	case text == "":
		return amount{result: empty}
	case strings.EqualFold(text, "AUDIT"):
		return amount{result: audit}
	case strings.Contains(text, "${") || strings.Contains(text, "%%"):
		return amount{result: unfilled}
	case len(text) > maxAmount || strings.Trim(text, "0123456789.eE+-") != "":
		return amount{result: unread}
	}
	cpm, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && !math.IsInf(cpm, 0):
		return amount{result: unread}
	case cpm < 0 || math.Signbit(cpm):
		return amount{result: negative}
	case cpm > maxCPM:
		return amount{result: absurd}
	}
	return amount{cpm: cpm, result: told}
}

// currencyOf returns a currency's code, "" where text is none.
func currencyOf(text string) string {
	if len(text) != 3 || strings.Trim(strings.ToUpper(text), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	return strings.ToUpper(text)
}

// micros is a told amount in the account's currency, of one impression; 0 where it is not told.
func (n *Notices) micros(a *amount, p *parameters, t *Token) auction.Micros {
	if a.result != told {
		return 0
	}
	currency := t.Currency
	if p.currency != "" {
		currency = p.currency
	}
	rate := 1.0
	if currency != "" && currency != n.deps.Currency {
		known := false
		if n.deps.Rate != nil {
			rate, known = n.deps.Rate(currency)
		}
		if !known || !(rate > 0) {
			a.result = elsewhere
			return 0
		}
	}
	cpm := a.cpm * rate
	if !(cpm <= maxCPM) {
		a.result = absurd
		return 0
	}
	return auction.Micros(math.Round(cpm * 1000))
}

// paid is the price of a bid that won, at most what was bid: nobody owes more. A price that is
// above it by more than rounding is a mistake, such as one in cents, and not told.
func (n *Notices) paid(p *parameters, t *Token) auction.Micros {
	price := n.micros(&p.price, p, t)
	if float64(price) > 1.01*float64(t.Price)+1 {
		p.price.result = absurd
		return 0
	}
	return min(price, t.Price)
}

// when is the time of a notice, and whether the parameter for it can be read.
func (n *Notices) when(p *parameters) (event.Time, error) {
	if p.time == "" || n.deps.Recorded == nil || !n.deps.Recorded() {
		return n.deps.Now(), nil
	}
	return event.ParseTime(p.time)
}
