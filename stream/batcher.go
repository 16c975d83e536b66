package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrFull is returned by Batcher.Write when too much waits for Kafka already.
var ErrFull = errors.New("too many records wait for Kafka")

// ErrEnded is returned by Batcher.Write, and told to those who wait, when Run has ended: nothing is
// written any more.
var ErrEnded = errors.New("the process is stopping: nothing is written any more")

// Batcher lets many callers share writes: what comes while one Produce is in flight goes out
// together in the next, in the order it came. It adds no waiting of its own.
type Batcher struct {
	client *Client
	topic  string
	limit  int // bytes that may wait
	drain  time.Duration
	lost   func(records int, err error)

	mu      sync.Mutex
	ended   bool // Run has
	bytes   int
	records []Record
	waiting []waiter
	wake    chan struct{}
}

// waiter is who enqueued the next so many records.
type waiter struct {
	done    chan<- error // has room for one
	records int
}

// NewBatcher returns a Batcher for topic; beyond limit waiting bytes a Write fails with ErrFull.
// Run writes.
func NewBatcher(client *Client, topic string, limit int) *Batcher {
	return &Batcher{client: client, topic: topic, limit: limit, wake: make(chan struct{}, 1)}
}

// Drain makes Run go on, when its ctx has ended, until all that waits is written, for at most d.
// lost, which may be nil, is told how many records were not acknowledged by then: they may or may
// not have been written. It is told as well, at any time, of records that can never be written (a
// *TooLargeError).
func (b *Batcher) Drain(d time.Duration, lost func(records int, err error)) *Batcher {
	b.drain, b.lost = d, lost
	return b
}

// Write returns nil once recs are acknowledged, and a *TooLargeError when all are but those that it
// names. When ctx ends first their fate is unknown: they are written once Kafka takes them, so a
// caller who tries again does so with the same ids.
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

// Enqueue puts recs behind all that was enqueued before and returns at once; the channel tells when
// they are acknowledged, as Write's error. A caller who needs an order among several writes
// enqueues them under a lock of its own.
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

// Run writes what comes until ctx ends, then what still waits, as Drain says; then it answers all
// that are left with ctx's error. It runs once.
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

// outlive returns a context that ends a drain's time after ctx.
func (b *Batcher) outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.drain <= 0 {
		return context.WithCancel(ctx)
	}
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(b.drain, cancel)
	})
	return writing, func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
}

// write writes all that waits, and says whether that was anything.
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

// answer tells each waiter what became of its records.
func (b *Batcher) answer(records []Record, waiting []waiter, err error) {
	var large *TooLargeError
	if err != nil && b.lost != nil && len(records) > 0 {
		if n := len(records); errors.As(err, &large) {
			b.lost(len(large.Records), err)
		} else {
			b.lost(n, err)
		}
	}
	if !errors.As(err, &large) {
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

// part is the error of those who gave the records from index from on, nil when none of theirs is
// among refused, of which these are taken.
func (e *TooLargeError) part(refused *[]int, from int, records []Record) error {
	p := *e
	p.Records, p.Bytes = nil, 0
	for len(*refused) > 0 && (*refused)[0] < from+len(records) {
		i := (*refused)[0] - from
		*refused = (*refused)[1:]
		p.Records, p.Bytes = append(p.Records, i), max(p.Bytes, records[i].size())
	}
	if len(p.Records) == 0 {
		return nil
	}
	return &p
}
