package simulate

import (
	"maps"
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
)

// Tally counts what became of auctions. Money is in USD, of impressions that were shown.
type Tally struct {
	Requests int64 `json:"requests"`
	// that were offered; of a campaign of the oracle, that it could be shown in
	Slots       int64   `json:"slots"`
	Bids        int64   `json:"bids"`
	Wins        int64   `json:"wins"`
	Shown       int64   `json:"shown"`
	Clicks      int64   `json:"clicks"`
	Conversions int64   `json:"conversions"`
	Revenue     float64 `json:"revenue"` // of conversions
	Spend       float64 `json:"spend"`
	// what the impressions were worth to their campaigns, by the rule
	Worth float64 `json:"worth"`
	// clicks by the rule, as it is known from requests: Clicks without luck
	Expected float64 `json:"expected_clicks"`
	// sum over impressions of the log loss of the rule's probabilities, and of one rate for all
	// that is right on average
	LogLoss float64 `json:"rule_log_loss_sum"`
}

// add adds u to t.
func (t *Tally) add(u *Tally) {
	t.Requests += u.Requests
	t.Slots += u.Slots
	t.Bids += u.Bids
	t.Wins += u.Wins
	t.Shown += u.Shown
	t.Clicks += u.Clicks
	t.Conversions += u.Conversions
	t.Revenue += u.Revenue
	t.Spend += u.Spend
	t.Worth += u.Worth
	t.Expected += u.Expected
	t.LogLoss += u.LogLoss
}

// impression counts an ad that was shown, for paid USD. p is the probability of a click.
func (t *Tally) impression(paid, worth, p float64, clicked, converted bool, revenue float64) {
	t.Shown++
	t.Spend += paid
	t.Worth += worth
	t.Expected += p
	t.LogLoss += loss(p, clicked)
	if clicked {
		t.Clicks++
	}
	if converted {
		t.Conversions++
		t.Revenue += revenue
	}
}

// loss is the log loss of one prediction.
func loss(p float64, happened bool) float64 {
	if happened {
		return -math.Log(p)
	}
	return -math.Log1p(-p)
}

// ratio is a / b, or NaN where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

// WinRate is wins over bids.
func (t *Tally) WinRate() float64 { return ratio(float64(t.Wins), float64(t.Bids)) }

// CTR is clicks over impressions.
func (t *Tally) CTR() float64 { return ratio(float64(t.Clicks), float64(t.Shown)) }

// CVR is conversions over clicks.
func (t *Tally) CVR() float64 { return ratio(float64(t.Conversions), float64(t.Clicks)) }

// ECPM is what a thousand impressions cost.
func (t *Tally) ECPM() float64 { return ratio(1000*t.Spend, float64(t.Shown)) }

// ECPC is what a click costs.
func (t *Tally) ECPC() float64 { return ratio(t.Spend, float64(t.Clicks)) }

// PerUnit is clicks for a unit of spend.
func (t *Tally) PerUnit() float64 { return ratio(float64(t.Clicks), t.Spend) }

// ExpectedPerUnit is PerUnit without luck.
func (t *Tally) ExpectedPerUnit() float64 { return ratio(t.Expected, t.Spend) }

// Surplus is what was got beyond what was paid.
func (t *Tally) Surplus() float64 { return t.Worth - t.Spend }

// series is tallies by minute since start and by campaign; "" has what belongs to no campaign.
type series struct {
	start   event.Time
	minutes []map[string]*Tally
}

// at is the tally of a time and a campaign.
func (s *series) at(t event.Time, campaign string) *Tally {
	minute := int(max(t-s.start, 0) / 60_000)
	for len(s.minutes) <= minute {
		s.minutes = append(s.minutes, map[string]*Tally{})
	}
	m := s.minutes[minute]
	if m[campaign] == nil {
		m[campaign] = &Tally{}
	}
	return m[campaign]
}

// sum adds up the minutes [from, to) of the campaigns that want takes; nil takes all.
func (s *series) sum(from, to int, want func(campaign string) bool) (all Tally) {
	for i := max(from, 0); i < min(to, len(s.minutes)); i++ {
		m := s.minutes[i]
		for _, c := range slices.Sorted(maps.Keys(m)) { // sums depend on their order, a little
			if want == nil || want(c) {
				all.add(m[c])
			}
		}
	}
	return all
}
