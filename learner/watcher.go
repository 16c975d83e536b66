package learner

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const (
	commitEvery = time.Second
	checkEvery  = 2 // ticks of commitEvery
)

// watcher commits the group's offset, and notices when the examples topic or the last snapshot is
// gone. It shares with the loop what the atomics say.
type watcher struct {
	o          *owner
	generation *stream.Generation
	topicID    string // of the examples
	modelID    string // of the model topic at the last check; empty: none was

	batches     atomic.Int64  // that the loop has received
	next        atomic.Int64  // offset of the first example not learned
	suspect     atomic.Bool   // records of another topic may have been learned
	ownSnapshot *atomic.Int64 // of the writer
	lost        chan struct{} // the last snapshot is gone; has room for one
}

func newWatcher(o *owner, g *stream.Generation, topicID string, ownSnapshot *atomic.Int64) *watcher {
	return &watcher{o: o, generation: g, topicID: topicID, ownSnapshot: ownSnapshot, lost: make(chan struct{}, 1)}
}

// run watches until ctx ends, or the examples topic is another one.
func (w *watcher) run(ctx context.Context) error {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	checked := int64(0) // batches before the last check
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		w.commit(ctx)
		if n%checkEvery != 0 {
			continue
		}
		before := w.batches.Load()
		if err := w.checkExamples(ctx, checked); err != nil {
			return err
		}
		checked = before
		if err := w.checkSnapshot(ctx); err != nil {
			return err
		}
	}
}

// commit moves the group's offset, for tools that show lag: the learner goes on from its
// checkpoint.
func (w *watcher) commit(ctx context.Context) {
	if err := w.generation.Commit(ctx, w.o.topic(), map[int]int64{0: w.next.Load()}); err != nil && ctx.Err() == nil {
		w.o.logger.Debug("cannot commit", "err", err)
	}
}

// checkExamples returns an error when the examples topic was recreated. Batches received since the
// last check may be of the new topic, and may have been read from its middle. Then the network is
// suspect, and the next generation goes on from the checkpoint before.
func (w *watcher) checkExamples(ctx context.Context, checked int64) error {
	id, err := w.o.client.TopicID(ctx, w.o.topic())
	if err != nil {
		return err
	}
	if id != w.topicID {
		w.suspect.Store(w.batches.Load() != checked)
		return errRecreated
	}
	return nil
}

// checkSnapshot asks the loop for a snapshot when the last one is gone from the model topic: the
// topic was recreated, its records were deleted, or their retention has passed. A joining replica
// would have nothing to serve until the next snapshot, and without examples none is due.
func (w *watcher) checkSnapshot(ctx context.Context) error {
	begins, topic := w.ownSnapshot.Load(), event.TopicModel(w.o.key)
	id, err := w.o.client.TopicID(ctx, topic)
	if err != nil {
		return err
	}
	ranges, err := w.o.client.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	recreated := w.modelID != "" && w.modelID != id
	w.modelID = id
	first, end := ranges[0].First, ranges[0].End
	if begins < 0 || !recreated && first <= begins && begins < end {
		return nil
	}
	w.o.logger.Warn("the last snapshot is gone from the topic of weights: writing another", "topic", topic, "offset", begins, "first", first, "end", end)
	select {
	case w.lost <- struct{}{}:
	default: // the loop has not taken the last one yet
	}
	return nil
}
