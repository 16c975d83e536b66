package stream

import (
	"context"
	"errors"
	"sync"
)

// ErrFull is returned by Batcher.Write when too much waits for Kafka already.
var ErrFull = errors.New("too many records wait for Kafka")

// Batcher lets many callers share writes: what comes while one Produce is in flight goes out together in the next, in the order it came. It adds no
// waiting of its own.
type Batcher struct {
	client *Client
	topic  string
	limit  int // bytes that may wait

	mu      sync.Mutex
	bytes   int
	records []Record
	waiting []chan<- error
	wake    chan struct{}
}

// NewBatcher returns a Batcher for topic; beyond limit waiting bytes a Write fails with ErrFull. Run writes.
func NewBatcher(client *Client, topic string, limit int) *Batcher {
	return &Batcher{client: client, topic: topic, limit: limit, wake: make(chan struct{}, 1)}
}

// Write returns nil once recs are acknowledged. When ctx ends first their fate is unknown: they are written once Kafka takes them, so a caller who
// tries again does so with the same ids.
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

// Enqueue puts recs behind all that was enqueued before and returns at once; the channel tells when they are acknowledged, as Write's error. A caller who
// needs an order among several writes enqueues them under a lock of its own.
func (b *Batcher) Enqueue(recs []Record) (<-chan error, error) {
	done := make(chan error, 1)
	if len(recs) == 0 {
		done <- nil
		return done, nil
	}
	bytes := 0
	for i := range recs {
		bytes += len(recs[i].Key) + len(recs[i].Value) + recordOverhead
	}
	b.mu.Lock()
	if b.bytes > 0 && b.bytes+bytes > b.limit {
		b.mu.Unlock()
		return nil, ErrFull
	}
	b.bytes += bytes
	b.records = append(b.records, recs...)
	b.waiting = append(b.waiting, done)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default: // Run is awake already
	}
	return done, nil
}

// Run writes what comes until ctx ends; then it answers all that still wait with ctx's error.
func (b *Batcher) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			_, waiting := b.take()
			answer(waiting, ctx.Err())
			return ctx.Err()
		case <-b.wake:
		}
		records, waiting := b.take()
		if len(records) == 0 {
			continue
		}
		err := b.client.Produce(ctx, b.topic, records)
		b.mu.Lock()
		for i := range records {
			b.bytes -= len(records[i].Key) + len(records[i].Value) + recordOverhead
		}
		b.mu.Unlock()
		answer(waiting, err)
	}
}

func (b *Batcher) take() ([]Record, []chan<- error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	records, waiting := b.records, b.waiting
	b.records, b.waiting = nil, nil
	return records, waiting
}

func answer(waiting []chan<- error, err error) {
	for _, done := range waiting {
		done <- err // has room for one
	}
}
