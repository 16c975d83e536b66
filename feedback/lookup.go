package feedback

import (
	"context"
	"errors"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/retry"
)

// view is what a lookup of outcomes relies on: in this rebuild, events are folded up to the
// watermark. The zero view relies on nothing.
type view struct {
	rebuild   rebuild
	watermark event.Time
}

// view asks the store. It reads the rebuild first: a run that begins afterwards makes it differ
// from the one that a lookup reads at its end.
func (o *outcomes) view(ctx context.Context, topicID string, partitions int) (view, error) {
	r, err := o.rebuild(ctx, topicID)
	if err != nil || r.runs == 0 {
		return view{}, err
	}
	w, err := o.store.Watermark(ctx, r.positionsID(topicID), partitions)
	return view{r, w}, err
}

// topic is the id of the events topic and its number of partitions.
func (o *outcomes) topic(ctx context.Context) (id string, partitions int, err error) {
	if partitions, err = o.client.Partitions(ctx, event.TopicEvents); err != nil {
		return "", 0, err
	}
	id, err = o.client.RecentTopicID(ctx, event.TopicEvents)
	return id, partitions, err
}

// errFoldingAgain says that outcomes cannot be looked up yet.
var errFoldingAgain = errors.New("the outcomes are being folded again")

// lookup reads the outcomes of keys, all of whose evidence was received by due. It returns them
// only if all of it was in the store while it read, and errFoldingAgain otherwise. known is the
// caller's last view, which spares it a question to the store; lookup brings it up to date.
//
// The evidence was there if the store was folded up to due before the reading, and is so after it
// in the same rebuild. After the reading, the watermark is asked first and the rebuild then.
// Suppose that the store lost outcomes during the reading. Until they are folded again the
// watermark is below due; afterwards the rebuild is another one.
func (o *outcomes) lookup(ctx context.Context, keys []string, due event.Time, known *view) (map[string]features.Profile, error) {
	topicID, n, err := o.topic(ctx)
	if err != nil {
		return nil, err
	}
	if known.watermark < due {
		if t, ok := o.Own(n); ok && known.rebuild.runs > 0 && t >= due {
			known.watermark = t
		} else if *known, err = o.view(ctx, topicID, n); err != nil {
			return nil, err
		}
	}
	if known.watermark < due {
		return nil, errFoldingAgain
	}
	found, err := o.store.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	after := view{}
	if after.watermark, err = o.store.Watermark(ctx, known.rebuild.positionsID(topicID), n); err != nil {
		return nil, err
	}
	if after.rebuild, err = o.rebuild(ctx, topicID); err != nil {
		return nil, err
	}
	if after.rebuild != known.rebuild || after.watermark < due {
		*known = view{}
		return nil, errFoldingAgain
	}
	*known = after
	return found, nil
}

// await repeats lookup until it succeeds or ctx ends. produced is when the oldest of the
// predictions was written, by the wall's clock. If labels are so late that the store may have
// forgotten outcomes since then, await first makes all outcomes be folded again from the start of
// events.
func (o *outcomes) await(ctx context.Context, keys []string, due, produced event.Time, known *view) (found map[string]features.Profile, err error) {
	err = retry.Persist(ctx, o.logger, "look up outcomes", func() error {
		if found, err = o.lookup(ctx, keys, due, known); err != nil || !o.expired(known.rebuild, produced) {
			return err
		}
		topicID, _, err := o.topic(ctx)
		if err != nil {
			return err
		}
		o.logger.Error("labels are so late that the store may have forgotten outcomes: they are folded again from the start of events", "produced", produced.String(), "kept", o.ttl)
		*known = view{}
		if err := o.foldAgain(ctx, topicID); err != nil {
			return err
		}
		return errFoldingAgain
	})
	return found, err
}

// expired says whether the store may have forgotten outcomes of a prediction by now.
func (o *outcomes) expired(r rebuild, produced event.Time) bool {
	return o.now() > max(produced, r.since).Add(o.ttl-o.ttl/10)
}
