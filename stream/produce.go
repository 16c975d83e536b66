package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// maxBatchBytes keeps a batch, with headers and framing, below the broker's default limit of 1 MiB.
const maxBatchBytes = 900_000

// recordOverhead counts the bytes of a record beyond key, value and headers.
const recordOverhead = 40

// producer writes records.
type producer struct {
	*cluster
	partitions *partitions
	limits     *sizeLimits
}

// Produce writes recs and returns nil once all in-sync replicas have acknowledged every one.
// Records of a partition are written in the given order, in batches, one in flight. A batch is
// retried until ctx ends; so it may be written twice, and never skipped. A *TooLargeError is final:
// all records but those that it names are acknowledged. After any other error, records may or may
// not have been written. Produce sets the offsets of recs.
func (s *producer) Produce(ctx context.Context, topic string, recs []Record) error {
	if len(recs) == 0 {
		return nil
	}
	byPartition, err := s.route(ctx, topic, recs)
	if err != nil {
		return err
	}
	s.produceTogether(ctx, topic, byPartition)
	refused := &refusals{}
	g, ctx := errgroup.WithContext(ctx)
	for p, out := range byPartition {
		if len(out.from) > 0 {
			g.Go(func() error { return s.producePartition(ctx, topic, p, out, refused) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return refused.error(s.cluster, topic)
}

// route distributes records to the partitions.
func (s *producer) route(ctx context.Context, topic string, recs []Record) ([]outgoing, error) {
	n, settled, err := s.partitions.counts(ctx, topic)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	byPartition := make([]outgoing, n)
	for i := range recs {
		p := recs[i].Partition
		if p < 0 {
			p = Partition(recs[i].place(), settled)
		}
		if p >= n {
			return nil, fmt.Errorf("topic %s has no partition %d, only %d partitions", s.name(topic), p, n)
		}
		out := &byPartition[p]
		out.now, out.from, out.index = now, append(out.from, &recs[i]), append(out.index, i)
	}
	return byPartition, nil
}

// place returns the bytes that decide the partition.
func (r *Record) place() []byte {
	if r.Place != nil {
		return r.Place
	}
	return r.Key
}

// LearnLimit asks how large records of topic may be, for CheckSize. Produce learns it too, from a
// refusal.
func (s *producer) LearnLimit(ctx context.Context, topic string) error {
	if err := s.Await(ctx); err != nil {
		return err
	}
	s.limits.learn(ctx, topic, 0)
	return nil
}

// CheckSize returns a *TooLargeError for a record that topic would refuse, as far as its limit is
// known.
func (s *producer) CheckSize(topic string, r *Record) error {
	limit, known := s.limits.limit(topic)
	if !known || r.size()+batchOverhead <= limit.bytes {
		return nil
	}
	refused := &refusals{}
	refused.add(0, r.size(), limit.bytes)
	return refused.error(s.cluster, topic)
}

// outgoing holds the caller's records of one partition, and their indexes in the call.
type outgoing struct {
	now   time.Time // of records that have no time
	from  []*Record
	index []int
}

func (o outgoing) cut(from, to int) outgoing {
	return outgoing{o.now, o.from[from:to], o.index[from:to]}
}

// reader makes the records of one attempt. kafka-go may still read those of an attempt that was
// given up, so another one has its own.
func (o outgoing) reader() kafka.RecordReader {
	records := make([]kafka.Record, len(o.from))
	for i, r := range o.from {
		records[i] = toKafka(r, o.now)
	}
	return kafka.NewRecordReader(records...)
}

func toKafka(r *Record, now time.Time) kafka.Record {
	k := kafka.Record{Time: r.Time, Value: kafka.NewBytes(r.Value)}
	if k.Time.IsZero() {
		k.Time = now
	}
	if r.Key != nil {
		k.Key = kafka.NewBytes(r.Key)
	}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	return k
}

// size estimates the record's bytes in a batch.
func (r *Record) size() int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

// producePartition writes records in batches as large as the topic takes.
func (s *producer) producePartition(ctx context.Context, topic string, p int, out outgoing, refused *refusals) error {
	for len(out.from) > 0 {
		most := s.limits.batchBytes(ctx, topic)
		n, bytes := 0, 0
		for n < len(out.from) && (n == 0 || bytes+out.from[n].size() <= most) {
			bytes += out.from[n].size()
			n++
		}
		if err := s.produceBatch(ctx, topic, p, out.cut(0, n), refused); err != nil {
			return err
		}
		out = out.cut(n, len(out.from))
	}
	return nil
}

// produceBatch repeats one batch until it is acknowledged. It halves a batch that the broker calls
// too large, and adds a single record that is too large to refused.
func (s *producer) produceBatch(ctx context.Context, topic string, p int, out outgoing, refused *refusals) error {
	err := s.retryKind(ctx, requestProduce, fmt.Sprintf("write to %s partition %d", s.name(topic), p), func(ctx context.Context) error {
		return s.denied(s.produceOnce(ctx, topic, p, out), Need{Name: topic, Operations: []string{OpWrite}})
	})
	if !tooLarge(err) {
		return err
	}
	n, bytes := len(out.from), out.bytes()
	limit := s.limits.learn(ctx, topic, bytes)
	if n == 1 {
		refused.add(out.index[0], bytes, limit)
		return nil
	}
	if err := s.produceBatch(ctx, topic, p, out.cut(0, n/2), refused); err != nil {
		return err
	}
	return s.produceBatch(ctx, topic, p, out.cut(n/2, n), refused)
}

// tooLarge tells whether err is final because the batch exceeds the topic's limit of messages or
// segments.
func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

func (s *producer) produceOnce(ctx context.Context, topic string, p int, out outgoing) error {
	began := time.Now()
	resp, err := s.kafka.Produce(ctx, &kafka.ProduceRequest{
		Topic: s.name(topic), Partition: p, RequiredAcks: kafka.RequireAll, Records: out.reader(),
	})
	observe(s.metrics.produced, began)
	if err == nil {
		err = resp.Error
	}
	if tooLarge(err) {
		return &finalError{err}
	}
	if err == nil {
		for i, r := range out.from {
			r.Offset = resp.BaseOffset + int64(i)
		}
	}
	return err
}

var murmur = kafka.Murmur2Balancer{Consistent: true}

// Partition returns the partition that Produce chooses for key among n.
func Partition(key []byte, n int) int {
	if n == 1 {
		return 0
	}
	all := usualPartitions
	if n > len(all) {
		all = partitionNumbers(n)
	}
	return murmur.Balance(kafka.Message{Key: key}, all[:n]...)
}

var usualPartitions = partitionNumbers(1024)

func partitionNumbers(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// MessageHeaders returns the headers of every JSON message.
func (s *producer) MessageHeaders(schema string) []Header {
	return []Header{
		{"content-type", []byte("application/json")},
		{"schema", []byte(schema)},
		{"producer", []byte(s.cfg.ClientID)},
	}
}
