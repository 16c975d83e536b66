package ingest

import (
	"context"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// heartbeats are the clock for each of n partitions. They need no trust in keys: partitions are named.
func (c *collector) heartbeats(n int, t event.Time) []stream.Record {
	e := event.Event{Type: event.TypeHeartbeat, Time: t, Received: t}
	value := e.AppendJSON(nil)
	beats := make([]stream.Record, n)
	for p := range beats {
		beats[p] = stream.Record{Partition: p, Key: []byte(event.TypeHeartbeat), Value: value, Headers: c.headers}
	}
	return beats
}

// beat writes the wall's clock to every partition until ctx ends, so that an idle partition holds no label back.
func (c *collector) beat(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if c.clock.Recorded() {
			continue
		}
		n, err := c.client.Partitions(ctx, event.TopicEvents)
		if err != nil {
			continue
		}
		// While one waits for Kafka there is no second: what it would say will be said.
		if done, err := c.enqueueClock(n); err == nil {
			select {
			case <-done: // one that fails is followed by another
			case <-ctx.Done():
			}
		}
	}
}

// enqueueClock puts the clock behind every event that was stamped before it. A request holds the order from when it stamps received to when its events are
// enqueued; so the clock never vouches for an event that is still to come.
func (c *collector) enqueueClock(n int) (<-chan error, error) {
	c.order.Lock()
	defer c.order.Unlock()
	if c.clock.Recorded() { // turned meanwhile
		n = 0
	}
	return c.batcher.Enqueue(c.heartbeats(n, c.clock.Now()))
}
