package run

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Kafka and Redis are asked once a second, however many clients ask for /readyz.
func TestChecksOfReadinessAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks := 0
		away := errors.New("dial tcp 10.0.0.1:9092: refused")
		r := &readiness{check: func(context.Context) result {
			checks++
			time.Sleep(100 * time.Millisecond)
			return result{away, "Kafka"}
		}}
		all := func() {
			var asked sync.WaitGroup
			for range 1000 {
				asked.Go(func() {
					if got := r.ask(t.Context()); got.err != away || got.cause != "Kafka" {
						t.Errorf("%v", got)
					}
				})
			}
			asked.Wait()
		}
		all()
		time.Sleep(readyFor - 200*time.Millisecond)
		all()
		if checks != 1 {
			t.Errorf("%d checks, want 1", checks)
		}
		time.Sleep(200 * time.Millisecond)
		all()
		if checks != 2 {
			t.Errorf("%d checks after a second, want 2", checks)
		}
	})
}

// A client that leaves takes nothing from those who wait for the same check.
func TestACheckOutlivesTheClientWhoBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &readiness{check: func(ctx context.Context) result {
			select {
			case <-ctx.Done():
				return result{ctx.Err(), "Kafka"}
			case <-time.After(time.Second):
				return result{}
			}
		}}
		gone, leave := context.WithCancel(t.Context())
		go r.ask(gone)
		synctest.Wait()
		leave()
		if got := r.ask(t.Context()); got.err != nil {
			t.Errorf("%v", got.err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		time.Sleep(2 * time.Second)
		go r.ask(t.Context())
		synctest.Wait()
		if got := r.ask(short); got.err == nil {
			t.Error("a client waits longer than it wants")
		}
		time.Sleep(2 * time.Second)
	})
}
