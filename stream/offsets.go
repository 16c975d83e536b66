package stream

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
	"github.com/segmentio/kafka-go"
)

// Offsets returns the Range of every partition of topic, in order, up to where readers may read. An
// open transaction, and all records after its first, lie beyond End.
func (s *partitions) Offsets(ctx context.Context, topic string) ([]Range, error) {
	return s.offsets(ctx, topic, readCommitted)
}

func (s *partitions) offsets(ctx context.Context, topic string, isolation int8) ([]Range, error) {
	var ranges []Range
	err := s.retry(ctx, "list offsets of "+s.name(topic), func(ctx context.Context) error {
		n, err := s.ask(ctx, topic, false) // a caller who reads to the end needs the present number
		if err != nil {
			return err
		}
		var requests []kafka.OffsetRequest
		for p := range n {
			requests = append(requests, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
		}
		found, err := s.listOffsets(ctx, topic, n, isolation, requests)
		if err != nil {
			return err
		}
		ranges = make([]Range, n)
		for i, o := range found {
			ranges[i] = Range{o.FirstOffset, o.LastOffset}
		}
		return nil
	})
	return ranges, err
}

// OffsetsAt returns, for every partition of topic, the first offset whose record was produced at t
// or later, or the partition's end.
func (s *partitions) OffsetsAt(ctx context.Context, topic string, t time.Time) ([]int64, error) {
	ranges, err := s.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, len(ranges))
	err = s.retry(ctx, "list offsets of "+s.name(topic)+" by time", func(ctx context.Context) error {
		var requests []kafka.OffsetRequest
		for p := range ranges {
			offsets[p] = ranges[p].End
			requests = append(requests, kafka.TimeOffsetOf(p, t))
		}
		found, err := s.listOffsets(ctx, topic, len(ranges), readUncommitted, requests)
		if err != nil {
			return err
		}
		for p, o := range found {
			for offset := range o.Offsets {
				if offset >= 0 {
					offsets[p] = offset
				}
			}
		}
		return nil
	})
	return offsets, err
}

// listOffsets sends requests about all n partitions of topic. Its answers are in order of
// partitions.
func (s *partitions) listOffsets(ctx context.Context, topic string, n int, isolation int8, requests []kafka.OffsetRequest) ([]kafka.PartitionOffsets, error) {
	name := s.name(topic)
	resp, err := s.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{name: requests}, IsolationLevel: kafka.IsolationLevel(isolation)})
	if err != nil {
		return nil, err
	}
	found := resp.Topics[name]
	if len(found) != n {
		return nil, fmt.Errorf("the broker answered for %d of %d partitions", len(found), n)
	}
	for _, o := range found {
		if o.Error != nil {
			return nil, o.Error
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Partition < found[j].Partition })
	return found, nil
}

// OpenTransaction is a transaction that holds readers back. Oldest is the offset of its first
// record; Records counts all records from there on.
type OpenTransaction struct {
	Partition       int
	Oldest, Records int64
}

// OpenTransactions returns the transactions of topic that are open both now and after wait. Most
// transactions end sooner; one that hangs does not.
func (s *partitions) OpenTransactions(ctx context.Context, topic string, wait time.Duration) ([]OpenTransaction, error) {
	first, err := s.openTransactions(ctx, topic)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	if !retry.Sleep(ctx, wait) {
		return nil, ctx.Err()
	}
	second, err := s.openTransactions(ctx, topic)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(second, func(t OpenTransaction) bool {
		return !slices.ContainsFunc(first, func(before OpenTransaction) bool { return t.Partition == before.Partition && t.Oldest == before.Oldest })
	}), nil
}

// openTransactions finds the partitions that readers may not read to their end.
func (s *partitions) openTransactions(ctx context.Context, topic string) ([]OpenTransaction, error) {
	stable, err := s.offsets(ctx, topic, readCommitted)
	if err != nil {
		return nil, err
	}
	all, err := s.offsets(ctx, topic, readUncommitted)
	if err != nil {
		return nil, err
	}
	var open []OpenTransaction
	for p := range min(len(stable), len(all)) {
		if n := all[p].End - stable[p].End; n > 0 {
			open = append(open, OpenTransaction{p, stable[p].End, n})
		}
	}
	return open, nil
}
