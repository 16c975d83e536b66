package stream

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeatingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{door: &door{}, logger: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		began, attempts := time.Now(), 0
		err := c.retry(ctx, "try", func(context.Context) error { attempts++; return errors.New("away") })
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second+time.Millisecond {
			t.Errorf("it ended after %v with %v", took, err)
		}
		if attempts < 20 || attempts > 30 { // every 500 ms, once it has come there
			t.Errorf("%d attempts in ten seconds", attempts)
		}
	})
}

func TestWhatRepeatingCannotMendEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{door: &door{}, logger: slog.New(slog.DiscardHandler)}
		final := errors.New("never")
		attempts := 0
		err := c.retry(t.Context(), "try", func(context.Context) error { attempts++; return &finalError{final} })
		if err != final || attempts != 1 {
			t.Errorf("%v after %d attempts", err, attempts)
		}
	})
}
