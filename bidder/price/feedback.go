package price

import (
	"math"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Feedback keeps what a campaign of the strategy cpa pays for a positive at most at its target, and
// likewise the return of one of the strategy roas at least at its own. It learns from impressions
// whose labels are final, since money is spent at once and positives come later: an impression that
// waits for its label would look like one without a positive.
//
//	factor = calibration * recovery
//
// The calibration is what impressions turned out to be worth by what was expected of them, so a
// network that expects twice too much bids half. The recovery is what they turned out to be worth
// by what was paid, where that is less: a campaign that has paid too much bids less until the mean
// is at its target again. Either begins at 1, as if some positives had come as expected. Both are
// at most 1: a target is a bound.
//
// Evidence fades: it counts half after a week. The methods may be called at once.
type Feedback struct {
	mu                       sync.Mutex
	unit                     float64 // micros
	paid, expected, realized float64
	at                       event.Time
}

const (
	feedbackHalf  = 7 * 24 * time.Hour
	feedbackPrior = 5    // positives
	factorLeast   = 0.05 // so that a campaign goes on learning
)

// NewFeedback returns one for amounts of the scale unit, in micros: what a positive is worth.
func NewFeedback(unit float64) *Feedback { return &Feedback{unit: unit} }

// Add takes an impression whose labels are final: what was paid for it, what was expected of it,
// and what it turned out to be worth (Strategy.Promise), all in micros.
func (f *Feedback) Add(paid, expected, realized float64, now event.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now > f.at {
		keep := math.Exp2(-float64(now.Sub(f.at)) / float64(feedbackHalf))
		f.paid, f.expected, f.realized, f.at = f.paid*keep, f.expected*keep, f.realized*keep, now
	}
	f.paid, f.expected, f.realized = f.paid+paid, f.expected+expected, f.realized+realized
}

// Factor is the control of Strategy.Worth, from 0.05 to 1.
func (f *Feedback) Factor() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	prior := feedbackPrior * f.unit
	if prior <= 0 {
		return 1
	}
	calibration := (f.realized + prior) / (f.expected + prior)
	recovery := (f.realized + prior) / (f.paid + prior)
	return max(min(calibration, 1)*min(recovery, 1), factorLeast)
}

// FeedbackInfo is a Feedback for people.
type FeedbackInfo struct {
	Factor   float64 `json:"factor"`
	Paid     float64 `json:"paid"`     // units of the currency, old evidence faded
	Expected float64 `json:"expected"` // worth of the impressions, as it was expected
	Realized float64 `json:"realized"` // and as it turned out
}

// Describe says what the feedback has learned.
func (f *Feedback) Describe() FeedbackInfo {
	factor := f.Factor()
	f.mu.Lock()
	defer f.mu.Unlock()
	return FeedbackInfo{Factor: factor, Paid: f.paid / 1e6, Expected: f.expected / 1e6, Realized: f.realized / 1e6}
}
