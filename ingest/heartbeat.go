package ingest

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// farewellWait is how long a collector that ends waits for Kafka to take its last events and its
// farewell.
const farewellWait = 3 * time.Second

// collectorName names this start of a collector: another start must not vouch for events that this
// one had in flight.
func collectorName() string {
	const limit = 100
	host, err := os.Hostname()
	if err != nil {
		host = "collector"
	}
	return host[:min(len(host), limit)] + "-" + uuid.NewString()
}

// heartbeats are the clock for each of n partitions. They need no trust in keys: partitions are
// named.
func (c *collector) heartbeats(n int, e event.Event) []stream.Record {
	e.Type = event.TypeHeartbeat
	value := e.AppendJSON(nil)
	beats := make([]stream.Record, n)
	for p := range beats {
		beats[p] = stream.Record{Partition: p, Key: []byte(event.TypeHeartbeat), Value: value, Headers: c.headers}
	}
	return beats
}

// run writes events and heartbeats until ctx ends, then what is still waiting and a farewell.
func (c *collector) run(ctx context.Context) error {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = c.batcher.Run(writing) // its error is that of writing
	}()
	err := c.beat(ctx)
	c.leave(writing)
	stop()
	<-written
	return err
}

// beat writes the wall's clock to every partition until ctx ends, so that an idle partition holds
// no label back. The first heartbeat goes out at once, and when the clock is turned: before it is
// acknowledged the collector takes no events.
func (c *collector) beat(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Heartbeat)
	defer tick.Stop()
	for {
		turned := c.clock.turned.Wait()
		c.beatOnce(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-turned:
		}
	}
}

// beatOnce writes one heartbeat and waits for its acknowledgement: while one waits for Kafka there
// is no second, what it would say will be said.
func (c *collector) beatOnce(ctx context.Context) {
	if c.clock.Recorded() {
		c.beatNewPartitions(ctx)
		return
	}
	n, err := c.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return
	}
	done, stamp, err := c.enqueueClock(n, false)
	if err != nil {
		return
	}
	select {
	case err = <-done: // one that fails is followed by another
	case <-ctx.Done():
		return
	}
	if err == nil && stamp != 0 {
		c.standing.vouch(stamp)
	}
}

// enqueueClock puts the clock behind every event that was stamped before it. A request holds the
// order from when it stamps received to when its events are enqueued; so the clock never vouches
// for an event that is still to come. The farewell is the last: no event is taken behind it.
func (c *collector) enqueueClock(n int, farewell bool) (done <-chan error, stamp event.Time, err error) {
	c.order.Lock()
	defer c.order.Unlock()
	if farewell {
		c.standing.leave()
	}
	// the clock may have been turned meanwhile
	if c.clock.Recorded() || farewell && !c.standing.announced() {
		n = 0
	} else {
		stamp = c.clock.Now()
	}
	done, err = c.batcher.Enqueue(c.heartbeats(n, event.Event{Time: stamp, Received: stamp, Collector: c.name, Leaving: farewell}))
	return done, stamp, err
}

// leave takes no more events, and waits until Kafka has those that wait and, behind them, the
// farewell: so labels need not wait for the lease of a collector that has ended.
func (c *collector) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewellWait)
	defer cancel()
	n, err := c.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		n = 0
	}
	done, stamp, enqueueErr := c.enqueueClock(n, true)
	if err == nil {
		err = enqueueErr
	}
	if err == nil {
		select {
		case err = <-done:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil && stamp != 0 {
		c.logger.Warn("cannot say farewell: labels wait for this collector until its lease has passed", "collector", c.name, "err", err)
	}
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
	done, err := c.batcher.Enqueue(c.heartbeats(n, event.Event{Time: at, Received: at})[from:])
	if err != nil {
		return
	}
	select {
	case err := <-done:
		// else a later one was posted, to all
		if now, _, _ := c.posted.missing(n); err == nil && now == at {
			c.posted.set(at, n)
		}
	case <-ctx.Done():
	}
}
