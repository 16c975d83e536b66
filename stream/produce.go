package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// maxBatchBytes keeps a batch below the broker's default limit of 1 MiB, headers and framing included.
const maxBatchBytes = 900_000

// recordOverhead is what a record costs beside key, value and headers.
const recordOverhead = 40

// TooLargeError says that a record can never be written.
type TooLargeError struct {
	Topic string
	Bytes int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("a record of %d bytes is larger than topic %s takes (max.message.bytes)", e.Bytes, e.Topic)
}

// Produce writes recs and returns nil once every one is acknowledged by all in-sync replicas. Records of a partition are written
// in the order given, in batches, one in flight; a batch is retried with backoff until ctx ends, so it may be written twice,
// never skipped. On error the outcome of the rest is unknown. A *TooLargeError is final. Offsets of recs are set to where they were written.
func (c *Client) Produce(ctx context.Context, topic string, recs []Record) error {
	if len(recs) == 0 {
		return nil
	}
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	now := time.Now()
	byPartition := make([]outgoing, n)
	for i := range recs {
		p := recs[i].Partition
		if p < 0 {
			p = Partition(recs[i].place(), n)
		}
		if p >= n {
			return fmt.Errorf("topic %s has no partition %d, only %d partitions", c.name(topic), p, n)
		}
		byPartition[p].records = append(byPartition[p].records, toKafka(&recs[i], now))
		byPartition[p].from = append(byPartition[p].from, &recs[i])
	}
	g, ctx := errgroup.WithContext(ctx)
	for p, out := range byPartition {
		if len(out.records) > 0 {
			g.Go(func() error { return c.producePartition(ctx, topic, p, out) })
		}
	}
	return g.Wait()
}

// place is what the partition is chosen by.
func (r *Record) place() []byte {
	if r.Place != nil {
		return r.Place
	}
	return r.Key
}

// outgoing are records and what they were made from.
type outgoing struct {
	records []kafka.Record
	from    []*Record
}

func (o outgoing) cut(from, to int) outgoing { return outgoing{o.records[from:to], o.from[from:to]} }

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

func size(r *kafka.Record) int {
	n := recordOverhead + r.Value.Len()
	if r.Key != nil {
		n += r.Key.Len()
	}
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

// producePartition writes records batch after batch.
func (c *Client) producePartition(ctx context.Context, topic string, p int, out outgoing) error {
	for len(out.records) > 0 {
		n, bytes := 0, 0
		for n < len(out.records) && (n == 0 || bytes+size(&out.records[n]) <= maxBatchBytes) {
			bytes += size(&out.records[n])
			n++
		}
		if err := c.produceBatch(ctx, topic, p, out.cut(0, n)); err != nil {
			return err
		}
		out = out.cut(n, len(out.records))
	}
	return nil
}

// produceBatch repeats one batch until it is acknowledged; a batch that the broker calls too large is halved.
func (c *Client) produceBatch(ctx context.Context, topic string, p int, out outgoing) error {
	err := c.retry(ctx, fmt.Sprintf("write to %s partition %d", c.name(topic), p), func(ctx context.Context) error {
		return c.produceOnce(ctx, topic, p, out)
	})
	if !errors.Is(err, kafka.MessageSizeTooLarge) {
		return err
	}
	n := len(out.records)
	if n == 1 {
		return &TooLargeError{c.name(topic), size(&out.records[0])}
	}
	if err := c.produceBatch(ctx, topic, p, out.cut(0, n/2)); err != nil {
		return err
	}
	return c.produceBatch(ctx, topic, p, out.cut(n/2, n))
}

func (c *Client) produceOnce(ctx context.Context, topic string, p int, out outgoing) error {
	records := out.records
	for i := range records { // a repeated request reads the same bytes from their beginning
		rewind(records[i].Key)
		rewind(records[i].Value)
	}
	resp, err := c.kafka.Produce(ctx, &kafka.ProduceRequest{
		Topic: c.name(topic), Partition: p, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = resp.Error
	}
	if errors.Is(err, kafka.MessageSizeTooLarge) {
		return &finalError{err}
	}
	if err == nil {
		for i, r := range out.from {
			r.Offset = resp.BaseOffset + int64(i)
		}
	}
	return err
}

func rewind(b kafka.Bytes) {
	if s, ok := b.(interface {
		Seek(offset int64, whence int) (int64, error)
	}); ok {
		_, _ = s.Seek(0, 0) // of bytes in memory: it cannot fail
	}
}

var murmur = kafka.Murmur2Balancer{Consistent: true}

// Partition is the number that Produce chooses for key among n partitions.
func Partition(key []byte, n int) int {
	if n == 1 {
		return 0
	}
	return murmur.Balance(kafka.Message{Key: key}, allPartitions(n)...)
}

var partitionNumbers = func() []int {
	numbers := make([]int, 1024)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}()

func allPartitions(n int) []int {
	if n <= len(partitionNumbers) {
		return partitionNumbers[:n]
	}
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// MessageHeaders are the headers that every JSON message carries.
func (c *Client) MessageHeaders(schema string) []Header {
	return []Header{
		{"content-type", []byte("application/json")},
		{"schema", []byte(schema)},
		{"producer", []byte(c.cfg.ClientID)},
	}
}
