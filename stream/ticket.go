package stream

import (
	"context"
	"errors"
	"slices"
)

// Ticket stands for the records of one Enqueue, or for some of them. The zero Ticket stands for no
// record.
type Ticket struct{ from, to int64 }

// Part returns the ticket of the records from <= i < to of t's.
func (t Ticket) Part(from, to int) Ticket { return Ticket{t.from + int64(from), t.from + int64(to)} }

// waiter is a caller that waits for the records of a ticket.
type waiter struct {
	ticket  Ticket
	done    chan error // buffers one
	patient bool       // see AwaitPatiently
}

// failure is records that were not written, by their numbers.
type failure struct {
	from, to int64
	err      error
	bytes    int // of a record that was too large
}

// Await returns what Write would return for the records of t. Any number of callers may wait for a
// record.
func (b *Batcher) Await(ctx context.Context, t Ticket) error { return b.await(ctx, t, false) }

// AwaitPatiently is Await for a caller who does not mind that its records linger.
func (b *Batcher) AwaitPatiently(ctx context.Context, t Ticket) error { return b.await(ctx, t, true) }

func (b *Batcher) await(ctx context.Context, t Ticket, patient bool) error {
	b.mu.Lock()
	if settled, err := b.resultLocked(t); settled || b.ended {
		b.mu.Unlock()
		if !settled {
			return ErrEnded
		}
		return err
	}
	w := &waiter{t, make(chan error, 1), patient}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	if !patient {
		signal(b.hurry)
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	return ctx.Err()
}

// Result says whether the records of t are settled, and how: nil for written ones, a *TooLargeError
// that names those that were refused. Of failures it knows the last maxFailed.
func (b *Batcher) Result(t Ticket) (settled bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.resultLocked(t)
}

func (b *Batcher) resultLocked(t Ticket) (settled bool, err error) {
	if t.to > b.settled {
		return false, nil
	}
	var part *TooLargeError
	for i := range b.failed {
		f := &b.failed[i]
		if f.to <= t.from || f.from >= t.to {
			continue
		}
		large, is := f.err.(*TooLargeError)
		if !is {
			return true, f.err
		}
		if part == nil {
			part = &TooLargeError{Topic: large.Topic, Limit: large.Limit, Mend: large.Mend}
		}
		part.Records, part.Bytes = append(part.Records, int(f.from-t.from)), max(part.Bytes, f.bytes)
	}
	if part == nil {
		return true, nil
	}
	return true, part
}

// failLocked notes which of the oldest records were not written, and returns how many these are:
// those that a *TooLargeError names, else all.
func (b *Batcher) failLocked(records []Record, err error) int {
	n := len(records)
	var large *TooLargeError
	if errors.As(err, &large) {
		n = len(large.Records)
		for _, i := range large.Records {
			number := b.settled + int64(i)
			b.failed = append(b.failed, failure{number, number + 1, large, records[i].size()})
		}
	} else {
		b.failed = append(b.failed, failure{from: b.settled, to: b.settled + int64(n), err: err})
	}
	if excess := len(b.failed) - maxFailed; excess > 0 {
		b.failed = slices.Delete(b.failed, 0, excess)
	}
	return n
}

// wakeLocked answers those whose records are settled.
func (b *Batcher) wakeLocked() {
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool {
		settled, err := b.resultLocked(w.ticket)
		if settled {
			w.done <- err
		}
		return settled
	})
}
