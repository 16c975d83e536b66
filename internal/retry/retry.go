// Package retry repeats what must not be skipped until it succeeds, with growing pauses and few log
// lines.
package retry

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// logEvery is how often a fault that lasts is logged.
const logEvery = 10 * time.Second

// Backoff paces the attempts of one caller: pauses double from Min to Max. It serves one goroutine.
type Backoff struct {
	Min, Max time.Duration
	LogFrom  time.Duration // faults before a pause shorter than this are not worth a log line

	next   time.Duration // 0: Min
	logged time.Time
}

// Reset makes the next pause the shortest one again. A caller resets after an attempt that
// succeeded.
func (b *Backoff) Reset() { b.next = 0 }

// ShouldLog tells whether a fault is to be logged now: at most once in ten seconds.
func (b *Backoff) ShouldLog() bool {
	if max(b.next, b.Min) < b.LogFrom || time.Since(b.logged) <= logEvery {
		return false
	}
	b.logged = time.Now()
	return true
}

// Pause waits before the next attempt. It returns false when ctx ends first.
func (b *Backoff) Pause(ctx context.Context) bool {
	wait := max(b.next, b.Min)
	b.next = min(2*wait, b.Max)
	return Sleep(ctx, wait)
}

// Sleep waits for d. It returns false when ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Persist repeats fn until it succeeds, its error is one of final, or ctx ends. It logs what fn
// fails at as "cannot" and what.
func Persist(ctx context.Context, logger *slog.Logger, what string, fn func() error, final ...error) error {
	backoff := Backoff{Min: 10 * time.Millisecond, Max: 500 * time.Millisecond}
	for {
		err := fn()
		if err == nil {
			return nil
		}
		for _, f := range final {
			if errors.Is(err, f) {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if backoff.ShouldLog() {
			logger.Warn("cannot "+what+", repeating", "err", err)
		}
		if !backoff.Pause(ctx) {
			return ctx.Err()
		}
	}
}
