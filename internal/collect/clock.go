package collect

import (
	"sync/atomic"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// Clock stamps the receipt of events. In mode wall it stamps the wall's time. In mode recorded the
// times in events are kept, and the driver of a replay moves the watermark. It may be turned from
// recorded to wall while it is in use.
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

// Recorded says whether the mode is recorded.
func (c *Clock) Recorded() bool { return c.recorded.Load() }

// SetRecorded changes the mode.
func (c *Clock) SetRecorded(recorded bool) {
	c.recorded.Store(recorded)
	c.turned.Fire()
}

// Now is the wall's time.
func (c *Clock) Now() event.Time { return c.now() }

// Mode is the name of the mode.
func (c *Clock) Mode() string {
	if c.Recorded() {
		return "recorded"
	}
	return "wall"
}

// Reader is the clock of a process that folds records. It is 0 while times are recorded: those are
// held against no clock.
func (c *Clock) Reader() event.Time {
	if c.Recorded() {
		return 0
	}
	return c.Now()
}
