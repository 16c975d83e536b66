// Package collect writes the events that a process takes to their topic, in such an order that
// labels wait for them: for the stage ingest, and for every other one that takes events.
//
// The one invariant: a heartbeat stands behind all events of its collector that were received
// before it, in each partition, in one ordered slice of records.
package collect

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// ErrAway is returned when Kafka has not acknowledged events in time, or takes no more. They may be
// written later: the sender repeats them with the same ids.
var ErrAway = errors.New("no acknowledgement from Kafka")

// Config is what a Collector works with.
type Config struct {
	Client     *stream.Client
	Clock      *Clock
	MaxWaiting int           // bytes of events that may wait for Kafka
	Heartbeat  time.Duration // how often each partition gets the clock
	Lease      time.Duration // for which labels wait for a silent collector
	Logger     *slog.Logger
}

// Collector is one start of a process that takes events. Events that come while a write is in
// flight go out with the next one. Its methods may be called by many goroutines at once.
type Collector struct {
	name      string // in its heartbeats
	client    *stream.Client
	clock     *Clock
	heartbeat time.Duration
	logger    *slog.Logger
	batcher   *stream.Batcher
	headers   []stream.Header
	posted    posted
	// order is read-locked from the stamp of events until they are enqueued, and write-locked while
	// the clock is enqueued
	order    sync.RWMutex
	standing standing
}

// takeLinger is how long events of Take wait for others of the same write. Those of clients do not.
const takeLinger = 10 * time.Millisecond

// New returns a Collector; Run runs it.
func New(cfg Config) *Collector {
	return &Collector{
		name: newName(), client: cfg.Client, clock: cfg.Clock, heartbeat: cfg.Heartbeat, logger: cfg.Logger,
		batcher:  stream.NewBatcher(cfg.Client, event.TopicEvents, cfg.MaxWaiting).Linger(takeLinger),
		headers:  cfg.Client.MessageHeaders(event.SchemaEvent),
		standing: standing{lease: cfg.Lease},
	}
}

// Name is the collector's in its heartbeats.
func (c *Collector) Name() string { return c.name }

// Standing returns nil while labels wait for the events of this collector, else ErrSilent or
// ErrLeaving.
func (c *Collector) Standing() error { return c.standing.check(c.clock.Now(), c.clock.Recorded()) }

// Enqueue puts events behind all that were enqueued before, and behind them the clock where that is
// not 0, as the driver of a replay posts it. stamp is called once, with the receipt that the events
// have; it returns their records, and is quick, since heartbeats wait for it.
//
// Enqueue waits until labels wait for the events of this collector. They do not in the moment after
// its start, nor while Kafka is away. It returns ErrAway when ctx ends first or too many bytes
// wait, and ErrLeaving when the process ends.
func (c *Collector) Enqueue(ctx context.Context, clock event.Time, stamp func(now event.Time, recorded bool) []stream.Record) (stream.Ticket, error) {
	var beats []stream.Record
	if clock != 0 {
		partitions, err := c.client.Partitions(ctx, event.TopicEvents)
		if err != nil {
			return stream.Ticket{}, ErrAway
		}
		beats = c.heartbeats(partitions, event.Event{Time: clock, Received: clock})
	}
	queued, err := c.enqueueStanding(ctx, beats, stamp)
	if err == nil && clock != 0 {
		c.posted.set(clock, len(beats))
	}
	return queued, err
}

func (c *Collector) enqueueStanding(ctx context.Context, beats []stream.Record, stamp func(event.Time, bool) []stream.Record) (stream.Ticket, error) {
	for {
		changed := c.standing.changed.Wait()
		queued, err := c.enqueue(beats, stamp)
		if !errors.Is(err, ErrSilent) {
			return queued, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return stream.Ticket{}, ErrAway
		}
	}
}

// enqueue holds the order from the moment at which received is stamped until the events stand in
// the queue, so that no heartbeat comes between.
func (c *Collector) enqueue(beats []stream.Record, stamp func(event.Time, bool) []stream.Record) (stream.Ticket, error) {
	c.order.RLock()
	defer c.order.RUnlock()
	if err := c.Standing(); err != nil {
		return stream.Ticket{}, err
	}
	queued, err := c.batcher.Enqueue(append(stamp(c.clock.Now(), c.clock.Recorded()), beats...))
	if err != nil {
		err = ErrAway
	}
	return queued, err
}

// Await returns nil once Kafka has acknowledged what was enqueued, and a *stream.TooLargeError once
// it has acknowledged all but what the topic does not take. After any other error the fate of the
// events is unknown.
func (c *Collector) Await(ctx context.Context, t stream.Ticket) error {
	return c.batcher.Await(ctx, t)
}
