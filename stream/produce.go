package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// maxBatchBytes keeps a batch below the broker's default limit of 1 MiB, headers and framing
// included.
const maxBatchBytes = 900_000

// recordOverhead is what a record costs beside key, value and headers.
const recordOverhead = 40

// TooLargeError says that records can never be written as the topic is: each alone is larger than
// it takes. All others that were given with them are written.
type TooLargeError struct {
	Topic   string
	Records []int // indexes into what was to be written
	Bytes   int   // of the largest
	Limit   int   // the topic's max.message.bytes; 0 when it is not known
	Mend    string
}

func (e *TooLargeError) Error() string {
	limit := "max.message.bytes"
	if e.Limit > 0 {
		limit = fmt.Sprintf("max.message.bytes is %d", e.Limit)
	}
	return fmt.Sprintf("a record of %d bytes is larger than topic %s takes (%s); mend it with: %s", e.Bytes, e.Topic, limit, e.Mend)
}

// Produce writes recs and returns nil once every one is acknowledged by all in-sync replicas.
// Records of a partition are written in the order given, in batches, one in flight; a batch is
// retried with backoff until ctx ends, so it may be written twice, never skipped. On error the
// outcome of the rest is unknown, but for a *TooLargeError: it is final, and all but the records
// that it names are acknowledged. Offsets of recs are set to where they were written.
func (c *Client) Produce(ctx context.Context, topic string, recs []Record) error {
	if len(recs) == 0 {
		return nil
	}
	byPartition, err := c.route(ctx, topic, recs)
	if err != nil {
		return err
	}
	refused := &refusals{}
	g, ctx := errgroup.WithContext(ctx)
	for p, out := range byPartition {
		if len(out.records) > 0 {
			g.Go(func() error { return c.producePartition(ctx, topic, p, out, refused) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return refused.error(c, topic)
}

// route shares records out among the partitions.
func (c *Client) route(ctx context.Context, topic string, recs []Record) ([]outgoing, error) {
	n, settled, err := c.counts(ctx, topic)
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
			return nil, fmt.Errorf("topic %s has no partition %d, only %d partitions", c.name(topic), p, n)
		}
		out := &byPartition[p]
		out.records, out.from, out.index = append(out.records, toKafka(&recs[i], now)), append(out.from, &recs[i]), append(out.index, i)
	}
	return byPartition, nil
}

// place is what the partition is chosen by.
func (r *Record) place() []byte {
	if r.Place != nil {
		return r.Place
	}
	return r.Key
}

// outgoing are records and what they were made from.
// refusals are the records of a call that are too large.
type refusals struct {
	mu      sync.Mutex
	records []int
	largest int
	limit   int
}

func (r *refusals) add(index, bytes, limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records, r.largest, r.limit = append(r.records, index), max(r.largest, bytes), limit
}

func (r *refusals) error(c *Client, topic string) error {
	if len(r.records) == 0 {
		return nil
	}
	slices.Sort(r.records)
	return &TooLargeError{Topic: c.name(topic), Records: r.records, Bytes: r.largest, Limit: r.limit, Mend: c.mend(topic, maxMessageBytes, roomFor(r.largest))}
}

// outgoing are records, what they were made from, and where they stood in what was to be written.
type outgoing struct {
	records []kafka.Record
	from    []*Record
	index   []int
}

func (o outgoing) cut(from, to int) outgoing {
	return outgoing{o.records[from:to], o.from[from:to], o.index[from:to]}
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

// size is what the record costs in a batch.
func (r *Record) size() int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

// producePartition writes records batch after batch, as large as the topic takes.
func (c *Client) producePartition(ctx context.Context, topic string, p int, out outgoing, refused *refusals) error {
	for len(out.records) > 0 {
		most := c.batchBytes(ctx, topic)
		n, bytes := 0, 0
		for n < len(out.records) && (n == 0 || bytes+out.from[n].size() <= most) {
			bytes += out.from[n].size()
			n++
		}
		if err := c.produceBatch(ctx, topic, p, out.cut(0, n), refused); err != nil {
			return err
		}
		out = out.cut(n, len(out.records))
	}
	return nil
}

// produceBatch repeats one batch until it is acknowledged; a batch that the broker calls too large
// is halved, and one record that is too large alone is refused.
func (c *Client) produceBatch(ctx context.Context, topic string, p int, out outgoing, refused *refusals) error {
	err := c.retry(ctx, fmt.Sprintf("write to %s partition %d", c.name(topic), p), func(ctx context.Context) error {
		return c.produceOnce(ctx, topic, p, out)
	})
	if !tooLarge(err) {
		return err
	}
	n := len(out.records)
	bytes := 0
	for i := range out.from {
		bytes += out.from[i].size()
	}
	limit := c.learnLimit(ctx, topic, bytes)
	if n == 1 {
		refused.add(out.index[0], bytes, limit)
		return nil
	}
	if err := c.produceBatch(ctx, topic, p, out.cut(0, n/2), refused); err != nil {
		return err
	}
	return c.produceBatch(ctx, topic, p, out.cut(n/2, n), refused)
}

// tooLarge says that the broker will never take a batch: it is larger than the topic's messages or
// segments may be.
func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
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
