package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
)

// ErrFull is returned by Batcher.Write when the records that wait for Kafka reach the limit.
var ErrFull = errors.New("too many records wait for Kafka")

// ErrEnded is returned by Batcher.Write, also to callers that wait, when Run has ended: no record
// is written any more.
var ErrEnded = errors.New("the process is stopping: nothing is written any more")

// Batcher combines the writes of many callers (group commit): records that arrive while one Produce
// is in flight go out together in the next, in their order. It never waits for more records.
type Batcher struct {
	client *Client
	topic  string
	limit  int           // bytes of the records that may wait
	drain  time.Duration // see Drain
	lost   func(records int, err error)

	mu      sync.Mutex
	ended   bool // Run has ended
	bytes   int
	records []Record
	waiting []waiter
	wake    chan struct{}
}

// waiter is a caller that enqueued the next so many records.
type waiter struct {
	done    chan<- error // buffers one
	records int
}

// NewBatcher returns a Batcher for topic, whose records Run writes. A Write that would exceed limit
// bytes of waiting records fails with ErrFull.
func NewBatcher(client *Client, topic string, limit int) *Batcher {
	return &Batcher{client: client, topic: topic, limit: limit, wake: make(chan struct{}, 1)}
}

// Drain lets Run write all waiting records after its ctx has ended, for at most d. Run calls lost,
// which may be nil, with the number of records that Kafka has not acknowledged by then; they may or
// may not have been written. It also calls lost, at any time, for records that can never be written
// (a *TooLargeError).
func (b *Batcher) Drain(d time.Duration, lost func(records int, err error)) *Batcher {
	b.drain, b.lost = d, lost
	return b
}

// Write returns nil once Kafka has acknowledged recs, and a *TooLargeError once it has acknowledged
// all but those that the error names. When ctx ends first, recs may still be written later; a
// caller who tries again uses the same ids.
func (b *Batcher) Write(ctx context.Context, recs []Record) error {
	done, err := b.Enqueue(recs)
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Enqueue puts recs behind all records before them and returns at once. The channel delivers
// Write's result. A caller who needs an order among several writes enqueues them under a lock of
// its own.
func (b *Batcher) Enqueue(recs []Record) (<-chan error, error) {
	done := make(chan error, 1)
	if len(recs) == 0 {
		done <- nil
		return done, nil
	}
	bytes := bytesOf(recs)
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return nil, ErrEnded
	}
	if b.bytes > 0 && b.bytes+bytes > b.limit {
		b.mu.Unlock()
		return nil, ErrFull
	}
	b.bytes += bytes
	b.records = append(b.records, recs...)
	b.waiting = append(b.waiting, waiter{done, len(recs)})
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default: // Run is awake already
	}
	return done, nil
}

func bytesOf(recs []Record) int {
	n := 0
	for i := range recs {
		n += len(recs[i].Key) + len(recs[i].Value) + recordOverhead
	}
	return n
}

// Run writes records until ctx ends, and then drains the waiting ones as Drain allows. It answers
// the callers of the rest with ErrEnded. It runs once.
func (b *Batcher) Run(ctx context.Context) error {
	writing, stop := b.outlive(ctx)
	defer stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-b.wake:
			b.write(writing)
		}
	}
	for writing.Err() == nil && b.write(writing) {
	}
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	records, waiting := b.take()
	b.answer(records, waiting, fmt.Errorf("%w: %w", ErrEnded, ctx.Err()))
	return ctx.Err()
}

// outlive returns a context that ends b.drain after ctx.
func (b *Batcher) outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.drain <= 0 {
		return context.WithCancel(ctx)
	}
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		retry.Sleep(writing, b.drain)
		cancel()
	})
	return writing, cancel
}

// write writes all waiting records and returns false when there were none.
func (b *Batcher) write(ctx context.Context) bool {
	records, waiting := b.take()
	if len(records) == 0 {
		return false
	}
	err := b.client.Produce(ctx, b.topic, records)
	b.mu.Lock()
	b.bytes -= bytesOf(records)
	b.mu.Unlock()
	b.answer(records, waiting, err)
	return true
}

func (b *Batcher) take() ([]Record, []waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	records, waiting := b.records, b.waiting
	b.records, b.waiting = nil, nil
	return records, waiting
}

// answer gives each waiter the result of its records.
func (b *Batcher) answer(records []Record, waiting []waiter, err error) {
	var large *TooLargeError
	lost := len(records)
	if errors.As(err, &large) {
		lost = len(large.Records)
	}
	if err != nil && b.lost != nil && lost > 0 {
		b.lost(lost, err)
	}
	if large == nil {
		for _, w := range waiting {
			w.done <- err
		}
		return
	}
	from, refused := 0, large.Records
	for _, w := range waiting {
		w.done <- large.part(&refused, from, records[from:from+w.records])
		from += w.records
	}
}
