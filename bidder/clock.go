package bidder

import (
	"context"
	"sync/atomic"

	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/event"
)

// clock is the time of budgets and reservations: the wall's, or in recorded mode the latest that a
// request or a notice has brought; before the first of them, the earliest that there is.
type clock struct {
	wall     func() event.Time
	recorded func() bool
	latest   atomic.Int64
}

func (c *clock) now() event.Time {
	if c.recorded() {
		return event.Time(max(1, c.latest.Load())) // 0 would be no time
	}
	return c.wall()
}

// advance moves recorded time forward. The wall's moves by itself.
func (c *clock) advance(to event.Time) {
	for c.recorded() {
		at := c.latest.Load()
		if int64(to) <= at || c.latest.CompareAndSwap(at, int64(to)) {
			return
		}
	}
}

// timed is a ledger whose clock goes on with the notices.
type timed struct {
	*ledger.Ledger
	clock *clock
}

func (t timed) Notice(ctx context.Context, n ledger.Notice) (ledger.Result, error) {
	t.clock.advance(n.Time)
	return t.Ledger.Notice(ctx, n)
}
