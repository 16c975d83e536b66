package notify

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwaitEndsWithAChangeItsTimeOrItsContext(t *testing.T) {
	f := func(fire, cancel, want time.Duration, wantErr error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var b Broadcast
			ctx, stop := context.WithTimeout(t.Context(), cancel)
			defer stop()
			changed, began := b.Wait(), time.Now()
			timer := time.AfterFunc(fire, b.Fire)
			defer timer.Stop()
			if err := Await(ctx, changed, time.Minute); err != wantErr || time.Since(began) != want {
				t.Errorf("fired after %v, canceled after %v: waited %v, %v", fire, cancel, time.Since(began), err)
			}
		})
	}
	f(time.Second, time.Hour, time.Second, nil)
	f(time.Hour, 2*time.Hour, time.Minute, nil)
	f(time.Hour, time.Second, time.Second, context.DeadlineExceeded)
}

func TestFireWakesWhoeverWaitsAndNobodyLater(t *testing.T) {
	var b Broadcast
	first, second := b.Wait(), b.Wait()
	b.Fire()
	<-first
	<-second
	select {
	case <-b.Wait():
		t.Error("a channel that was taken after the change is closed")
	default:
	}
}
