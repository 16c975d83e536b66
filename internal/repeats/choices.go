package repeats

import (
	"context"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Verdict is what a prediction is, given those before it.
type Verdict uint8

// Verdicts.
const (
	Fresh    Verdict = iota
	Repeat           // its id came before
	Conflict         // its request came before with another choice
)

// Choices finds predictions that came before, and those whose request was answered before with
// another choice: the first choice of a request in the partition stands. The zero value is empty.
// It serves one goroutine.
//
// A prediction under another choice counts as a record of its request all the same. So the first
// choice stands as long as the request comes again within the bounds of a Window. In one case a
// consumer may decide otherwise than one that began earlier: if a request comes again and again,
// with several choices, over more than twice Age, and the consumer begins in between.
type Choices struct {
	ids      Window
	requests Window // the tag of a request is the choice that stands
}

// Seen says what the prediction at offset is, and remembers it. at is its time of production.
func (c *Choices) Seen(p *event.Prediction, offset int64, at event.Time) Verdict {
	return c.seen(identify(p), offset, at)
}

// First is Window.First of the ids of predictions.
func (c *Choices) First(id string) (offset int64, at event.Time, ok bool) { return c.ids.First(id) }

func identify(p *event.Prediction) identity {
	i := identity{id: xxhash.Sum64String(p.ID)}
	if p.Request != "" && p.Choice != "" {
		i.request, i.choice = xxhash.Sum64String(p.Request), xxhash.Sum64String(p.Choice)
	}
	return i
}

func (c *Choices) seen(i identity, offset int64, at event.Time) Verdict {
	if i.request != 0 {
		if choice, _ := c.requests.note(i.request, i.choice, offset, at); choice != i.choice {
			// its id is not noted: a candidate of the choice that stands may have the same
			return Conflict
		}
	}
	if c.ids.seen(i.id, offset, at) {
		return Repeat
	}
	return Fresh
}

// Refill remembers the predictions before next, read back from Kafka.
func (c *Choices) Refill(ctx context.Context, client *stream.Client, topic string, partition int, next int64) error {
	var p event.Prediction
	back, err := readBack(ctx, client, topic, partition, next, func(r *stream.Record) (identity, bool) {
		if p.UnmarshalJSON(r.Value) != nil {
			return identity{}, false
		}
		return identify(&p), true
	})
	for _, r := range back {
		c.seen(r.identity, r.offset, r.at)
	}
	return err
}
