package weights

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// ErrGone is returned by Rebuild when the topic does not hold a version any more, or not within the
// bound.
var ErrGone = errors.New("the model topic does not hold these weights any more")

// errEnough ends a search of heads.
var errEnough = errors.New("enough")

// FirstWith returns the head of the first message, of those written since a time, whose weights
// have learned at least so many examples; ok is false when there is none yet. before is how many
// the weights of the message before it have learned, -1 where the topic does not tell.
func FirstWith(ctx context.Context, client *stream.Client, key string, since time.Time, examples int64) (before int64, h Head, ok bool, err error) {
	rg, from, err := writtenSince(ctx, client, key, since)
	if err != nil || from >= rg.End {
		return 0, Head{}, false, err
	}
	before = -1
	err = heads(ctx, client, key, from, rg.End, 0, func(found Head, _ *stream.Record) error {
		if found.Part != found.Parts-1 {
			return nil
		}
		if found.To >= examples {
			h, ok = found, true
			return errEnough
		}
		before = found.To
		return nil
	})
	return before, h, ok, err
}

// writtenSince returns the range of a network's topic, and where to begin for what was written
// since a time: a few records earlier.
func writtenSince(ctx context.Context, client *stream.Client, key string, since time.Time) (rg stream.Range, from int64, err error) {
	topic := event.TopicModel(key)
	ranges, err := client.Offsets(ctx, topic)
	if err != nil {
		return rg, 0, err
	}
	at, err := client.OffsetsAt(ctx, topic, since)
	if err != nil {
		return rg, 0, err
	}
	rg = ranges[0]
	const some = 3
	return rg, max(rg.First, min(at[0], rg.End)-some), nil
}

// heads calls fn with the records in [first, end), and reads at most so many bytes of them; 0: all.
func heads(ctx context.Context, client *stream.Client, key string, first, end, most int64, fn func(Head, *stream.Record) error) error {
	r := client.NewReader(event.TopicModel(key), 0, first).Fetch(PartBytes)
	defer r.Close()
	read := int64(0)
	for r.Offset() < end {
		records, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Offset >= end {
				return nil
			}
			if read += int64(len(records[i].Value)); most > 0 && read > most {
				return fmt.Errorf("%w: more than %d MB would be read", ErrGone, most>>20)
			}
			h, err := ParseHead(records[i].Headers)
			if err != nil {
				continue
			}
			if err := fn(h, &records[i]); errors.Is(err, errEnough) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// Rebuild makes the weights of a version that was served at a time: it applies the messages from
// the last snapshot before it on. The error is ErrGone where they are not all on the topic, or have
// more than so many bytes.
func Rebuild(ctx context.Context, client *stream.Client, key string, examples int64, served time.Time, most int64) (*model.Replica, error) {
	rg, at, err := writtenSince(ctx, client, key, served)
	if err != nil {
		return nil, err
	}
	begin := int64(-1)
	if at < rg.End {
		err = heads(ctx, client, key, at, min(at+1, rg.End), 0, func(h Head, r *stream.Record) error {
			if begin = last(r.Headers); h.Kind == Snapshot && h.Part == 0 && h.To <= examples {
				begin = r.Offset
			}
			return errEnough
		})
	}
	if err != nil {
		return nil, err
	}
	if begin < rg.First {
		begin = rg.First // the snapshot may be there although no header tells
	}
	replica, parts := model.NewReplica(), Sequence{}
	defer parts.Close()
	applied, reached := false, false
	err = heads(ctx, client, key, begin, rg.End, most, func(h Head, r *stream.Record) error {
		err := parts.Add(h, r.Value, func(m Message) error {
			if m.To > examples || m.Kind == Delta && m.From < replica.Examples() {
				return nil
			}
			err := replica.Apply(m.Body...)
			applied = applied || err == nil
			return err
		})
		if err != nil && !errors.Is(err, model.ErrGap) {
			return err
		}
		if reached = applied && replica.Examples() == examples; reached || applied && h.Kind == Delta && h.To > examples {
			return errEnough
		}
		return nil
	})
	if err == nil && !reached {
		err = ErrGone
	}
	return replica, err
}
