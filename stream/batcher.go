package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
)

// ErrFull is returned by Batcher.Enqueue when the records that wait for Kafka reach the limit.
var ErrFull = errors.New("too many records wait for Kafka")

// ErrEnded is returned by Batcher.Enqueue, and to callers that wait, when Run has ended: no record
// is written any more.
var ErrEnded = errors.New("the process is stopping: nothing is written any more")

// Batcher combines the writes of many callers (group commit): records that arrive while one Produce
// is in flight go out together in the next, in their order. While a caller of Await waits, it never
// waits for more records.
type Batcher struct {
	client  *Client
	topic   string
	limit   int           // bytes of the records that may wait
	drain   time.Duration // see Drain
	linger  time.Duration // see Linger
	insist  bool          // see Insist
	journal Journal       // see Keep; nil for none
	lost    func(records int, err error)
	written func(records int)

	mu      sync.Mutex
	ended   bool // Run has ended
	bytes   int
	records []Record // that wait, those in flight excepted
	spare   []Record // empty: memory that records may use
	next    int64    // number of the next record; numbers count from 0
	settled int64    // records below are written or refused
	failed  []failure
	waiting []*waiter
	wake    chan struct{} // records wait
	hurry   chan struct{} // a caller waits for them
}

// Journal keeps records while they wait for Kafka, so that they outlive the process.
type Journal interface {
	// Append is called with records before they are enqueued, by one caller at a time. After an
	// error they are not enqueued.
	Append(recs []Record) error
	// Settle is called when so many of the oldest records are written, or refused for good.
	Settle(records int)
}

const (
	maxFailed = 1024    // failures that a Batcher remembers, the newest
	maxWrite  = 4 << 20 // bytes of one write, unless a single record has more
)

// NewBatcher returns a Batcher for topic, whose records Run writes. An Enqueue that would exceed
// limit bytes of waiting records fails with ErrFull.
func NewBatcher(client *Client, topic string, limit int) *Batcher {
	return &Batcher{client: client, topic: topic, limit: limit, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
}

// Drain lets Run write all waiting records after its ctx has ended, for at most d. Run calls lost,
// which may be nil, with the number of records that Kafka has not acknowledged by then; they may or
// may not have been written. It also calls lost, at any time, for records that can never be written
// (a *TooLargeError).
func (b *Batcher) Drain(d time.Duration, lost func(records int, err error)) *Batcher {
	b.drain, b.lost = d, lost
	return b
}

// Count lets Run call written with the number of records that Kafka has acknowledged.
func (b *Batcher) Count(written func(records int)) *Batcher {
	b.written = written
	return b
}

// Linger lets Run wait for d before a write, for more records, while no caller of Await waits for
// one: each write costs the process and the broker as much as some ten records do.
func (b *Batcher) Linger(d time.Duration) *Batcher {
	b.linger = d
	return b
}

// Insist lets Run repeat a write whatever its error is, until the process ends: for records whose
// callers do not wait, so that nobody else would repeat them.
func (b *Batcher) Insist() *Batcher {
	b.insist = true
	return b
}

// Keep lets j keep records from Enqueue until they are written. recovered are records that it kept
// when another process ended: they are the first that Run writes, however many they are. Keep is
// called before all else.
func (b *Batcher) Keep(j Journal, recovered []Record) *Batcher {
	b.journal = j
	if len(recovered) > 0 {
		b.add(recovered, bytesOf(recovered))
	}
	return b
}

// Write returns nil once Kafka has acknowledged recs, and a *TooLargeError once it has acknowledged
// all but those that the error names. When ctx ends first, recs may still be written later; a
// caller who tries again uses the same ids.
func (b *Batcher) Write(ctx context.Context, recs []Record) error {
	t, err := b.Enqueue(recs)
	if err != nil {
		return err
	}
	return b.Await(ctx, t)
}

// Enqueue puts recs behind all records before them and returns at once. A caller who needs an order
// among several writes enqueues them under a lock of its own.
func (b *Batcher) Enqueue(recs []Record) (Ticket, error) {
	if len(recs) == 0 {
		return Ticket{}, nil
	}
	bytes := bytesOf(recs)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended:
		return Ticket{}, ErrEnded
	case b.bytes > 0 && b.bytes+bytes > b.limit:
		return Ticket{}, ErrFull
	}
	if b.journal != nil {
		if err := b.journal.Append(recs); err != nil {
			return Ticket{}, err
		}
	}
	return b.add(recs, bytes), nil
}

// add enqueues recs, whose sum of sizes is bytes. The caller holds the lock, if others may call.
func (b *Batcher) add(recs []Record, bytes int) Ticket {
	b.bytes += bytes
	b.records = append(b.records, recs...)
	t := Ticket{b.next, b.next + int64(len(recs))}
	b.next = t.to
	signal(b.wake)
	return t
}

// signal wakes whoever reads from c, now or later.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // a signal waits there already
	}
}

// Room returns false when a record of so many bytes would be refused with ErrFull now.
func (b *Batcher) Room(bytes int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes == 0 || b.bytes+bytes+recordOverhead <= b.limit
}

// Waiting returns how many records wait for Kafka, and their bytes.
func (b *Batcher) Waiting() (records, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(b.next - b.settled), b.bytes
}

func bytesOf(recs []Record) int {
	n := 0
	for i := range recs {
		n += recs[i].waits()
	}
	return n
}

// waits is how many bytes a record counts for while it waits.
func (r *Record) waits() int { return len(r.Key) + len(r.Value) + recordOverhead }

// Run writes records until ctx ends, and then drains the waiting ones as Drain allows. It answers
// the callers of the rest with ErrEnded. It runs once.
func (b *Batcher) Run(ctx context.Context) error {
	writing, stop := b.outlive(ctx)
	defer stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-b.wake:
			for ctx.Err() == nil && b.lingers(ctx) && b.write(writing) {
			}
		}
	}
	for writing.Err() == nil && b.write(writing) {
	}
	b.end(fmt.Errorf("%w: %w", ErrEnded, ctx.Err()))
	return ctx.Err()
}

// lingers waits for more records, and returns false when there are none at all.
func (b *Batcher) lingers(ctx context.Context) bool {
	select {
	case <-b.hurry: // of a caller who may have been answered
	default:
	}
	b.mu.Lock()
	records, waits := len(b.records), slices.ContainsFunc(b.waiting, func(w *waiter) bool { return !w.patient })
	b.mu.Unlock()
	if records == 0 || waits || b.linger <= 0 {
		return records > 0
	}
	timer := time.NewTimer(b.linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.hurry:
	case <-ctx.Done():
	}
	return true
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

// write writes the records that wait, up to maxWrite, and returns false when there were none. When
// ctx ends before Kafka has acknowledged them, they count as waiting again.
func (b *Batcher) write(ctx context.Context) bool {
	records := b.take()
	if len(records) == 0 {
		return false
	}
	err := b.client.Produce(ctx, b.topic, records)
	for backoff := newBackoff(); b.insist && !final(err) && ctx.Err() == nil; {
		if backoff.ShouldLog() {
			b.client.logger.Warn("cannot write what waits, repeating", "topic", b.topic, "records", len(records), "err", err)
		}
		if backoff.Pause(ctx) {
			err = b.client.Produce(ctx, b.topic, records)
		}
	}
	if ctx.Err() != nil && !final(err) {
		b.requeue(records)
		return false
	}
	b.settle(records, err)
	return true
}

// final tells whether an error of Produce says what became of every record.
func final(err error) bool {
	return err == nil || errors.As(err, new(*TooLargeError))
}

// take returns the oldest records that wait, up to maxWrite bytes of them.
func (b *Batcher) take() []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, bytes := 0, 0
	for n < len(b.records) && (n == 0 || bytes+b.records[n].waits() <= maxWrite) {
		bytes += b.records[n].waits()
		n++
	}
	records := b.records[:n:n]
	if b.records = b.records[n:]; len(b.records) == 0 {
		b.records, b.spare = b.spare, nil
	}
	return records
}

// requeue puts records back in front.
func (b *Batcher) requeue(records []Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(records, b.records...)
}

// settle notes what became of the oldest records, and tells those who wait for them.
func (b *Batcher) settle(records []Record, err error) {
	n, bytes, failed := len(records), bytesOf(records), 0
	b.mu.Lock()
	if err != nil {
		failed = b.failLocked(records, err)
	}
	b.bytes -= bytes
	b.settled += int64(n)
	b.wakeLocked()
	clear(records)
	if b.spare == nil && bytes <= maxWrite {
		b.spare = records[:0]
	}
	b.mu.Unlock()
	if b.journal != nil {
		b.journal.Settle(n)
	}
	if err != nil && b.lost != nil {
		b.lost(failed, err)
	}
	if n > failed && b.written != nil {
		b.written(n - failed)
	}
}

// end counts what is left and answers those who wait for it.
func (b *Batcher) end(err error) {
	b.mu.Lock()
	b.ended = true
	left := len(b.records)
	b.records = nil
	for _, w := range b.waiting {
		w.done <- err
	}
	b.waiting = nil
	b.mu.Unlock()
	if left > 0 && b.lost != nil {
		b.lost(left, err)
	}
}
