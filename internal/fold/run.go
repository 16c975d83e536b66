package fold

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

const (
	checkEvery  = time.Second
	commitEvery = time.Second
)

// run is the folding of one partition from the store's position on. The goroutine of follow owns
// at and batch.
type run struct {
	*Fold
	topicID   string // of events
	partition int
	logger    *slog.Logger

	id     string            // under which the store keeps the run's position
	at     features.Position // up to which the store has folded
	next   atomic.Int64      // at.Next, for check and commit
	handle Handler
	batch  Batch
}

// run folds until the generation ends, the store has moved (features.ErrMoved), or events are to be
// folded again from their start (errRebuild).
func (f *Fold) run(ctx context.Context, g *stream.Generation, topicID string, p int) error {
	r := &run{Fold: f, topicID: topicID, partition: p, logger: f.logger.With("partition", p)}
	if err := r.begin(ctx); err != nil {
		return err
	}
	f.folded.set(p, r.at.Received)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.check(ctx) })
	group.Go(func() error { return r.follow(ctx) })
	group.Go(func() error { return r.commit(ctx, g) })
	return group.Wait()
}

// begin finds out where the run begins. It forgets what this process knew of the partition before
// it calls Positions.Begin: feedback's lookups rely on that order.
func (r *run) begin(ctx context.Context) error {
	r.folded.drop(r.partition)
	err := retry.Persist(ctx, r.logger, "begin to fold events into "+r.cfg.Into, func() (err error) {
		if r.id, err = r.cfg.Positions.Begin(ctx, r.topicID); err != nil {
			return err
		}
		r.at, err = r.cfg.Store.Position(ctx, r.id, r.partition)
		return err
	})
	if err != nil {
		return err
	}
	if r.folded.rewound(r.topicID, r.partition, r.at.Next) && r.cfg.Rewound != nil {
		r.cfg.Rewound.Inc()
	}
	r.next.Store(r.at.Next)
	r.batch = Batch{partition: r.partition, beats: r.cfg.Beats}
	if r.batch.marks, err = watermark.New(r.cfg.Watermark, r.at.Received, r.at.Collectors); err != nil {
		r.logger.Error("the collectors beside the position of "+r.cfg.Into+" cannot be read: beginning with none", "err", err)
	}
	r.handle, err = r.cfg.Start(ctx, r.at)
	return err
}

// check asks once a second whether the store still holds what was folded. While no events come,
// nothing else would notice a loss, and a replay that waits for labels before it sends more events
// would wait for ever.
func (r *run) check(ctx context.Context) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		folded := r.next.Load()
		id, err := r.cfg.Positions.Current(ctx, r.topicID)
		if err != nil {
			continue // the next tick asks again, and follow logs why the store fails
		}
		if id != r.id {
			return errRebuild
		}
		if at, err := r.cfg.Store.Position(ctx, id, r.partition); err == nil && at.Next < folded {
			return features.ErrMoved
		}
	}
}

// commit tells Kafka once a second how far the run is, for whoever looks at lags. It does so while
// no events come, too: else what came in the last second would seem to wait for ever.
func (r *run) commit(ctx context.Context, g *stream.Generation) error {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := g.Commit(ctx, event.TopicEvents, map[int]int64{r.partition: r.next.Load()}); err != nil {
			r.logger.Debug("cannot commit", "err", err)
		}
	}
}

// follow folds batch after batch, each until it succeeds.
func (r *run) follow(ctx context.Context) error {
	reader := r.cfg.Client.NewReader(event.TopicEvents, r.partition, r.at.Next).Hold(r.topicID).As(r.cfg.Group).Paced()
	defer reader.Close()
	for {
		records, err := reader.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			r.logger.Error("events were deleted before they were folded: "+r.cfg.Into+" lack them", "err", err)
			continue
		}
		if err != nil {
			return err
		}
		if err := r.fold(ctx, records); err != nil {
			return err
		}
	}
}

// fold writes the dead letters of a batch, then applies its updates together with the position
// behind it: no position passes a record whose letter is not acknowledged.
func (r *run) fold(ctx context.Context, records []stream.Record) error {
	b, began := &r.batch, time.Now()
	b.Updates, b.Letters, b.now, b.clock = b.Updates[:0], b.Letters[:0], r.cfg.Now(), noClock
	for i := range records {
		r.handle(b, &records[i])
	}
	if pace, known := b.pace(); known {
		r.cfg.Client.Pace(pace)
	}
	if len(b.Letters) > 0 {
		if err := r.cfg.Letters.Write(ctx, b.Letters...); err != nil {
			return err
		}
	}
	to := r.at
	to.Next, to.Received, to.Collectors = records[len(records)-1].Offset+1, b.marks.At(), b.marks.Encode()
	err := retry.Persist(ctx, r.logger, "fold events into "+r.cfg.Into, func() error {
		return r.cfg.Store.Apply(ctx, r.at.Next, to, b.Updates)
	}, features.ErrMoved)
	if err != nil {
		return err
	}
	r.at = to
	r.next.Store(to.Next)
	r.folded.reach(r.topicID, r.partition, to.Next)
	r.folded.set(r.partition, to.Received)
	r.cfg.Tracer.Took("fold into "+r.cfg.Into, began, records)
	return nil
}
