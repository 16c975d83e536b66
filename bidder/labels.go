package bidder

import (
	"sync"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/event"
)

// labels joins what was paid for impressions with their labels, for the strategies that hold what
// they pay to what it brings.
type labels struct {
	strategies *strategies
	find       func(id string) *campaign.Campaign

	mu    sync.Mutex
	shown map[string]*shown // by bid
	order []string          // of shown, oldest first, from first on
	first int
	run   price.Run
}

// shown is an impression that was paid for and waits for labels.
type shown struct {
	campaign string
	paid     float64
	p, y     []float64 // by objective
	missing  int
}

// mostShown bounds the impressions that wait for their labels; the oldest leave.
const mostShown = 100_000

func newLabels(s *strategies, find func(string) *campaign.Campaign) *labels {
	return &labels{strategies: s, find: find, shown: map[string]*shown{}}
}

// step takes a step of a bid: only bills count.
func (l *labels) step(s *event.BidStep) {
	if s.Step != event.StepBill || s.Spent <= 0 {
		return
	}
	c := l.find(s.Campaign)
	if c == nil {
		return
	}
	if k := l.strategies.of(c); k.err != nil || k.strategy.Steered() != "feedback" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.strategies.objectives)
	if _, again := l.shown[s.Bid]; again {
		return
	}
	l.shown[s.Bid] = &shown{campaign: s.Campaign, paid: float64(s.Spent), p: make([]float64, n), y: make([]float64, n), missing: n}
	if l.order = append(l.order, s.Bid); len(l.order)-l.first > mostShown {
		delete(l.shown, l.order[l.first])
		l.order[l.first] = ""
		l.first++
	}
	if l.first > mostShown {
		l.order, l.first = append([]string(nil), l.order[l.first:]...), 0
	}
}

// label takes the label of an objective. Once an impression has all of them, its campaign's
// feedback learns from it.
func (l *labels) label(objective int, x *event.Example) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shown[x.Prediction]
	if s == nil {
		return
	}
	s.p[objective], s.y[objective] = x.P, x.Y
	if s.missing--; s.missing > 0 {
		return
	}
	delete(l.shown, x.Prediction)
	c := l.find(s.campaign)
	if c == nil {
		return
	}
	k := l.strategies.of(c)
	if k.err != nil {
		return
	}
	expected, err := k.strategy.Promise(&l.run, s.p)
	if err != nil {
		return
	}
	realized, err := k.strategy.Promise(&l.run, s.y)
	if err != nil {
		return
	}
	k.feedback.Add(s.paid, expected, realized, x.Time)
}
