package ingest

import (
	"sync/atomic"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// Clock says what time events are received at. When it is recorded, the times in events are kept
// and a replay's driver moves the watermark; otherwise the wall's clock is stamped on them. It may
// be turned from recorded to wall while it is in use.
type Clock struct {
	now      func() event.Time
	recorded atomic.Bool
	turned   notify.Broadcast
}

// NewClock returns a Clock over now, the wall's clock.
func NewClock(now func() event.Time, recorded bool) *Clock {
	c := &Clock{now: now}
	c.recorded.Store(recorded)
	return c
}

// Recorded says whether times are recorded ones.
func (c *Clock) Recorded() bool { return c.recorded.Load() }

// SetRecorded turns the clock.
func (c *Clock) SetRecorded(recorded bool) {
	c.recorded.Store(recorded)
	c.turned.Fire()
}

// Now is the wall's time.
func (c *Clock) Now() event.Time { return c.now() }

func (c *Clock) mode() string {
	if c.Recorded() {
		return "recorded"
	}
	return "wall"
}
