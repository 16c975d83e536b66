package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Group is the consumer group of the fold into profiles.
const Group = "profiles"

// consumer folds events into profiles, at least once over idempotent effects: where it begins is
// the store's position, and a batch that the store holds already is refused by it. The group's
// commits are for lag tools only.
type consumer struct {
	client  *stream.Client
	set     *features.Set
	store   features.Store
	clock   *Clock
	letters *deadletter.Writer
	logger  *slog.Logger
	folded  folded

	watermark watermark.Config
	beats     *watermark.Reporter

	events *prometheus.CounterVec        // by what became of them
	times  map[string]prometheus.Counter // by the rule that set the event's time
	moved  prometheus.Counter            // times that a partition was begun again
}

func (c *consumer) run(ctx context.Context) error {
	return c.client.Join(ctx, Group, []string{event.TopicEvents}, func(ctx context.Context, g *stream.Generation) error {
		id, err := c.client.TopicID(ctx, event.TopicEvents)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return c.client.WatchTopic(ctx, event.TopicEvents, id) })
		group.Go(func() error {
			return g.EachPartition(ctx, func(ctx context.Context, _ string, a stream.Assignment) error {
				return c.partition(ctx, g, id, a.Partition)
			})
		})
		return group.Wait()
	})
}

// partition folds one partition until the generation ends. When the store's position is not what it
// was (Redis was emptied, or lost what it had not saved), it begins again from there.
func (c *consumer) partition(ctx context.Context, g *stream.Generation, topicID string, p int) error {
	defer c.folded.drop(p)
	for {
		err := c.fold(ctx, g, topicID, p)
		if !errors.Is(err, features.ErrMoved) {
			return err
		}
		c.logger.Warn("the feature store is not where it was left: folding again from its position", "topic", event.TopicEvents, "partition", p)
		c.moved.Inc()
	}
}

// fold is one run from the store's position.
func (c *consumer) fold(ctx context.Context, g *stream.Generation, topicID string, p int) error {
	f := &partitionFold{c: c}
	if err := f.begin(ctx, topicID, p); err != nil {
		return err
	}
	c.folded.set(p, f.at.Received)
	var next atomic.Int64
	next.Store(f.at.Next)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.watch(ctx, topicID, p, &next) })
	group.Go(func() error { return f.follow(ctx, g, &next) })
	return group.Wait()
}

// watch looks once a second whether the store still holds what was folded, up to next: when no
// events come, nothing else would notice that it does not.
func (c *consumer) watch(ctx context.Context, topicID string, p int, next *atomic.Int64) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		folded := next.Load()
		if at, err := c.store.Position(ctx, topicID, p); err == nil && at.Next < folded {
			return features.ErrMoved
		}
	}
}

// partitionFold is the state of one run: how far it is, and the ids that came lately.
type partitionFold struct {
	c       *consumer
	at      features.Position
	marks   watermark.Marks
	ids     repeats.Window
	updates []features.Update
	letters []deadletter.Letter
}

// follow folds batch after batch.
func (f *partitionFold) follow(ctx context.Context, g *stream.Generation, next *atomic.Int64) error {
	c, p := f.c, f.at.Partition
	r := c.client.NewReader(event.TopicEvents, p, f.at.Next).Hold(f.at.TopicID)
	defer r.Close()
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
		next.Store(f.at.Next)
		c.folded.set(p, f.at.Received)
		if time.Since(committed) > time.Second {
			if err := g.Commit(ctx, event.TopicEvents, map[int]int64{p: f.at.Next}); err != nil {
				c.logger.Debug("cannot commit", "topic", event.TopicEvents, "partition", p, "err", err)
			}
			committed = time.Now()
		}
	}
}

// begin asks the store where to begin, until it answers, and puts the ids of the records before
// that place back.
func (f *partitionFold) begin(ctx context.Context, topicID string, p int) error {
	err := retry.Persist(ctx, f.c.logger, "read the feature store's position", func() (err error) {
		f.at, err = f.c.store.Position(ctx, topicID, p)
		return err
	})
	if err != nil {
		return err
	}
	if f.marks, err = watermark.New(f.c.watermark, f.at.Received, f.at.Collectors); err != nil {
		f.c.logger.Error("the feature store's collectors cannot be read: beginning with none", "topic", event.TopicEvents, "partition", p, "err", err)
	}
	return f.ids.Refill(ctx, f.c.client, event.TopicEvents, p, f.at.Next, func(r *stream.Record) string {
		if e, err := decode(r); err == nil && e.Type != event.TypeHeartbeat {
			return e.ID
		}
		return ""
	})
}

// batch folds records: dead letters first, then profiles and position in one Apply, each until it
// succeeds.
func (f *partitionFold) batch(ctx context.Context, records []stream.Record) error {
	f.updates, f.letters = f.updates[:0], f.letters[:0]
	reader := f.c.clock.reader()
	for i := range records {
		f.record(&records[i], reader)
	}
	to := f.at
	to.Next, to.Received, to.Collectors = records[len(records)-1].Offset+1, f.marks.At(), f.marks.Encode()
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

// record adds one record's updates, or its dead letter. Only a heartbeat moves the watermark: what
// producers write into received is theirs, and one that writes next year may not make a year's
// labels due. reader is this process's clock.
func (f *partitionFold) record(r *stream.Record, reader event.Time) {
	e, err := decode(r)
	clocks := watermark.Clocks{Reader: reader}
	if reader != 0 {
		clocks.Stamp = event.TimeOf(r.Time)
	}
	switch {
	case err != nil:
		f.c.events.WithLabelValues("refused").Inc()
		f.letters = append(f.letters, deadletter.Letter{Topic: event.TopicEvents, Record: *r, Reason: err.Error()})
	case e.Type == event.TypeHeartbeat:
		f.c.beats.Report(&e, f.marks.Beat(&e, clocks), f.at.Partition, r.Offset)
	case f.ids.Seen(e.ID, r.Offset, event.TimeOf(r.Time)):
		f.c.events.WithLabelValues("repeated").Inc()
	default:
		f.c.events.WithLabelValues("folded").Inc()
		f.marks.Settle(&e, clocks)
		f.c.countTime(e.TimeRule)
		f.updates = f.c.set.Updates(f.updates, &e, r.Offset)
	}
}

// countersOf are the counters of the rules by which times are set.
func countersOf(times *prometheus.CounterVec) map[string]prometheus.Counter {
	counters := map[string]prometheus.Counter{"": times.WithLabelValues("given")}
	for _, rule := range []string{event.TimeReceived, event.TimeClamped, event.TimeSentAt} {
		counters[rule] = times.WithLabelValues(rule)
	}
	return counters
}

// countTime counts an event by its rule; one that is not known is its producer's own.
func (c *consumer) countTime(rule string) {
	counter, ok := c.times[rule]
	if !ok {
		counter = c.times[""]
	}
	counter.Inc()
}
