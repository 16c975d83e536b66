// Package retry repeats operations that must not be skipped until they succeed.
package retry

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/clickloop/clickloop/internal/notify"
)

// Persist repeats fn with backoff until it succeeds, its error is one of final, or ctx ends; its
// faults are logged once in ten seconds.
func Persist(ctx context.Context, logger *slog.Logger, what string, fn func() error, final ...error) error {
	wait, warned := 10*time.Millisecond, time.Time{}
	for {
		err := fn()
		if err == nil {
			return nil
		}
		if slices.ContainsFunc(final, func(f error) bool { return errors.Is(err, f) }) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(warned) > 10*time.Second {
			logger.Warn("cannot "+what+", repeating", "err", err)
			warned = time.Now()
		}
		if err := notify.Sleep(ctx, nil, wait); err != nil {
			return err
		}
		wait = min(2*wait, 500*time.Millisecond)
	}
}
