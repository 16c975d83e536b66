package ingest

import (
	"context"
	"sync"
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
			c.beatNewPartitions(ctx)
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

// posted is the recorded clock as it was posted last, and the number of partitions that it was
// written to.
type posted struct {
	mu         sync.Mutex
	at         event.Time
	partitions int
}

func (p *posted) set(at event.Time, partitions int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.partitions = at, partitions
}

// missing returns the clock when some of n partitions lack it, and from which one on.
func (p *posted) missing(n int) (at event.Time, from int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, p.partitions, p.at != 0 && n > p.partitions
}

// beatNewPartitions writes the recorded clock to partitions that were added since it was posted:
// whoever plays a recording waits until every partition is folded up to it. It vouches for nothing
// that is missing, since events are written to partitions only a while after they were added.
func (c *collector) beatNewPartitions(ctx context.Context) {
	n, err := c.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return
	}
	at, from, ok := c.posted.missing(n)
	if !ok {
		return
	}
	done, err := c.batcher.Enqueue(c.heartbeats(n, at)[from:])
	if err != nil {
		return
	}
	select {
	case err := <-done:
		if now, _, _ := c.posted.missing(n); err == nil && now == at { // else a later one was posted, to all
			c.posted.set(at, n)
		}
	case <-ctx.Done():
	}
}
