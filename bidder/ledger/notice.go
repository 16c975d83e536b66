package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
)

// Notice notes what became of a bid. It returns once the step is on the topic, so that no crash can
// make the ledger forget what the sender believes to be noted. After an error that is
// ErrUnavailable the sender repeats the notice. A notice that is repeated changes nothing.
//
// A win leaves the money reserved. A bill spends the price that it tells, or the bid's where it
// tells none, and never more than was reserved; a later bill that is the first to tell a price
// lowers what was spent. A loss releases the money, unless the bid was won or billed. A bill of a
// bid whose reservation has ended is charged as far as the budgets have room; the rest is
// Uncovered. A bid counts to the day on which it was made, also when it is billed after midnight.
func (l *Ledger) Notice(ctx context.Context, n Notice) (Result, error) {
	if err := checkNotice(&n); err != nil {
		return Result{}, err
	}
	for {
		result, again, err := l.note(ctx, &n)
		if again {
			if err = ctx.Err(); err == nil {
				continue
			}
		}
		if err != nil && !errors.Is(err, ErrTooLate) {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		l.metrics.countNotice(&n, result, err)
		return result, err
	}
}

func checkNotice(n *Notice) error {
	switch {
	case n.Step != event.StepWin && n.Step != event.StepBill && n.Step != event.StepLoss:
		return field.Wrong("step", "is %q, want win, bill or loss", n.Step)
	case n.Bid == "" || len(n.Bid) > maxID:
		return field.Wrong("bid", "has %d bytes, want from 1 to %d", len(n.Bid), maxID)
	case event.CheckRequestID(n.Bid) != nil:
		return field.Within("bid", event.CheckRequestID(n.Bid))
	case n.Campaign == "" || len(n.Campaign) > maxID:
		return field.Wrong("campaign", "has %d bytes, want from 1 to %d", len(n.Campaign), maxID)
	case n.Reserved < 0 || n.Reserved > maxMicros:
		return field.Wrong("reserved", "is %d micros, want from 0 to %d", n.Reserved, int64(maxMicros))
	case n.Paid < 0 || n.Paid > maxMicros:
		return field.Wrong("paid", "is %d micros, want from 0 to %d", n.Paid, int64(maxMicros))
	case n.Time <= 0:
		return field.Wrong("time", "is missing")
	}
	return nil
}

// note applies a notice once. again says that it is to be applied once more, in an epoch that has
// begun meanwhile, or behind a step that was awaited.
func (l *Ledger) note(ctx context.Context, n *Notice) (result Result, again bool, err error) {
	s, err := l.sessions.await(ctx)
	if err != nil {
		return Result{}, false, err
	}
	answer, err := l.call(ctx, s, n.Time, "notice", l.noticeArgs(n))
	if err == nil && len(answer) != 3 {
		err = fmt.Errorf("the answer to a notice has %d values", len(answer))
	}
	if err != nil {
		s.calls.Done()
		return Result{}, errors.Is(err, errLost), err
	}
	rec, err := parseRecord(answer[2])
	if err != nil {
		s.calls.Done()
		return Result{}, false, err
	}
	s.saw(answer[1])
	done := make(chan error, 1)
	step := l.stepOf(n, rec, answer[1], s.epoch)
	e := l.endEntry(step)
	if step.Step == event.StepWin {
		e.done = nil
	}
	noteEnd := e.done
	e.done = func(err error) {
		if noteEnd != nil {
			noteEnd(err)
		}
		done <- err
	}
	switch answer[0] {
	case "none":
		s.calls.Done()
		return Result{Repeated: true, User: rec.user()}, false, nil
	case "old":
		s.calls.Done()
		return Result{Late: true}, false, ErrTooLate
	case "busy":
		e.step = rec.end(n.Bid, s.epoch)
	}
	err = l.journal.write(e)
	s.calls.Done()
	if err != nil {
		return Result{}, false, err
	}
	select {
	case err = <-done:
	case <-ctx.Done():
		return Result{}, false, ctx.Err()
	}
	if err == nil && answer[0] == "busy" {
		return Result{}, true, l.confirm(ctx, []confirmed{{n.Bid, place{e.step.Epoch, e.step.Seq}}})
	}
	result = Result{Repeated: answer[0] == "again", Late: step.Late, User: rec.user(), Uncovered: auction.Micros(step.Uncovered), Charged: auction.Micros(step.Spent)}
	return result, errors.Is(err, errVoid), err
}

func (l *Ledger) noticeArgs(n *Notice) []any {
	c := l.campaign(n.Campaign)
	total, daily, day := int64(-1), int64(-1), dayOf(c, n.Time)
	if c != nil {
		total, daily = int64(c.Budget.Total), int64(c.Budget.Daily)
	}
	args := []any{n.Step, n.Bid, escape(n.Campaign), int64(n.Reserved), int64(n.Paid), int64(n.Expires), day, l.cfg.Late.Milliseconds(), recoverAfter.Milliseconds(), total, daily}
	if c == nil {
		return append(args, 0)
	}
	return appendCaps(args, c.Caps)
}

// stepOf is the step that a notice makes.
func (l *Ledger) stepOf(n *Notice, rec record, seq string, epoch int64) event.BidStep {
	s := rec.end(n.Bid, epoch)
	if n.Step == event.StepWin {
		s = event.BidStep{Step: event.StepWin, Bid: n.Bid, Campaign: rec.campaign(), Day: rec[recDay], Epoch: epoch, Seq: rec.number(recWin), Time: n.Time}
		s.Late = rec[recState] != "W"
	}
	s.Paid, s.MinToWin, s.Reason = max(s.Paid, int64(n.Paid)), int64(n.MinToWin), n.Reason
	if s.Step == event.StepBill {
		s.Paid = rec.number(recPaid)
	}
	if paid := int64(n.Paid); n.Step == event.StepBill && rec.number(recPrice) > 0 && paid > rec.number(recPrice) {
		l.metrics.overpaid.Inc()
		l.logFault(fmt.Errorf("the bill of bid %s tells %d micros, above the %d that it reserved: these are charged", n.Bid, paid, rec.number(recPrice)))
	}
	return s
}
