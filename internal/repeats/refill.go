package repeats

import (
	"context"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// identity is the hashes that a record is remembered by.
type identity struct {
	id              uint64
	request, choice uint64 // for Choices; request is 0 where a prediction names no choice
}

// remembered is a record that was read back.
type remembered struct {
	identity
	offset int64
	at     event.Time // of production
}

// Refill remembers the ids of the records before next, read back from Kafka. id must give the id
// that the consumer gives to Seen, "" for a record that has none.
func (w *Window) Refill(ctx context.Context, c *stream.Client, topic string, partition int, next int64, id func(*stream.Record) string) error {
	back, err := readBack(ctx, c, topic, partition, next, func(r *stream.Record) (identity, bool) {
		s := id(r)
		return identity{id: xxhash.Sum64String(s)}, s != ""
	})
	for _, r := range back {
		w.seen(r.id, r.offset, r.at)
	}
	return err
}

// readBack returns the records before next that a window may need, in their order. identify says
// false of a record to leave out.
func readBack(ctx context.Context, c *stream.Client, topic string, partition int, next int64, identify func(*stream.Record) (identity, bool)) ([]remembered, error) {
	return stretches(next, func(from, to int64) (found []remembered, err error) {
		err = c.ReadRange(ctx, topic, partition, from, to, func(r *stream.Record) error {
			if i, ok := identify(r); ok {
				found = append(found, remembered{i, r.Offset, event.TimeOf(r.Time)})
			}
			return nil
		})
		return found, err
	})
}

// stretches calls read for stretches of offsets, backwards from the one that ends at next, each
// twice as long as the one before. It stops when the older half of one is too old for any record
// from next on, or Most offsets are read. So a start reads about what a window holds. It returns
// what read has found, in order.
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
