package feedback

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/retry"
)

// epoch is the store of outcomes' own history, kept in it as the position of a partition that does
// not exist. runs counts the runs of folds that have begun, and each run counts itself before it
// folds anything. So two equal epochs say that nothing was folded again in between: had the store
// lost something meanwhile, it is still missing, and the watermark tells. An emptied store has no
// epoch.
type epoch struct {
	runs int64
	// when folding began at the start of the log, by the wall's clock: no outcome was kept longer
	// than since then
	since event.Time
}

// epochOf is the topic id under which the epoch of a topic's outcomes is kept.
func epochOf(topicID string) string { return topicID + ".epoch" }

// log is the topic id under which the positions of an epoch are kept: outcomes that must be folded
// again from the start have none yet.
func (e epoch) log(topicID string) string {
	return topicID + "." + strconv.FormatInt(int64(e.since), 36)
}

// epoch asks the store.
func (o *outcomes) epoch(ctx context.Context, topicID string) (epoch, error) {
	p, err := o.store.Position(ctx, epochOf(topicID), 0)
	return epoch{p.Next, p.Received}, err
}

// advance counts one more run; when again is true, or the store is new, of a fold from the log's
// start.
func (o *outcomes) advance(ctx context.Context, topicID string, again bool) (epoch, error) {
	for {
		e, err := o.epoch(ctx, topicID)
		if err != nil {
			return e, err
		}
		from := e.runs
		if from == 0 { // an emptied store must not come to an epoch that it has had
			e.runs = rand.Int64N(1 << 40)
		}
		if e.runs++; from == 0 || again {
			e.since = max(o.now(), e.since+1)
		}
		to := features.Position{TopicID: epochOf(topicID), Next: e.runs, Received: e.since}
		if err = o.store.Apply(ctx, from, to, nil); !errors.Is(err, features.ErrMoved) {
			return e, err
		}
	}
}

// view is what a look-up of outcomes can rely on: in this epoch, events are folded up to mark.
type view struct {
	epoch epoch
	mark  event.Time
}

// view asks the store. The epoch is read first: a run that begins afterwards makes it differ from
// that of a later look.
func (o *outcomes) view(ctx context.Context) (view, error) {
	id, n, err := o.topic(ctx)
	if err != nil {
		return view{}, err
	}
	e, err := o.epoch(ctx, id)
	if err != nil || e.runs == 0 {
		return view{}, err
	}
	mark, err := o.store.Watermark(ctx, e.log(id), n)
	return view{e, mark}, err
}

// topic is the id of the events topic and its number of partitions.
func (o *outcomes) topic(ctx context.Context) (id string, n int, err error) {
	if n, err = o.client.Partitions(ctx, event.TopicEvents); err != nil {
		return "", 0, err
	}
	id, err = o.client.RecentTopicID(ctx, event.TopicEvents)
	return id, n, err
}

// errFoldingAgain says that outcomes cannot be looked up yet.
var errFoldingAgain = errors.New("the outcomes are being folded again")

// lookup reads the outcomes of keys, all of whose evidence was received by due, and returns them
// only if all of it was in the store while it was read. known is what the caller saw last, which
// spares it a look; it is brought up to date.
//
// That is so when the store was folded up to due before the reading, in an epoch that is still the
// same behind it, and still is: the watermark is asked before the epoch then. If the store lost
// something in between and is not folded again yet, the watermark is too low; if it is, the epoch
// is another.
func (o *outcomes) lookup(ctx context.Context, keys []string, due event.Time, known *view) (map[string]features.Profile, error) {
	id, n, err := o.topic(ctx)
	if err != nil {
		return nil, err
	}
	if known.mark < due {
		if t, ok := o.local(n); ok && known.epoch.runs > 0 && t >= due {
			known.mark = t
		} else if *known, err = o.view(ctx); err != nil {
			return nil, err
		}
	}
	if known.mark < due {
		return nil, errFoldingAgain
	}
	found, err := o.store.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	mark, err := o.store.Watermark(ctx, known.epoch.log(id), n)
	if err != nil {
		return nil, err
	}
	e, err := o.epoch(ctx, id)
	if err != nil {
		return nil, err
	}
	if e != known.epoch || mark < due {
		*known = view{}
		return nil, errFoldingAgain
	}
	known.mark = mark
	return found, nil
}

// await is lookup until it succeeds or ctx ends. produced is when the oldest of what the keys stand
// for was written, by the wall's clock: when the store may have forgotten outcomes since (nobody
// looked for longer than it keeps them), they are folded again from the start of events first.
func (o *outcomes) await(ctx context.Context, keys []string, due, produced event.Time, known *view) (found map[string]features.Profile, err error) {
	err = retry.Persist(ctx, o.logger, "look up outcomes", func() error {
		if found, err = o.lookup(ctx, keys, due, known); err != nil || !o.expired(known.epoch, produced) {
			return err
		}
		id, _, err := o.topic(ctx)
		if err != nil {
			return err
		}
		o.logger.Error("labels are so late that the store may have forgotten outcomes: they are folded again from the start of events", "produced", produced.String(), "kept", o.ttl)
		*known = view{}
		if _, err = o.advance(ctx, id, true); err != nil {
			return err
		}
		return errFoldingAgain
	})
	return found, err
}

// expired says whether outcomes of what was written at produced may have been forgotten by the
// store before now.
func (o *outcomes) expired(e epoch, produced event.Time) bool {
	return o.now() > max(produced, e.since).Add(o.ttl-o.ttl/10)
}
