package feedback

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
)

// rebuild tells a lookup whether outcomes were folded again while it read. The store of outcomes
// keeps it, as the position of a partition that does not exist; an emptied store has none.
//
// Each run of a fold counts itself in runs before it folds an event. So a lookup that finds the
// same rebuild before and after it has read knows that no run began in between. If the store has
// lost outcomes meanwhile, they have not been folded again yet, and the loss shows as a low
// watermark.
type rebuild struct {
	runs int64
	// when folding last began at the start of the log, by the wall's clock: the store has kept no
	// outcome for longer
	since event.Time
}

// rebuildID is the topic id under which the store keeps the rebuild of a topic's outcomes. Stores
// that are in use have it under this name.
func rebuildID(topicID string) string { return topicID + ".epoch" }

// positionsID is the topic id under which the store keeps the positions of a rebuild. When outcomes
// are to be folded again from the start, it is a new one, under which no position is kept yet.
func (r rebuild) positionsID(topicID string) string {
	return topicID + "." + strconv.FormatInt(int64(r.since), 36)
}

// rebuild reads the store's rebuild.
func (o *outcomes) rebuild(ctx context.Context, topicID string) (rebuild, error) {
	p, err := o.store.Position(ctx, rebuildID(topicID), 0)
	return rebuild{p.Next, p.Received}, err
}

// beginRun counts one more run. In a new store the run begins at the start of the log.
func (o *outcomes) beginRun(ctx context.Context, topicID string) (positionsID string, err error) {
	r, err := o.advance(ctx, topicID, func(before rebuild) bool { return before.runs == 0 })
	return r.positionsID(topicID), err
}

// foldAgain makes all runs begin anew at the start of the log.
func (o *outcomes) foldAgain(ctx context.Context, topicID string) error {
	_, err := o.advance(ctx, topicID, func(rebuild) bool { return true })
	return err
}

// currentRun is the id under which the store keeps positions now.
func (o *outcomes) currentRun(ctx context.Context, topicID string) (positionsID string, err error) {
	r, err := o.rebuild(ctx, topicID)
	return r.positionsID(topicID), err
}

// advance counts one more run. fromStart says whether it begins at the start of the log.
func (o *outcomes) advance(ctx context.Context, topicID string, fromStart func(before rebuild) bool) (rebuild, error) {
	for {
		before, err := o.rebuild(ctx, topicID)
		if err != nil {
			return before, err
		}
		r := before
		if r.runs == 0 { // an emptied store must not come to a rebuild that it has had
			r.runs = rand.Int64N(1 << 40)
		}
		if r.runs++; fromStart(before) {
			r.since = max(o.now(), r.since+1)
		}
		to := features.Position{TopicID: rebuildID(topicID), Next: r.runs, Received: r.since}
		if err = o.store.Apply(ctx, before.runs, to, nil); !errors.Is(err, features.ErrMoved) {
			return r, err
		}
	}
}
