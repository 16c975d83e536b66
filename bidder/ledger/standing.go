package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
)

// Bounds of the numbers that are kept in memory.
const (
	inUse       = time.Minute // in real time, after the last question
	refreshMost = 200         // campaigns of one call
)

// standings keeps the numbers of the campaigns in use.
type standings struct {
	mu  sync.Mutex
	all map[string]*standingOf
}

type standingOf struct {
	campaign *campaign.Campaign
	asked    time.Time
	known    bool
	Standing
}

func newStandings() *standings { return &standings{all: map[string]*standingOf{}} }

// use notes that a campaign is in use.
func (s *standings) use(c *campaign.Campaign) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.all[c.ID]
	if found == nil {
		found = &standingOf{}
		s.all[c.ID] = found
	}
	found.campaign, found.asked = c, time.Now()
}

// Standing returns a campaign's numbers as they were about a second ago, and false where they are
// not known (yet): asking makes them known. Reserved has what is held back, too, and it is what
// bids may not use. It costs no I/O.
func (l *Ledger) Standing(id string) (Standing, bool) {
	l.standings.mu.Lock()
	found := l.standings.all[id]
	if found != nil {
		defer l.standings.mu.Unlock()
		found.asked = time.Now()
		return found.Standing, found.known
	}
	l.standings.mu.Unlock()
	if c := l.campaign(id); c != nil {
		l.standings.use(c)
	}
	return Standing{}, false
}

// refresh reads the numbers of campaigns in use until ctx ends.
func (l *Ledger) refresh(ctx context.Context) error {
	for retry.Sleep(ctx, l.cfg.Refresh) {
		if err := l.refreshOnce(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, errLost) {
			l.logFault(err)
		}
	}
	return ctx.Err()
}

func (l *Ledger) refreshOnce(ctx context.Context) error {
	s := l.sessions.enter()
	if s == nil {
		return nil
	}
	defer s.calls.Done()
	now := l.now()
	names, days := l.standings.list(now)
	for from := 0; from < len(names); from += refreshMost {
		to := min(from+refreshMost, len(names))
		var args []any
		for i := from; i < to; i++ {
			args = append(args, escape(names[i]), days[i])
		}
		answer, err := l.call(ctx, s, now, "read", args)
		if err != nil {
			return err
		}
		if len(answer) != 4*(to-from)+1 {
			return fmt.Errorf("the answer has %d values for %d campaigns", len(answer), to-from)
		}
		open, _ := strconv.ParseInt(answer[len(answer)-1], 10, 64) // the script writes a whole number
		l.open.Store(open)
		l.standings.set(names[from:to], days[from:to], answer, now)
	}
	return nil
}

// list returns the campaigns in use with their days, and forgets the others.
func (s *standings) list(now event.Time) (names, days []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, one := range s.all {
		if time.Since(one.asked) > inUse {
			delete(s.all, id)
			continue
		}
		names, days = append(names, id), append(days, dayOf(one.campaign, now))
	}
	return names, days
}

// reserved is the sum of what campaigns in use have reserved.
func (s *standings) reserved() (sum auction.Micros) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		sum += one.Reserved
	}
	return sum
}

func (s *standings) set(names, days, answer []string, now event.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	amount := func(i int) auction.Micros {
		n, _ := strconv.ParseInt(answer[i], 10, 64) // the script writes whole numbers
		return auction.Micros(n)
	}
	for i := 0; i < len(names); i++ {
		if one := s.all[names[i]]; one != nil {
			one.known = true
			one.Standing = Standing{Spent: amount(4 * i), Reserved: amount(4*i + 1), SpentToday: amount(4*i + 2), ReservedToday: amount(4*i + 3), Day: days[i], At: now}
		}
	}
}
