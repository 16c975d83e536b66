package feedback

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// foldRun is one run over a partition.
type foldRun struct {
	o         *outcomes
	g         *stream.Generation
	topicID   string
	partition int
	epoch     epoch
	next      atomic.Int64 // offset behind what is folded
}

// fold runs from the store's position until the generation ends, the store has moved or another
// epoch begins.
func (o *outcomes) fold(ctx context.Context, g *stream.Generation, topicID string, p int) error {
	e, at, err := o.begin(ctx, topicID, p)
	if err != nil {
		return err
	}
	o.set(p, at.Received)
	f := &foldRun{o: o, g: g, topicID: topicID, partition: p, epoch: e}
	f.next.Store(at.Next)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.watch(ctx) })
	group.Go(func() error { return f.follow(ctx, at) })
	return group.Wait()
}

// begin opens a run: what this process knew of the partition is forgotten first, then the run is
// counted, then the store says where to begin. A look-up relies on that order.
func (o *outcomes) begin(ctx context.Context, topicID string, p int) (e epoch, at features.Position, err error) {
	o.drop(p)
	err = retry.Persist(ctx, o.logger, "begin to fold outcomes", func() error {
		if e, err = o.advance(ctx, topicID, false); err != nil {
			return err
		}
		at, err = o.store.Position(ctx, e.log(topicID), p)
		return err
	})
	return e, at, err
}

// watch looks once a second whether the store is what the run believes. When no events come,
// nothing else would notice that it is not, and who waits for labels before sending more would wait
// for ever.
func (f *foldRun) watch(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		folded := f.next.Load()
		now, err := f.o.epoch(ctx, f.topicID)
		if err != nil {
			continue // whoever needs the store repeats and tells
		}
		if now.since != f.epoch.since {
			return errAgain
		}
		if at, err := f.o.store.Position(ctx, f.epoch.log(f.topicID), f.partition); err == nil && at.Next < folded {
			return features.ErrMoved
		}
	}
}

// follow folds batch after batch.
func (f *foldRun) follow(ctx context.Context, at features.Position) error {
	o, p := f.o, f.partition
	r := o.client.NewReader(event.TopicEvents, p, at.Next).Hold(f.topicID)
	defer r.Close()
	committed := time.Now()
	marks, err := watermark.New(o.watermarks, at.Received, at.Collectors)
	if err != nil {
		o.logger.Error("the collectors beside the position of outcomes cannot be read: beginning with none", "topic", event.TopicEvents, "partition", p, "err", err)
	}
	var updates []features.Update
	for {
		records, err := r.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			o.logger.Error("events were deleted before they were folded: labels may lack them", "topic", event.TopicEvents, "partition", p, "err", err)
			continue
		}
		if err != nil {
			return err
		}
		updates = o.updates(updates[:0], records, &marks, p)
		to := at
		to.Next, to.Received, to.Collectors = records[len(records)-1].Offset+1, marks.At(), marks.Encode()
		err = retry.Persist(ctx, o.logger, "fold events into outcomes", func() error { return o.store.Apply(ctx, at.Next, to, updates) }, features.ErrMoved)
		if err != nil {
			return err
		}
		at = to
		f.next.Store(at.Next)
		o.set(p, at.Received)
		if time.Since(committed) > time.Second {
			committed = time.Now()
			if err := f.g.Commit(ctx, event.TopicEvents, map[int]int64{p: at.Next}); err != nil {
				o.logger.Debug("cannot commit", "topic", event.TopicEvents, "partition", p, "err", err)
			}
		}
	}
}
