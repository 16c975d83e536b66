package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrTrimmed is returned by a Reader, once, when records between the wanted and the first held offset are gone; errors.As with *TrimmedError tells
// which. The next Read goes on at the first held one.
var ErrTrimmed = errors.New("records were deleted before they were read")

// ErrBeyond is returned by a Reader whose offset lies beyond the end of the partition: the topic was created again, or the broker lost records.
var ErrBeyond = errors.New("the offset lies beyond the end of the partition")

// TrimmedError says which records are gone: Wanted <= offset < First.
type TrimmedError struct {
	Topic         string
	Partition     int
	Wanted, First int64
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("%s partition %d: offsets %d to %d were deleted before they were read", e.Topic, e.Partition, e.Wanted, e.First-1)
}

// Is makes errors.Is(err, ErrTrimmed) hold.
func (e *TrimmedError) Is(target error) bool { return target == ErrTrimmed }

const (
	maxWait    = 500 * time.Millisecond // of an idle fetch; data that comes ends it at once
	fetchBytes = 2 << 20                // unless Fetch says another number
)

// Reader reads one partition in order from an offset, with no group. It reconnects by itself (leader moves, broker restarts). It serves one goroutine.
type Reader struct {
	client    *Client
	topic     string // without prefix
	partition int
	id        string // of the topic, if it is held to one
	offset    int64
	end       int64
	conn      *kafka.Conn
	fetchMax  int
	records   []Record
}

// NewReader starts at offset (0 or below the first held one: at the first held one).
func (c *Client) NewReader(topic string, partition int, offset int64) *Reader {
	return &Reader{client: c, topic: topic, partition: partition, offset: offset, fetchMax: fetchBytes}
}

// Fetch sets how many bytes a request asks for at most, and so about how many a Read returns; the first batch comes whole however large it is.
func (r *Reader) Fetch(bytes int) *Reader {
	r.fetchMax = bytes
	return r
}

// Hold makes Read return an ErrRecreated instead of records of another topic of the same name: offsets alone do not tell, since the new one may be as long as
// the old one was. Deleting a topic breaks its readers' fetches, so the id is asked with every connection.
func (r *Reader) Hold(id string) *Reader {
	r.id = id
	return r
}

// Offset is that of the next record that Read will return.
func (r *Reader) Offset() int64 { return r.offset }

// End is the end of the partition as the broker last told: Offset() == End() means that nothing was left at that time.
func (r *Reader) End() int64 { return r.end }

// Close ends the Reader's connection.
func (r *Reader) Close() error {
	if r.conn == nil {
		return nil
	}
	err := r.conn.Close()
	r.conn = nil
	return err
}

// Read blocks until there is at least one record or ctx ends. The slice is valid until the next Read; what the records
// point to may be kept.
func (r *Reader) Read(ctx context.Context) ([]Record, error) {
	wait, warned := backoffMin, time.Time{}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := r.fetch(ctx)
		switch {
		case err == nil && len(r.records) > 0:
			return r.records, nil
		case err == nil:
			wait = backoffMin
			continue
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrTrimmed), errors.Is(err, ErrBeyond), errors.Is(err, ErrRecreated):
			return nil, err
		}
		_ = r.Close() // the connection is of no use after an error
		if time.Since(warned) > 10*time.Second && wait > 4*backoffMin {
			r.client.logger.Warn("cannot read, repeating", "topic", r.client.name(r.topic), "partition", r.partition, "offset", r.offset, "err", err)
			warned = time.Now()
		}
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
		wait = min(2*wait, backoffMax)
	}
}

// connect dials the partition's leader and finds where to begin.
func (r *Reader) connect(ctx context.Context) error {
	dial, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	var conn *kafka.Conn
	var err error
	for _, broker := range r.client.cfg.Brokers {
		if conn, err = r.client.dialer.DialLeader(dial, "tcp", broker, r.client.name(r.topic), r.partition); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(attemptTimeout)); err != nil {
		return errors.Join(err, conn.Close())
	}
	first, end, err := conn.ReadOffsets()
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	if err := r.check(dial); err != nil {
		return errors.Join(err, conn.Close())
	}
	r.conn, r.end = conn, end
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

// check asks for the topic's id.
func (r *Reader) check(ctx context.Context) error {
	if r.id == "" {
		return nil
	}
	id, err := r.client.TopicID(ctx, r.topic)
	if err != nil {
		return err
	}
	if id != r.id {
		return recreated(r.client.name(r.topic), r.id, id)
	}
	return nil
}

// fetch fills r.records with what one request brings, maybe nothing.
func (r *Reader) fetch(ctx context.Context) error {
	r.records = r.records[:0]
	if r.conn == nil {
		if err := r.connect(ctx); err != nil {
			return err
		}
	}
	conn := r.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes a waiting fetch
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(maxWait + attemptTimeout)); err != nil {
		return err
	}
	if _, err := conn.Seek(r.offset, kafka.SeekAbsolute|kafka.SeekDontCheck); err != nil {
		return err
	}
	batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: r.fetchMax, MaxWait: maxWait})
	refused := batch.Err()
	err := refused
	for err == nil {
		var m kafka.Message
		if m, err = batch.ReadMessage(); err == nil && m.Offset >= r.offset {
			r.records = append(r.records, fromKafka(&m, r.partition))
			r.offset = m.Offset + 1
		}
	}
	r.end = max(r.end, batch.HighWaterMark())
	if next := batch.Offset(); errors.Is(err, io.EOF) && next > r.offset {
		r.offset = next // offsets that hold nothing (a compacted tail) are passed over
	}
	closeErr := batch.Close()
	switch {
	case len(r.records) > 0 || errors.Is(err, io.EOF) && closeErr == nil:
		if closeErr != nil {
			_ = r.Close()
		}
		return nil
	case errors.Is(err, kafka.OffsetOutOfRange):
		_ = r.Close()
		return r.connect(ctx)
	case refused == nil && errors.Is(err, kafka.RequestTimedOut) && batch.HighWaterMark() == r.offset:
		return nil // so kafka-go tells that nothing came; the connection is as good as before
	case errors.Is(err, io.EOF):
		return closeErr
	}
	return err
}

func fromKafka(m *kafka.Message, partition int) Record {
	r := Record{Partition: partition, Offset: m.Offset, Key: m.Key, Value: m.Value, Time: m.Time}
	if len(m.Headers) > 0 {
		r.Headers = make([]Header, len(m.Headers))
		for i, h := range m.Headers {
			r.Headers[i] = Header{h.Key, h.Value}
		}
	}
	return r
}
