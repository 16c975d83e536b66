package weights

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// each calls fn with the records of a network's topic in [first, end) whose headers can be read.
func each(ctx context.Context, client *stream.Client, key string, first, end int64, fn func(h Head, r *stream.Record)) error {
	if first >= end {
		return nil
	}
	r := client.NewReader(event.TopicModel(key), 0, first).Fetch(int(min(end-first, 8)) * PartBytes)
	defer r.Close()
	for r.Offset() < end {
		records, err := r.Next(ctx)
		if err != nil && !errors.Is(err, stream.ErrTrimmed) {
			return err
		}
		for i := range records {
			if h, err := ParseHead(records[i].Headers); err == nil && records[i].Offset < end {
				fn(h, &records[i])
			}
		}
	}
	return nil
}

// headerLast tells, on every record behind the first snapshot, at which offset the last whole one
// begins, so that whoever joins need not search for it in hundreds of megabytes. It is no part of
// the check: where it says something wrong, the search is as before.
const headerLast = "snapshot"

// SetLast makes a record's headers say where the last whole snapshot begins.
func SetLast(headers []stream.Header, offset int64) []stream.Header {
	i := slices.IndexFunc(headers, func(h stream.Header) bool { return h.Key == headerLast })
	if i < 0 {
		headers, i = append(headers, stream.Header{Key: headerLast}), len(headers)
	}
	headers[i].Value = strconv.AppendInt(nil, offset, 10)
	return headers
}

// told returns what the headers say about it, -1 for nothing.
func told(headers []stream.Header) int64 {
	for i := range headers {
		if headers[i].Key != headerLast {
			continue
		}
		if n, err := strconv.ParseInt(string(headers[i].Value), 10, 64); err == nil {
			return n
		}
	}
	return -1
}

// LastSnapshot is FindSnapshot in the time of two small requests, where the record at the end tells
// where to look.
func LastSnapshot(ctx context.Context, client *stream.Client, key string) (at, end int64, err error) {
	ranges, err := client.Offsets(ctx, event.TopicModel(key))
	if err != nil {
		return 0, 0, err
	}
	rg := ranges[0]
	at, of := int64(-1), Head{}
	err = each(ctx, client, key, max(rg.First, rg.End-1), rg.End, func(h Head, r *stream.Record) {
		if at, of = told(r.Headers), h; h.Kind == Snapshot && h.Parts == 1 {
			at = r.Offset
		}
	})
	if err != nil {
		return 0, 0, err
	}
	if at < rg.First || at >= rg.End {
		return FindSnapshot(ctx, client, key)
	}
	begins := false
	err = each(ctx, client, key, at, at+1, func(h Head, r *stream.Record) {
		begins = r.Offset == at && h.Kind == Snapshot && h.Part == 0 && h.Epoch <= of.Epoch
	})
	if err != nil || !begins {
		return FindSnapshot(ctx, client, key)
	}
	return at, rg.End, nil
}

// FindSnapshot returns the offset at which the last whole snapshot begins that is not of a deposed
// learner, looking back from the end in growing steps; the start of the topic when there is none.
// end is where the topic ended.
func FindSnapshot(ctx context.Context, client *stream.Client, key string) (at, end int64, err error) {
	ranges, err := client.Offsets(ctx, event.TopicModel(key))
	if err != nil {
		return 0, 0, err
	}
	rg := ranges[0]
	for look := int64(64); ; look *= 8 {
		first := max(rg.First, rg.End-look)
		at, err := scan(ctx, client, key, first, rg.End)
		if err != nil || at >= 0 {
			return at, rg.End, err
		}
		if first == rg.First {
			return rg.First, rg.End, nil
		}
	}
}

// scan returns where the last whole snapshot in [first, end) begins that is not of a deposed
// learner, -1 for none.
func scan(ctx context.Context, client *stream.Client, key string, first, end int64) (int64, error) {
	var parts Assembly
	at, epoch, begun := int64(-1), int64(-1), int64(-1)
	err := each(ctx, client, key, first, end, func(h Head, r *stream.Record) {
		if h.Epoch < epoch {
			return
		}
		epoch = h.Epoch
		if h.Kind == Snapshot && h.Part == 0 {
			begun = r.Offset
		}
		if m, whole := parts.Add(h, nil); whole && m.Kind == Snapshot {
			at = begun
		}
	})
	return at, err
}

// epochLook is how many records back from the end the highest epoch is searched: a deposed
// learner's last words may stand behind its successor's first.
const epochLook = 256

// Newest returns the highest epoch at the end of a network's topic, and how many examples its
// newest weights have learned; 0 when the topic is empty.
func Newest(ctx context.Context, client *stream.Client, key string) (epoch, examples int64, err error) {
	ranges, err := client.Offsets(ctx, event.TopicModel(key))
	if err != nil {
		return 0, 0, err
	}
	rg := ranges[0]
	err = each(ctx, client, key, max(rg.First, rg.End-epochLook), rg.End, func(h Head, _ *stream.Record) {
		if h.Epoch > epoch {
			epoch, examples = h.Epoch, 0
		}
		if h.Epoch == epoch {
			examples = max(examples, h.To)
		}
	})
	return epoch, examples, err
}

// Each calls fn with the whole messages of a network's topic from offset first (that of a snapshot)
// to end, leaving out those of deposed learners. A message is valid during the call.
func Each(ctx context.Context, client *stream.Client, key string, first, end int64, fn func(m Message) error) error {
	var parts Sequence
	var failed error
	epoch := int64(0)
	err := each(ctx, client, key, first, end, func(h Head, r *stream.Record) {
		if failed != nil || h.Epoch < epoch {
			return
		}
		epoch = h.Epoch
		failed = parts.Add(h, r.Value, fn)
	})
	return errors.Join(err, failed)
}
