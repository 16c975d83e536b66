package repeats

import (
	"context"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// remembered is a record of a stretch that is read back.
type remembered struct {
	hash   uint64
	offset int64
	at     event.Time

	request, choice uint64 // see Choices
}

// stretches calls read for stretches of offsets, from the one that ends at next backwards, each
// twice as long as the one before, until the older half of one is too old for any record from next
// on, or Most offsets are read. read returns what it found, in order; the whole is returned in
// order. So what a start costs follows what a window holds.
func stretches(next int64, read func(from, to int64) ([]remembered, error)) ([]remembered, error) {
	var all [][]remembered
	newest := event.Time(0)
	floor := max(0, next-Most)
	for to, length := next, int64(Least); to > floor; length *= 2 {
		from := max(floor, to-length)
		found, err := read(from, to)
		if err != nil {
			return nil, err
		}
		older, younger := latest(found[:len(found)/2]), latest(found[len(found)/2:])
		newest = max(newest, older, younger)
		all = append(all, found)
		if older > 0 && older < newest-2*Age {
			break
		}
		to = from
	}
	slices.Reverse(all)
	return slices.Concat(all...), nil
}

// latest is the newest time of records, 0 when none has one.
func latest(records []remembered) event.Time {
	at := event.Time(0)
	for i := range records {
		at = max(at, records[i].at)
	}
	return at
}

// Refill puts back the ids of the records before next, by the same id that the consumer gives to
// Seen: empty for a record that has none. at is the records' time of production.
func (w *Window) Refill(ctx context.Context, c *stream.Client, topic string, partition int, next int64, id func(*stream.Record) string) error {
	back, err := stretches(next, func(from, to int64) ([]remembered, error) {
		var found []remembered
		err := c.ReadRange(ctx, topic, partition, from, to, func(r *stream.Record) error {
			if s := id(r); s != "" {
				found = append(found, remembered{hash: xxhash.Sum64String(s), offset: r.Offset, at: event.TimeOf(r.Time)})
			}
			return nil
		})
		return found, err
	})
	if err != nil {
		return err
	}
	for _, r := range back {
		w.seen(r.hash, r.offset, r.at)
	}
	return nil
}
