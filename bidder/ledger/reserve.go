package ledger

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
)

// Bounds of a claim.
const (
	maxID   = 512 // bytes of a bid's, a campaign's and a user's id
	maxCaps = 16
)

// Reserve reserves the money of bids, in one call of Redis. claims has for each imp of a request
// the bids that could be made, best first: the first that can be reserved is, and the ones behind
// it are Refused. verdicts has the form of claims, and gets what became of each. Claims of one call
// count together. The steps of reserved claims are complete when it returns.
//
// A bid may be made when its verdict is Reserved, and only then. Reserve returns when ctx ends,
// with Unavailable for what it does not know; such bids are not made, and their money is free again
// soon. The error is a *field.Error about a claim that is wrong: then nothing is reserved.
func (l *Ledger) Reserve(ctx context.Context, claims [][]Claim, verdicts [][]Verdict) error {
	if err := l.check(claims, verdicts); err != nil {
		return err
	}
	for i := range claims {
		clear(verdicts[i])
	}
	l.reserve(ctx, claims, verdicts)
	for i := range verdicts {
		for _, v := range verdicts[i] {
			l.metrics.verdicts[v].Inc()
		}
	}
	return nil
}

func (l *Ledger) check(claims [][]Claim, verdicts [][]Verdict) error {
	if len(verdicts) != len(claims) {
		return field.Wrong("verdicts", "has %d imps, want %d", len(verdicts), len(claims))
	}
	for i := range claims {
		if len(verdicts[i]) != len(claims[i]) {
			return field.Wrong(fmt.Sprintf("verdicts[%d]", i), "has %d claims, want %d", len(verdicts[i]), len(claims[i]))
		}
		for j := range claims[i] {
			if err := l.checkClaim(&claims[i][j]); err != nil {
				return field.Within(fmt.Sprintf("claims[%d][%d]", i, j), err)
			}
		}
	}
	return nil
}

func (l *Ledger) checkClaim(c *Claim) error {
	s := &c.Step
	switch {
	case c.Campaign == nil || c.Campaign.ID == "" || len(c.Campaign.ID) > maxID:
		return field.Wrong("campaign", "is missing, or its id is, or has more than %d bytes", maxID)
	case s.Bid == "" || len(s.Bid) > maxID:
		return field.Wrong("bid", "has %d bytes, want from 1 to %d", len(s.Bid), maxID)
	case event.CheckRequestID(s.Bid) != nil:
		return field.Within("bid", event.CheckRequestID(s.Bid))
	case s.Price <= 0 || s.Price > maxMicros:
		return field.Wrong("price", "is %d micros, want from 1 to %d", s.Price, int64(maxMicros))
	case s.Time <= 0 || s.Expires <= s.Time || s.Expires > s.Time.Add(l.cfg.Longest):
		return field.Wrong("expires", "is %v at %v, want a time after that, and at most %v after", s.Expires, s.Time, l.cfg.Longest)
	case len(c.Campaign.Caps) > maxCaps:
		return field.Wrong("campaign.caps", "has %d, want at most %d", len(c.Campaign.Caps), maxCaps)
	case c.Campaign.Budget.Total < 0 || c.Campaign.Budget.Daily < 0 || max(c.Campaign.Budget.Total, c.Campaign.Budget.Daily) > maxMicros:
		return field.Wrong("campaign.budget", "is %d in total and %d a day, want from 0 to %d micros", c.Campaign.Budget.Total, c.Campaign.Budget.Daily, int64(maxMicros))
	}
	return nil
}

// sent is a claim that is asked of Redis.
type sent struct {
	imp, place int
	step       event.BidStep
}

// reservation is one call of Reserve under way. It has copies of the claims, because it may outlast
// the caller.
type reservation struct {
	session *session
	name    string // in Redis, so that only its own bids are undone
	now     event.Time
	claims  []sent
	args    []any
	// the caller and the answer race for who comes first: the one that swaps it
	settled atomic.Bool
	answer  chan reply // buffers one
}

func (l *Ledger) reserve(ctx context.Context, claims [][]Claim, verdicts [][]Verdict) {
	s := l.sessions.enter()
	if s == nil {
		everything(verdicts, Unavailable)
		return
	}
	if _, bytes := l.batcher.Waiting(); bytes > l.cfg.MaxWaiting {
		s.calls.Done()
		everything(verdicts, Unavailable)
		return
	}
	l.awaitFirst(ctx, s, claims)
	r := &reservation{session: s, answer: make(chan reply, 1)}
	l.prepare(r, claims, verdicts)
	if len(r.claims) == 0 {
		s.calls.Done()
		return
	}
	l.store.pipeline.add(&command{ // manage waits for its end, by calls
		script: l.store.script(s.sha, s.epoch, s.seen.Load(), r.now, opReserve), args: r.args, until: time.Now().Add(l.cfg.Call),
		done: func(values []string, err error) { l.answered(r, reply{values, err}) },
	})
	select {
	case got := <-r.answer:
		r.deliver(l.finish(r, got), claims, verdicts)
	case <-ctx.Done():
		if r.settled.CompareAndSwap(false, true) {
			r.deliver(nil, claims, verdicts)
		} else {
			r.deliver(l.finish(r, <-r.answer), claims, verdicts)
		}
	}
}

func everything(verdicts [][]Verdict, v Verdict) {
	for i := range verdicts {
		for j := range verdicts[i] {
			verdicts[i][j] = v
		}
	}
}

// prepare takes the allowances of all claims that may be asked for, and gives the others their
// verdicts.
func (l *Ledger) prepare(r *reservation, claims [][]Claim, verdicts [][]Verdict) {
	r.name = l.bidder[:8] + strconv.FormatUint(l.calls.Add(1), 36)
	r.args = append(make([]any, 0, reserveHead+12*len(claims)), r.name, int64(0), 0)
	for i := range claims {
		for j := range claims[i] {
			c := &claims[i][j]
			r.now = c.Step.Time
			if verdicts[i][j] = l.mayAsk(r.session, c); verdicts[i][j] != Refused {
				continue
			}
			step := c.Step
			step.Step, step.Campaign, step.Day = event.StepBid, c.Campaign.ID, dayOf(c.Campaign, step.Time)
			step.Reserved, step.Spent, step.Epoch = step.Price, 0, r.session.epoch
			step.CapMs = longestWindow(c.Campaign).Milliseconds()
			r.claims = append(r.claims, sent{i, j, step})
			b := &c.Campaign.Budget
			r.args = append(r.args, i, step.Bid, escape(step.Campaign), step.Price, int64(step.Expires), step.Day, int64(b.Total), int64(b.Daily), escape(step.User))
			r.args = appendCaps(r.args, c.Campaign.Caps)
			l.standings.use(c.Campaign)
		}
	}
	r.args[1], r.args[2] = int64(r.now), len(r.claims)
}

// reserveHead is how many values stand before the claims of a reservation: its name, its time, and
// how many there are.
const reserveHead = 3

// claimsOf is how many claims the values of a reservation have.
func claimsOf(args []any) int { return args[reserveHead-1].(int) }

func appendCaps(args []any, caps []campaign.Cap) []any {
	args = append(args, len(caps))
	for _, c := range caps {
		args = append(args, c.Impressions, c.Window.Milliseconds())
	}
	return args
}

// mayAsk returns Refused for a claim that may be asked of Redis, and has taken its allowance then.
func (l *Ledger) mayAsk(s *session, c *Claim) Verdict {
	if len(c.Campaign.Caps) > 0 && (c.Step.User == "" || len(c.Step.User) > maxID) {
		return Capped
	}
	ok, ask := l.allowances.take(c.Campaign, auction.Micros(c.Step.Price), c.Step.Time)
	if ask {
		l.announce(s, c.Campaign.ID, c.Step.Time)
	}
	if !ok {
		return Unavailable
	}
	return Refused
}

// announce writes a campaign's allowance to the topic. It may be used once it stands there.
func (l *Ledger) announce(s *session, id string, now event.Time) {
	e := l.allowances.entry(id, s.epoch, now)
	if err := l.journal.write(e); err != nil {
		e.finish(err)
	}
}

// answered takes the answer of Redis, or an error after which nobody knows what Redis did. The
// caller goes on with it; of one who has left, what may be reserved is undone.
func (l *Ledger) answered(r *reservation, got reply) {
	if r.settled.CompareAndSwap(false, true) {
		r.answer <- got
		return
	}
	defer r.session.calls.Done()
	if _, _, err := l.read(r, got); err != nil {
		l.logFault(err)
	}
	l.undo(r)
}

// finish logs what is reserved, before the caller answers with it, and returns the verdicts of the
// claims; nil: none is known. Bids that Redis may have reserved are undone then, unless it has lost
// them anyway.
func (l *Ledger) finish(r *reservation, got reply) []Verdict {
	defer r.session.calls.Done()
	verdicts, bids, err := l.read(r, got)
	if err != nil {
		l.logFault(err)
		l.undo(r)
		return nil
	}
	if err := l.journal.write(bids...); err != nil {
		l.undo(r)
		return nil
	}
	for i := range r.claims {
		if verdicts[i] != Reserved {
			l.allowances.give(r.claims[i].step.Campaign, auction.Micros(r.claims[i].step.Price))
		}
	}
	return verdicts
}

// read returns the verdicts of an answer, and the steps of what is reserved.
func (l *Ledger) read(r *reservation, got reply) (verdicts []Verdict, bids []*entry, err error) {
	values, err := heard(opReserve, got.values, got.err)
	if err = l.judge(r.session, err); err == nil && len(values) != 2*len(r.claims) {
		err = fmt.Errorf("the answer has %d values for %d claims", len(values), len(r.claims))
	}
	if err != nil {
		return nil, nil, err
	}
	verdicts = make([]Verdict, len(r.claims))
	for i := range r.claims {
		s := &r.claims[i].step
		if verdicts[i] = verdictOf(values[2*i]); verdicts[i] == Reserved {
			s.Seq = r.session.saw(values[2*i+1])
			bids = append(bids, l.bidEntry(s, r.name))
		}
	}
	return verdicts, bids, nil
}

// bidEntry is a bid on its way to the topic. It uses its allowance until it is there.
func (l *Ledger) bidEntry(s *event.BidStep, call string) *entry {
	id, price := s.Campaign, auction.Micros(s.Price)
	return &entry{step: *s, call: call, done: func(err error) {
		if err == nil {
			l.allowances.give(id, price)
		}
	}}
}

// deliver gives the caller's claims their verdicts; nil: none is known.
func (r *reservation) deliver(got []Verdict, claims [][]Claim, verdicts [][]Verdict) {
	for i := range r.claims {
		c := &r.claims[i]
		if got == nil {
			verdicts[c.imp][c.place] = Unavailable
			continue
		}
		verdicts[c.imp][c.place] = got[i]
		if got[i] == Reserved {
			claims[c.imp][c.place].Step = c.step
		}
	}
}

func verdictOf(letter string) Verdict {
	switch letter {
	case "R":
		return Reserved
	case "P":
		return Repeated
	case "T":
		return NoBudget
	case "D":
		return NoDaily
	case "C":
		return Capped
	case "H":
		return Unavailable
	}
	return Refused
}
