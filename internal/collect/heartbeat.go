package collect

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// farewellWait is how long a collector that ends waits for Kafka to acknowledge its last events and
// its farewell.
const farewellWait = 3 * time.Second

// newName names one start of a collector. A restarted collector must not vouch for events
// that the one before it had in flight, so each start has a name of its own.
func newName() string {
	const limit = 100
	host, err := os.Hostname()
	if err != nil {
		host = "collector"
	}
	return host[:min(len(host), limit)] + "-" + uuid.NewString()
}

// heartbeats makes one heartbeat for each of n partitions. The partitions are named: a key could
// miss one.
func (c *Collector) heartbeats(n int, e event.Event) []stream.Record {
	e.Type = event.TypeHeartbeat
	value := e.AppendJSON(nil)
	beats := make([]stream.Record, n)
	for p := range beats {
		beats[p] = stream.Record{Partition: p, Key: []byte(event.TypeHeartbeat), Value: value, Headers: c.headers}
	}
	return beats
}

// Run writes events and heartbeats until ctx ends, then the events that still wait and a farewell.
// It runs once.
func (c *Collector) Run(ctx context.Context) error {
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
// no label back. The first heartbeat goes out at once, and so does one when the clock is turned:
// the collector accepts no events before it is acknowledged.
func (c *Collector) beat(ctx context.Context) error {
	tick := time.NewTicker(c.heartbeat)
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

// beatOnce writes one heartbeat and waits for its acknowledgement. While Kafka is away there is no
// second one in flight: the next will say more than it.
func (c *Collector) beatOnce(ctx context.Context) {
	if c.clock.Recorded() {
		c.beatNewPartitions(ctx)
		return
	}
	n, err := c.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return
	}
	queued, stamp, err := c.enqueueClock(n, false)
	if err == nil && c.batcher.Await(ctx, queued) == nil && stamp != 0 {
		c.standing.vouch(stamp)
	}
}

// enqueueClock puts the clock behind every event that was stamped before it. A request holds the
// order from the moment at which it stamps received until its events are enqueued, so the clock
// never vouches for an event that is still to come. The farewell is the last record: no event is
// accepted behind it.
func (c *Collector) enqueueClock(n int, farewell bool) (queued stream.Ticket, stamp event.Time, err error) {
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
	queued, err = c.batcher.Enqueue(c.heartbeats(n, event.Event{Time: stamp, Received: stamp, Collector: c.name, Leaving: farewell}))
	return queued, stamp, err
}

// leave accepts no more events. It waits until Kafka has the events in flight and the farewell
// behind them, so that labels need not wait until the lease of this collector has passed.
func (c *Collector) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewellWait)
	defer cancel()
	n, err := c.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		n = 0
	}
	queued, stamp, enqueueErr := c.enqueueClock(n, true)
	if err == nil {
		err = enqueueErr
	}
	if err == nil {
		err = c.batcher.Await(ctx, queued)
	}
	if err != nil && stamp != 0 {
		c.logger.Warn("cannot say farewell: labels wait for this collector until its lease has passed", "collector", c.name, "err", err)
	}
}

// posted is the recorded clock that was posted last, and the number of partitions that got it.
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

// missing returns the clock, and the first partition without it, when some of n partitions lack it.
func (p *posted) missing(n int) (at event.Time, from int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, p.partitions, p.at != 0 && n > p.partitions
}

// beatNewPartitions writes the recorded clock to partitions that were added since it was posted:
// the driver of a replay waits until every partition is folded up to it. It vouches for no event
// that is still to come, since producers choose a new partition only a while after it was added.
func (c *Collector) beatNewPartitions(ctx context.Context) {
	n, err := c.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return
	}
	at, from, ok := c.posted.missing(n)
	if !ok {
		return
	}
	queued, err := c.batcher.Enqueue(c.heartbeats(n, event.Event{Time: at, Received: at})[from:])
	if err != nil || c.batcher.Await(ctx, queued) != nil {
		return
	}
	// a clock that was posted meanwhile went to all partitions
	if now, _, _ := c.posted.missing(n); now == at {
		c.posted.set(at, n)
	}
}
