package tail

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/clickloop/clickloop/stream"
)

// turns lets readers of several partitions take turns by the time of their records, a fetch each.
// So a reader of many records does not run ahead of the others, and what follows a record is read
// after it. A reader that waits at the end of its partition keeps nobody waiting.
type turns struct {
	mu      sync.Mutex
	changed *sync.Cond
	next    []int64 // of each reader: ms of the records that it has; unknown: it fetches; none: it waits
}

const (
	unknown = math.MinInt64
	none    = math.MaxInt64
)

func newTurns(readers int) *turns {
	t := &turns{next: make([]int64, readers)}
	t.changed = sync.NewCond(&t.mu)
	for i := range t.next {
		t.next[i] = unknown
	}
	return t
}

// set says what a reader has.
func (t *turns) set(reader int, next int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next[reader] = next
	t.changed.Broadcast()
}

// take calls fn with records of a reader when no other reader has earlier ones, or may have. Calls
// of fn exclude each other.
func (t *turns) take(ctx context.Context, reader int, records []stream.Record, fn func() error) error {
	defer context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next[reader] = unixMilli(records[0].Time)
	t.changed.Broadcast()
	for !t.first(reader) {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.changed.Wait()
	}
	return fn()
}

// first says whether it is a reader's turn. Of two with the same time the first one's it is.
func (t *turns) first(reader int) bool {
	for i, next := range t.next {
		if next < t.next[reader] || next == t.next[reader] && i < reader {
			return false
		}
	}
	return true
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
