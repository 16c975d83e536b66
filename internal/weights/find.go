package weights

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// each calls fn with the records of a network's topic in [first, end) that have valid headers.
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

// headerLast tells on every record at which offset the last whole snapshot begins, so that joining
// replicas need not search hundreds of megabytes for it. The check does not cover it: a reader
// verifies the offset, and searches when it is wrong.
const headerLast = "snapshot"

func lastHeader(headers []stream.Header) int {
	return slices.IndexFunc(headers, func(h stream.Header) bool { return h.Key == headerLast })
}

// SetLast sets the header that tells where the last whole snapshot begins.
func SetLast(headers []stream.Header, offset int64) []stream.Header {
	i := lastHeader(headers)
	if i < 0 {
		headers, i = append(headers, stream.Header{Key: headerLast}), len(headers)
	}
	headers[i].Value = strconv.AppendInt(nil, offset, 10)
	return headers
}

// last returns the offset that SetLast has set, -1 for none.
func last(headers []stream.Header) int64 {
	if i := lastHeader(headers); i >= 0 {
		if n, err := strconv.ParseInt(string(headers[i].Value), 10, 64); err == nil {
			return n
		}
	}
	return -1
}

// LastSnapshot does what FindSnapshot does, in the time of two small requests when the record at
// the end of the topic tells where the snapshot begins.
func LastSnapshot(ctx context.Context, client *stream.Client, key string) (at, end int64, err error) {
	ranges, err := client.Offsets(ctx, event.TopicModel(key))
	if err != nil {
		return 0, 0, err
	}
	rg := ranges[0]
	at, newest := int64(-1), Head{}
	err = each(ctx, client, key, max(rg.First, rg.End-1), rg.End, func(h Head, r *stream.Record) {
		if at, newest = last(r.Headers), h; h.Kind == Snapshot && h.Parts == 1 {
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
		begins = r.Offset == at && h.Kind == Snapshot && h.Part == 0 && h.Epoch <= newest.Epoch
	})
	if err != nil || !begins {
		return FindSnapshot(ctx, client, key)
	}
	return at, rg.End, nil
}

// FindSnapshot returns the offset at which the last whole snapshot begins that no deposed learner
// has written, and the end of the topic. It searches from the end in growing steps. Without a
// snapshot it returns the start of the topic.
func FindSnapshot(ctx context.Context, client *stream.Client, key string) (at, end int64, err error) {
	ranges, err := client.Offsets(ctx, event.TopicModel(key))
	if err != nil {
		return 0, 0, err
	}
	rg := ranges[0]
	for records := int64(64); ; records *= 8 {
		first := max(rg.First, rg.End-records)
		at, err := scan(ctx, client, key, first, rg.End)
		if err != nil || at >= 0 {
			return at, rg.End, err
		}
		if first == rg.First {
			return rg.First, rg.End, nil
		}
	}
}

// scan is FindSnapshot in [first, end); it returns -1 without a snapshot.
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
		if m, complete := parts.Add(h, nil); complete && m.Kind == Snapshot {
			at = begun
		}
	})
	return at, err
}

// newestRecords is how many records at the end of the topic are searched for the highest epoch: the
// last records of a deposed learner may stand after the first of its successor.
const newestRecords = 256

// Newest returns the highest epoch at the end of a network's topic, and how many examples its
// newest weights have learned; 0 when the topic is empty.
func Newest(ctx context.Context, client *stream.Client, key string) (epoch, examples int64, err error) {
	ranges, err := client.Offsets(ctx, event.TopicModel(key))
	if err != nil {
		return 0, 0, err
	}
	rg := ranges[0]
	err = each(ctx, client, key, max(rg.First, rg.End-newestRecords), rg.End, func(h Head, _ *stream.Record) {
		if h.Epoch > epoch {
			epoch, examples = h.Epoch, 0
		}
		if h.Epoch == epoch {
			examples = max(examples, h.To)
		}
	})
	return epoch, examples, err
}

// Each calls fn with the messages of a network's topic in [first, end), without those of deposed
// learners. first is where a snapshot begins. A message is valid during the call.
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
