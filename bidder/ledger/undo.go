package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/internal/retry"
)

// undos are reservations that are not used, because their answers came too late or never.
type undos struct {
	mu    sync.Mutex
	queue []*reservation
	wake  chan struct{}
	once  sync.Once
}

func (u *undos) signal() chan struct{} {
	u.once.Do(func() { u.wake = make(chan struct{}, 1) })
	return u.wake
}

func (u *undos) add(r *reservation) {
	u.mu.Lock()
	u.queue = append(u.queue, r)
	u.mu.Unlock()
	select {
	case u.signal() <- struct{}{}:
	default: // a signal waits there already
	}
}

func (u *undos) first() *reservation {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.queue) == 0 {
		return nil
	}
	return u.queue[0]
}

func (u *undos) drop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queue = u.queue[1:]
}

func (u *undos) waiting() bool { return u.first() != nil }

// undo gives back a reservation whose bids were not made. They use their allowances until Redis has
// answered.
func (l *Ledger) undo(r *reservation) { l.undos.add(r) }

// undoAll undoes reservations until ctx ends. What is left then expires.
func (l *Ledger) undoAll(ctx context.Context) error {
	backoff := retry.Backoff{Min: 10 * time.Millisecond, Max: 500 * time.Millisecond}
	for {
		r := l.undos.first()
		if r == nil {
			select {
			case <-l.undos.signal():
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		err := l.undoOne(ctx, r)
		if err != nil && !errors.Is(err, errLost) { // what Redis has lost, the topic never had
			l.logFault(err)
			if !backoff.Pause(ctx) {
				return ctx.Err()
			}
			continue
		}
		backoff.Reset()
		l.undos.drop()
		for i := range r.claims {
			l.allowances.give(r.claims[i].step.Campaign, auction.Micros(r.claims[i].step.Price))
		}
	}
}

// undoOne undoes the bids of one reservation. What was reserved is written to the topic, and that
// it was given back.
func (l *Ledger) undoOne(ctx context.Context, r *reservation) error {
	args := []any{recoverAfter.Milliseconds(), l.cfg.Remember.Milliseconds(), r.name}
	for i := range r.claims {
		s := &r.claims[i].step
		args = append(args, s.Bid, escape(s.Campaign), s.Day)
	}
	answer, err := l.call(ctx, r.session, l.now(), "undo", args)
	if err != nil {
		return err
	}
	var steps []*entry
	for i := range r.claims {
		if i >= len(answer) || answer[i] == "" {
			continue
		}
		rec, err := parseRecord(answer[i])
		if err != nil {
			return err
		}
		bid := r.claims[i].step
		bid.Seq = r.session.saw(rec[recBid])
		steps = append(steps, &entry{step: bid, unmade: true})
		if rec[recState] == "L" {
			r.session.saw(rec[recEnd])
			steps = append(steps, l.endEntry(rec.end(bid.Bid, r.session.epoch)))
		}
	}
	return l.journal.write(steps...)
}
