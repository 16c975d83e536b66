package ingest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clickloop/clickloop/event"
)

// watermarked is a watermark that other processes move.
type watermarked struct {
	reads  atomic.Int64
	folded atomic.Int64
}

func (w *watermarked) poll() *sharedPoll {
	read := func(ctx context.Context) (event.Time, error) {
		w.reads.Add(1)
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
		return event.Time(w.folded.Load()), ctx.Err()
	}
	return newSharedPoll(read, func() <-chan struct{} { return nil })
}

func TestAThousandWaitsForTheClockReadAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watermarked
		p := w.poll()
		var wg sync.WaitGroup
		for n := range maxWaits {
			wg.Go(func() {
				time.Sleep(time.Duration(n) * 7 * time.Microsecond) // out of step
				if folded, err := p.await(t.Context(), 1000); err != nil || folded != 1000 {
					t.Errorf("%v, %v", folded, err)
				}
			})
		}
		time.Sleep(time.Second)
		before := w.reads.Load()
		time.Sleep(10 * time.Second)
		if n := w.reads.Load() - before; n > 200 {
			t.Errorf("%d reads in ten seconds, want one every %v", n, pollEvery)
		}
		if _, err := p.await(t.Context(), 0); !errors.Is(err, errWaits) {
			t.Errorf("one wait too many: %v", err)
		}
		w.folded.Store(1000)
		began := time.Now()
		wg.Wait()
		if d := time.Since(began); d > 2*pollEvery {
			t.Errorf("the waits end %v after the watermark has come", d)
		}
		time.Sleep(time.Second)
		before = w.reads.Load()
		time.Sleep(time.Second)
		if n := w.reads.Load() - before; n > 0 {
			t.Errorf("%d reads while nobody waits", n)
		}
	})
}

func TestAWaitTakesNoResultThatIsOlderThanItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watermarked
		p := w.poll()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = p.await(ctx, 1000) }) // keeps the poll running
		for n := range 100 {
			time.Sleep(700 * time.Microsecond)
			w.folded.Store(int64(n))
			began := time.Now()
			if folded, err := p.await(t.Context(), 0); err != nil || int(folded) != n || time.Since(began) > 3*time.Millisecond {
				t.Errorf("folded to %v, %v after %v, want %d", folded, err, time.Since(began), n)
			}
		}
		cancel()
		wg.Wait()
	})
}

func TestAWaitThatEndsTellsTheWatermarkAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watermarked
		w.folded.Store(7)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := w.poll()
		if folded, err := p.await(ctx, 1000); err != nil || folded != 7 {
			t.Errorf("%v, %v", folded, err)
		}
		if folded, err := p.await(ctx, 1000); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait without time: %v, %v", folded, err)
		}
	})
}
