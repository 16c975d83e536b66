package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrTrimmed is returned by a Reader, once, when retention has deleted records before it read them.
// errors.As with *TrimmedError gives their offsets. The next Read continues at the first record
// that is left.
var ErrTrimmed = errors.New("records were deleted before they were read")

// ErrBeyond is returned by a Reader whose offset lies beyond the end of the partition, because the
// topic was created again or the broker lost records.
var ErrBeyond = errors.New("the offset lies beyond the end of the partition")

// TrimmedError gives the offsets of the deleted records: Wanted <= offset < First.
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
	maxWait    = 500 * time.Millisecond // of an idle fetch; new data ends it at once
	fetchBytes = 2 << 20                // of a fetch, unless Fetch sets another limit
)

// Reader reads one partition in order from an offset, without a group. It reconnects by itself when
// a leader moves or a broker restarts. It serves one goroutine.
//
// It reads committed records. Records of an open transaction, and all behind them, wait until it
// ends; records of aborted transactions and markers are skipped. So there may be no record at some
// offsets before Offset or End, even at the very end. A caller who reads up to an offset calls
// Next, which returns when the Reader has passed it.
type Reader struct {
	client    *Client
	topic     string // without prefix
	partition int
	id        string // the topic's id that Hold requires; empty: any
	offset    int64
	end       int64
	wire      *wire              // nil: not connected
	request   *kmsg.FetchRequest // reused, as is answer
	answer    *kmsg.FetchResponse
	unpacker  unpacker
	fetchMax  int // bytes
	records   []Record
	progress  *progress // nil: nobody asked for it
	paced     bool
	brought   time.Time // when the last records came
}

// NewReader starts at offset, or at the first record where retention has deleted that.
func (c *Client) NewReader(topic string, partition int, offset int64) *Reader {
	return &Reader{client: c, topic: topic, partition: partition, offset: offset, fetchMax: fetchBytes, unpacker: unpacker{partition: partition}}
}

// Fetch limits the bytes of a request, and so roughly those of a Read. The first batch comes whole,
// however large it is.
func (r *Reader) Fetch(bytes int) *Reader {
	r.fetchMax = bytes
	return r
}

// As names the consumer for which the Reader reads. The metrics then tell how far it is behind,
// until Close. Names are few, such as that of a consumer group: a Reader of a range has none.
func (r *Reader) As(consumer string) *Reader {
	r.progress = r.client.metrics.follow(consumer, r.topic, r.partition, r.offset)
	return r
}

// Hold makes Read return an ErrRecreated instead of records of another topic of the same name.
// Offsets alone do not show it, since the new topic may be as long as the old one was. The Reader
// asks for the id whenever it connects; deleting a topic breaks its readers' connections.
func (r *Reader) Hold(id string) *Reader {
	r.id = id
	return r
}

// Paced lets the Reader wait a little for more records before it asks for them: see Client.Pace.
// Every produced batch answers a fetch that waits, so without it a busy partition costs the process
// and the broker a request for each of its batches.
func (r *Reader) Paced() *Reader {
	r.paced = true
	return r
}

// pause waits as Paced says.
func (r *Reader) pause(ctx context.Context) {
	pace := time.Duration(r.client.pace.Load())
	if !r.paced || pace <= 0 || r.offset < r.end {
		return
	}
	if left := pace - time.Since(r.brought); left > 0 {
		retry.Sleep(ctx, left)
	}
}

// Offset returns the Reader's offset: it has returned all records before.
func (r *Reader) Offset() int64 { return r.offset }

// End returns the end of the partition in the broker's last answer, before records that an open
// transaction holds back. Offset() == End() means that no record was left then.
func (r *Reader) End() int64 { return r.end }

// Close ends the Reader.
func (r *Reader) Close() error {
	r.progress.leave()
	return r.disconnect()
}

// disconnect ends the connection. The next fetch opens another one.
func (r *Reader) disconnect() error {
	if r.wire == nil {
		return nil
	}
	err := r.wire.close()
	r.wire = nil
	return err
}

// Read blocks until it has at least one record or ctx ends. The slice is valid until the next Read;
// the caller may keep the bytes that records point to.
func (r *Reader) Read(ctx context.Context) ([]Record, error) {
	for {
		if records, err := r.Next(ctx); err != nil || len(records) > 0 {
			return records, err
		}
	}
}

// Next blocks until Offset has moved or ctx ends. It returns the records in between: none where
// there were only markers and records of aborted transactions.
func (r *Reader) Next(ctx context.Context) ([]Record, error) {
	backoff := newBackoff()
	before := r.offset
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.pause(ctx)
		err := r.fetch(ctx)
		switch {
		case err == nil && r.offset != before:
			r.brought = time.Now()
			return r.records, nil
		case err == nil:
			backoff.Reset()
			continue
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrTrimmed), errors.Is(err, ErrBeyond), errors.Is(err, ErrRecreated):
			return nil, err
		}
		_ = r.disconnect() // the connection is of no use after an error
		r.client.metrics.failed(requestFetch)
		if backoff.ShouldLog() {
			r.client.logger.Warn("cannot read, repeating", "topic", r.client.name(r.topic), "partition", r.partition, "offset", r.offset, "err", err)
		}
		if !backoff.Pause(ctx) {
			return nil, ctx.Err()
		}
	}
}

// ReadRange calls fn for the records from <= offset < to of a partition, in order. It skips records
// that retention has deleted, and returns ErrBeyond for a partition that ends before to.
func (c *Client) ReadRange(ctx context.Context, topic string, partition int, from, to int64, fn func(*Record) error) error {
	if from >= to {
		return nil
	}
	ranges, err := c.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	if partition >= len(ranges) || ranges[partition].End < to {
		return fmt.Errorf("%w: %s partition %d, wanted up to %d", ErrBeyond, c.name(topic), partition, to)
	}
	r := c.NewReader(topic, partition, max(from, ranges[partition].First))
	defer r.Close()
	for r.Offset() < to {
		records, err := r.Next(ctx)
		if errors.Is(err, ErrTrimmed) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Offset >= to {
				return nil
			}
			if err := fn(&records[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// MoveTo makes the next Read begin at offset. A caller who looks at the newest records again and
// again keeps one Reader, and so one connection.
func (r *Reader) MoveTo(offset int64) { r.offset = offset }
