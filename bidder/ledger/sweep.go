package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
)

// sweepBids bounds what one call of sweep looks at, since Redis serves nobody else meanwhile.
const sweepBids = 100

// sweepAll ends reservations whose time is over, and forgets what is of no use, until ctx ends. All
// bidders do.
func (l *Ledger) sweepAll(ctx context.Context) error {
	for retry.Sleep(ctx, l.cfg.Sweep/2+time.Duration(rand.Int64N(int64(l.cfg.Sweep)))) {
		s := l.sessions.enter()
		if s == nil {
			continue
		}
		err := l.sweepOnce(ctx, s)
		s.calls.Done()
		if err != nil && ctx.Err() == nil && !errors.Is(err, errLost) {
			l.logFault(err)
		}
	}
	return ctx.Err()
}

// sweepOnce looks at all that is due, up to a bound, so that a session's end does not wait for
// long.
func (l *Ledger) sweepOnce(ctx context.Context, s *session) error {
	for range 20 {
		looked, err := l.sweepSome(ctx, s)
		if err != nil {
			return err
		}
		if looked < sweepBids {
			break
		}
	}
	_, err := l.call(ctx, s, l.now(), "purge", []any{sweepBids})
	return err
}

func (l *Ledger) sweepSome(ctx context.Context, s *session) (looked int, err error) {
	now := l.now()
	answer, err := l.call(ctx, s, now, "sweep", []any{sweepBids, recoverAfter.Milliseconds(), l.cfg.Sum.Milliseconds()})
	if err != nil {
		return 0, err
	}
	var steps []*entry
	for i := 0; i+3 < len(answer); i += 4 {
		kind, id, seq, text := answer[i], answer[i+1], answer[i+2], answer[i+3]
		s.saw(seq)
		if kind == "sum" {
			steps = append(steps, &entry{step: sumStep(id, seq, text, s.epoch, now)})
			continue
		}
		rec, err := parseRecord(text)
		if err != nil {
			return 0, err
		}
		if kind == "expire" {
			l.metrics.expired.Inc()
		}
		steps = append(steps, l.endEntry(rec.end(id, s.epoch)))
	}
	if len(answer) > 0 {
		looked, _ = strconv.Atoi(answer[len(answer)-1]) // the script writes a whole number
	}
	return looked, l.journal.write(steps...)
}

// sumStep is what a campaign has spent, in the form of the script: the total, and DAY=SPENT by
// commas.
func sumStep(campaign, seq, text string, epoch int64, now event.Time) event.BidStep {
	s := event.BidStep{Step: event.StepSum, Campaign: unescape(campaign), Epoch: epoch, Time: now}
	s.Seq, _ = strconv.ParseInt(seq, 10, 64) // the script writes whole numbers, here and below
	total, days, _ := strings.Cut(text, "\n")
	s.SpentTotal, _ = strconv.ParseInt(total, 10, 64)
	for day := range strings.SplitSeq(days, ",") {
		if name, spent, ok := strings.Cut(day, "="); ok {
			n, _ := strconv.ParseFloat(spent, 64)
			s.SpentDays = append(s.SpentDays, event.Field{Name: name, Value: event.Value{Kind: event.Number, Num: n}})
		}
	}
	return s
}
