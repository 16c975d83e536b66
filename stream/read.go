package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrTrimmed is returned by a Reader, once, when records between the wanted and the first held
// offset are gone; errors.As with *TrimmedError tells which. The next Read goes on at the first
// held one.
var ErrTrimmed = errors.New("records were deleted before they were read")

// ErrBeyond is returned by a Reader whose offset lies beyond the end of the partition: the topic
// was created again, or the broker lost records.
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

// Reader reads one partition in order from an offset, with no group. It reconnects by itself
// (leader moves, broker restarts). It serves one goroutine.
//
// It reads committed: records of an open transaction, and all behind them, wait until it ends;
// those of aborted ones and the markers of transactions are passed over. So offsets may lie before
// Offset or End at which no record was, also at the very end of a partition: whoever reads up to an
// offset calls Next, which tells when it has come there.
type Reader struct {
	client    *Client
	topic     string // without prefix
	partition int
	id        string // of the topic, if it is held to one
	offset    int64
	end       int64
	wire      *wire
	request   *kmsg.FetchRequest // and the answer, used again and again
	answer    *kmsg.FetchResponse
	unpacker  unpacker
	fetchMax  int
	records   []Record
}

// NewReader starts at offset (0 or below the first held one: at the first held one).
func (c *Client) NewReader(topic string, partition int, offset int64) *Reader {
	return &Reader{client: c, topic: topic, partition: partition, offset: offset, fetchMax: fetchBytes, unpacker: unpacker{partition: partition}}
}

// Fetch sets how many bytes a request asks for at most, and so about how many a Read returns; the
// first batch comes whole however large it is.
func (r *Reader) Fetch(bytes int) *Reader {
	r.fetchMax = bytes
	return r
}

// Hold makes Read return an ErrRecreated instead of records of another topic of the same name:
// offsets alone do not tell, since the new one may be as long as the old one was. Deleting a topic
// breaks its readers' fetches, so the id is asked with every connection.
func (r *Reader) Hold(id string) *Reader {
	r.id = id
	return r
}

// Offset is where the Reader is: all records before it have been returned.
func (r *Reader) Offset() int64 { return r.offset }

// End is the end of the partition as the broker last told, before records that an open transaction
// holds back: Offset() == End() means that nothing was left at that time.
func (r *Reader) End() int64 { return r.end }

// Close ends the Reader's connection.
func (r *Reader) Close() error {
	if r.wire == nil {
		return nil
	}
	err := r.wire.close()
	r.wire = nil
	return err
}

// Read blocks until there is at least one record or ctx ends. The slice is valid until the next
// Read; what the records point to may be kept.
func (r *Reader) Read(ctx context.Context) ([]Record, error) {
	for {
		if records, err := r.Next(ctx); err != nil || len(records) > 0 {
			return records, err
		}
	}
}

// Next blocks until Offset has moved or ctx ends. It returns the records that were passed: none
// where markers of transactions, or records of aborted ones, were all that stood there.
func (r *Reader) Next(ctx context.Context) ([]Record, error) {
	wait, warned := backoffMin, time.Time{}
	before := r.offset
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := r.fetch(ctx)
		switch {
		case err == nil && r.offset != before:
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
