package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of requests that Kafka 2.4 to 4.x understands.
const (
	fetchVersion   = 11
	offsetsVersion = 4
)

const (
	timeFirst = -2 // in place of a time: a partition's first offset
	timeEnd   = -1

	readUncommitted = 0
	readCommitted   = 1
)

// connect connects to the partition's leader and finds the first offset to fetch.
func (r *Reader) connect(ctx context.Context) error {
	dial, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	leader, err := r.leader(dial)
	if err != nil {
		return err
	}
	w, err := r.client.connect(dial, leader)
	if err != nil {
		return err
	}
	first, end, err := r.listRange(ctx, w)
	if err != nil {
		return errors.Join(err, w.close())
	}
	r.wire, r.end = w, end
	if r.offset > end {
		return fmt.Errorf("%w: %s partition %d ends at %d, wanted %d", ErrBeyond, r.client.name(r.topic), r.partition, end, r.offset)
	}
	if wanted := r.offset; wanted < first {
		r.offset = first
		if wanted > 0 {
			return &TrimmedError{r.client.name(r.topic), r.partition, wanted, first}
		}
	}
	return nil
}

// leader returns the address of the partition's leader, once the topic has the id that the Reader
// requires.
func (r *Reader) leader(ctx context.Context) (string, error) {
	name := r.client.name(r.topic)
	var found topicMetadata
	var err error
	for _, broker := range r.client.cfg.Brokers {
		if found, err = r.client.describe(ctx, broker, r.topic); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		return "", err
	case r.id != "" && found.id != r.id:
		return "", recreated(name, r.id, found.id)
	case r.partition >= len(found.leaders):
		return "", fmt.Errorf("topic %s has no partition %d, only %d partitions", name, r.partition, len(found.leaders))
	case found.leaders[r.partition] == "":
		return "", fmt.Errorf("topic %s partition %d has no leader", name, r.partition)
	}
	return found.leaders[r.partition], nil
}

// listRange asks for the partition's first offset and its end, uncommitted records included: an
// offset behind an open transaction is not beyond the end.
func (r *Reader) listRange(ctx context.Context, w *wire) (first, end int64, err error) {
	stop, err := w.bound(ctx, attemptTimeout)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	if first, err = r.listOffset(w, timeFirst); err != nil {
		return 0, 0, err
	}
	end, err = r.listOffset(w, timeEnd)
	return first, end, err
}

func (r *Reader) listOffset(w *wire, at int64) (int64, error) {
	req, resp := kmsg.NewPtrListOffsetsRequest(), kmsg.NewPtrListOffsetsResponse()
	req.Version, req.ReplicaID, req.IsolationLevel = offsetsVersion, -1, readUncommitted
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = int32(r.partition), at, -1
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: r.client.name(r.topic), Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
	if err := w.ask(req, resp); err != nil {
		return 0, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, errShortAnswer
	}
	found := &resp.Topics[0].Partitions[0]
	if found.ErrorCode != 0 {
		return 0, kafka.Error(found.ErrorCode)
	}
	return found.Offset, nil
}

// fetch sends one request and sets r.records to its records, perhaps none.
func (r *Reader) fetch(ctx context.Context) error {
	r.records = r.records[:0]
	if r.wire == nil {
		if err := r.connect(ctx); err != nil {
			return err
		}
	}
	w := r.wire
	stop, err := w.bound(ctx, maxWait+attemptTimeout)
	if err != nil {
		return err
	}
	defer stop()
	found, err := r.ask(w)
	if err != nil {
		return err
	}
	switch err := kafka.Error(found.ErrorCode); {
	case err == kafka.OffsetOutOfRange:
		_ = r.disconnect()
		return r.connect(ctx)
	case err != 0:
		return r.client.denied(err, Need{Name: r.topic, Operations: []string{OpRead}})
	}
	r.end = found.HighWatermark
	if found.LastStableOffset >= 0 && found.LastStableOffset < r.end {
		r.end = found.LastStableOffset
	}
	r.unpacker.from, r.unpacker.aborted, r.unpacker.headers = r.offset, found.AbortedTransactions, nil
	clear(r.unpacker.aborting)
	records, next, err := r.unpacker.unpack(r.records, found.RecordBatches)
	if err != nil {
		return err
	}
	if next == r.offset && len(found.RecordBatches) > 0 {
		return fmt.Errorf("the answer holds no whole batch in %d bytes at offset %d", len(found.RecordBatches), r.offset)
	}
	r.records, r.offset = records, next
	r.progress.note(r.offset, r.end, records)
	r.client.held.note(r.client.cluster, r.topic, r.partition, r.offset, r.end, found.HighWatermark)
	return nil
}

// ask sends one fetch from r.offset.
func (r *Reader) ask(w *wire) (*kmsg.FetchResponseTopicPartition, error) {
	if r.request == nil {
		r.request, r.answer = r.newFetch(), kmsg.NewPtrFetchResponse()
	}
	resp := r.answer
	r.request.Topics[0].Partitions[0].FetchOffset = r.offset
	if err := w.ask(r.request, resp); err != nil {
		return nil, err
	}
	if resp.ErrorCode != 0 {
		return nil, kafka.Error(resp.ErrorCode)
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errShortAnswer
	}
	return &resp.Topics[0].Partitions[0], nil
}

// newFetch returns a request without its offset.
func (r *Reader) newFetch() *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID = fetchVersion, -1
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(maxWait/time.Millisecond), 1, int32(r.fetchMax)
	req.IsolationLevel, req.SessionEpoch = readCommitted, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.PartitionMaxBytes = int32(r.partition), int32(r.fetchMax)
	p.CurrentLeaderEpoch, p.LogStartOffset = -1, -1
	req.Topics = []kmsg.FetchRequestTopic{{Topic: r.client.name(r.topic), Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return req
}
