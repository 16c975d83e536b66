package repeats

import (
	"context"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Verdict is what a prediction is beside those before it.
type Verdict uint8

// Verdicts.
const (
	Fresh    Verdict = iota
	Repeat           // its id came before
	Conflict         // its request came before with another choice
)

// Choices finds predictions that came before, and those of a request whose first prediction had
// another choice: one request has one choice, the first in the partition. The zero value is empty.
// It serves one goroutine.
//
// A prediction of a request counts as a record of the request also when its choice is another, so
// the first choice stands as long as the request comes again within the bounds of a Window. Only a
// request that comes again and again over more than twice Age, with several choices, may be decided
// otherwise by a consumer that begins in between.
type Choices struct {
	ids      Window
	requests Window // places are marked with the choice that stands
}

// Seen says what the prediction at offset is, and remembers it. at is its time of production.
func (c *Choices) Seen(p *event.Prediction, offset int64, at event.Time) Verdict {
	return c.seen(identify(p), offset, at)
}

// identity is what a prediction is known by, as hashes.
type identity struct {
	id, request, choice uint64 // request is 0 where the prediction does not tell its choice
}

func identify(p *event.Prediction) identity {
	i := identity{id: xxhash.Sum64String(p.ID)}
	if p.Request != "" && p.Choice != "" {
		i.request, i.choice = xxhash.Sum64String(p.Request), xxhash.Sum64String(p.Choice)
	}
	return i
}

func (c *Choices) seen(i identity, offset int64, at event.Time) Verdict {
	if i.request != 0 && c.requests.standing(i.request, i.choice, offset, at) != i.choice {
		// its id is left out: it may be that of a candidate of the choice that stands
		return Conflict
	}
	if c.ids.seen(i.id, offset, at) {
		return Repeat
	}
	return Fresh
}

// First is Window.First of the ids of predictions.
func (c *Choices) First(id string) (offset int64, at event.Time, ok bool) { return c.ids.First(id) }

// Refill puts back the predictions before next.
func (c *Choices) Refill(ctx context.Context, client *stream.Client, topic string, partition int, next int64) error {
	var p event.Prediction
	back, err := stretches(next, func(from, to int64) ([]remembered, error) {
		var found []remembered
		err := client.ReadRange(ctx, topic, partition, from, to, func(r *stream.Record) error {
			if p.UnmarshalJSON(r.Value) == nil {
				i := identify(&p)
				found = append(found, remembered{hash: i.id, offset: r.Offset, at: event.TimeOf(r.Time), request: i.request, choice: i.choice})
			}
			return nil
		})
		return found, err
	})
	if err != nil {
		return err
	}
	for _, r := range back {
		c.seen(identity{r.hash, r.request, r.choice}, r.offset, r.at)
	}
	return nil
}
