package retry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPausesDoubleUpToTheLongestAndStartAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Min: 20 * time.Millisecond, Max: 100 * time.Millisecond}
		f := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			if !b.Pause(t.Context()) || time.Since(began) != want {
				t.Errorf("the pause took %v, want %v", time.Since(began), want)
			}
		}
		for _, want := range []time.Duration{20, 40, 80, 100, 100} {
			f(want * time.Millisecond)
		}
		b.Reset()
		f(20 * time.Millisecond)
	})
}

func TestAPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b := Backoff{Min: time.Hour, Max: time.Hour}
		if began := time.Now(); b.Pause(ctx) || time.Since(began) != time.Second {
			t.Errorf("the pause ended after %v", time.Since(began))
		}
	})
}

func TestAFaultThatLastsIsLoggedOnceInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Min: 20 * time.Millisecond, Max: 500 * time.Millisecond, LogFrom: 100 * time.Millisecond}
		began := time.Now()
		var logged []time.Duration
		for time.Since(began) < 25*time.Second {
			if b.ShouldLog() {
				logged = append(logged, time.Since(began))
			}
			b.Pause(t.Context())
		}
		if len(logged) != 3 || logged[0] != 140*time.Millisecond { // after 20, 40 and 80 ms
			t.Fatalf("it was logged at %v", logged)
		}
		for i := range logged[1:] {
			if gap := logged[i+1] - logged[i]; gap <= 10*time.Second || gap > 10500*time.Millisecond {
				t.Errorf("it was logged at %v", logged)
			}
		}
	})
}

func TestPersistEndsWithSuccessAFinalErrorOrItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		fault, final := errors.New("away"), errors.New("never")
		attempts := 0
		err := Persist(t.Context(), logger, "write", func() error {
			if attempts++; attempts < 5 {
				return fault
			}
			return nil
		})
		if err != nil || attempts != 5 || strings.Count(log.String(), "cannot write, repeating") != 1 {
			t.Errorf("%v after %d attempts, log:\n%s", err, attempts, log.String())
		}
		if err := Persist(t.Context(), logger, "write", func() error { return final }, final); err != final {
			t.Errorf("%v, want %v", err, final)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Persist(ctx, logger, "write", func() error { return fault }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
	})
}
