package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// Group is the consumer group of the fold into profiles.
const Group = "profiles"

// consumer folds events into profiles, at least once over idempotent effects: where it begins is the store's position, and a batch that the store holds
// already is refused by it. The group's commits are for lag tools only.
type consumer struct {
	client  *stream.Client
	set     *features.Set
	store   features.Store
	letters *deadletter.Writer
	logger  *slog.Logger
	folded  folded

	events *prometheus.CounterVec // by what became of them
}

// folded tells those who wait how far this process has folded its partitions.
type folded struct {
	notify.Broadcast
	mu sync.Mutex
	at map[int]event.Time
}

func (f *folded) set(partition int, t event.Time) {
	f.mu.Lock()
	f.at[partition] = t
	f.mu.Unlock()
	f.Fire()
}

func (f *folded) drop(partition int) {
	f.mu.Lock()
	delete(f.at, partition)
	f.mu.Unlock()
}

// watermark is the smallest time of all n partitions; ok is false when some are folded elsewhere.
func (f *folded) watermark(n int) (t event.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.at) < n {
		return 0, false
	}
	first := true
	for _, at := range f.at {
		if first || at < t {
			t, first = at, false
		}
	}
	return t, true
}

func (c *consumer) run(ctx context.Context) error {
	return c.client.Join(ctx, Group, []string{event.TopicEvents}, func(ctx context.Context, g *stream.Generation) error {
		return g.EachPartition(ctx, func(ctx context.Context, topic string, a stream.Assignment) error {
			return c.partition(ctx, g, a.Partition)
		})
	})
}

// partition folds one partition until the generation ends. When the store's position is not what it was (Redis was emptied, or lost what it had not
// saved), it begins again from there.
func (c *consumer) partition(ctx context.Context, g *stream.Generation, p int) error {
	defer c.folded.drop(p)
	for {
		err := c.fold(ctx, g, p)
		if !errors.Is(err, features.ErrMoved) {
			return err
		}
		c.logger.Warn("the feature store is not where it was left: folding again from its position", "topic", event.TopicEvents, "partition", p)
	}
}

// fold is one run from the store's position.
func (c *consumer) fold(ctx context.Context, g *stream.Generation, p int) error {
	at, err := c.position(ctx, p)
	if err != nil {
		return err
	}
	f := &partitionFold{c: c, at: at}
	if err := f.refill(ctx); err != nil {
		return err
	}
	r := c.client.NewReader(event.TopicEvents, p, at.Next)
	defer r.Close()
	c.folded.set(p, at.Received)
	committed := time.Now()
	for {
		records, err := r.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			c.logger.Error("events were deleted before they were folded: profiles lack them", "topic", event.TopicEvents, "partition", p, "err", err)
			continue
		}
		if err != nil {
			return err
		}
		if err := f.batch(ctx, records); err != nil {
			return err
		}
		c.folded.set(p, f.at.Received)
		if time.Since(committed) > time.Second {
			if err := g.Commit(ctx, event.TopicEvents, map[int]int64{p: f.at.Next}); err != nil {
				c.logger.Debug("cannot commit", "topic", event.TopicEvents, "partition", p, "err", err)
			}
			committed = time.Now()
		}
	}
}

// position asks the store where to begin, until it answers.
func (c *consumer) position(ctx context.Context, p int) (at features.Position, err error) {
	id, err := c.client.TopicID(ctx, event.TopicEvents)
	if err != nil {
		return at, err
	}
	err = retry.Persist(ctx, c.logger, "read the feature store's position", func() error {
		at, err = c.store.Position(ctx, id, p)
		return err
	})
	at.TopicID, at.Partition = id, p
	return at, err
}

// partitionFold is the state of one run: how far it is, and the ids that came lately.
type partitionFold struct {
	c       *consumer
	at      features.Position
	ids     repeats.Window
	updates []features.Update
	letters []deadletter.Letter
}

// refill puts the ids of the records before the position back.
func (f *partitionFold) refill(ctx context.Context) error {
	if f.at.Next == 0 {
		return nil
	}
	r := f.c.client.NewReader(event.TopicEvents, f.at.Partition, repeats.Start(f.at.Next))
	defer r.Close()
	var e event.Event
	for r.Offset() < f.at.Next {
		records, err := r.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Offset < f.at.Next && e.UnmarshalJSON(records[i].Value) == nil && e.Type != event.TypeHeartbeat {
				f.ids.Repeat(e.ID, e.Received)
			}
		}
	}
	return nil
}

// batch folds records: dead letters first, then profiles and position in one Apply, each until it succeeds.
func (f *partitionFold) batch(ctx context.Context, records []stream.Record) error {
	f.updates, f.letters = f.updates[:0], f.letters[:0]
	to := f.at
	for i := range records {
		f.record(&records[i], &to)
	}
	to.Next = records[len(records)-1].Offset + 1
	if err := f.c.letters.Write(ctx, f.letters...); err != nil {
		return err
	}
	err := retry.Persist(ctx, f.c.logger, "fold events into the feature store", func() error {
		return f.c.store.Apply(ctx, f.at.Next, to, f.updates)
	}, features.ErrMoved)
	if err == nil {
		f.at = to
	}
	return err
}

// record adds one record's updates, or its dead letter.
func (f *partitionFold) record(r *stream.Record, to *features.Position) {
	e, err := event.ParseEvent(r.Value) // not into one target: updates keep parts of it
	if err == nil && e.Type == event.TypeHeartbeat {
		to.Received = max(to.Received, e.Received)
		return
	}
	if err == nil {
		err = complete(&e, r)
	}
	if err != nil {
		f.c.events.WithLabelValues("refused").Inc()
		f.letters = append(f.letters, deadletter.Letter{Topic: event.TopicEvents, Record: *r, Reason: err.Error()})
		return
	}
	to.Received = max(to.Received, e.Received)
	if f.ids.Repeat(e.ID, e.Received) {
		f.c.events.WithLabelValues("repeated").Inc()
		return
	}
	f.c.events.WithLabelValues("folded").Inc()
	f.updates = f.c.set.Updates(f.updates, &e, r.Offset)
}

// complete checks an event from the topic, which other producers write to as well; when it was received is then when it was produced.
func complete(e *event.Event, r *stream.Record) error {
	if e.Received == 0 {
		e.Received = event.TimeOf(r.Time)
	}
	if e.Time == 0 {
		e.Time = e.Received
	}
	return e.Validate(e.Received)
}
