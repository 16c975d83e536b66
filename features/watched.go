package features

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Watched is a Store that remembers which of its operations keep failing, so that a stage can say
// why it stands still: callers repeat what fails, for ever if need be, and only they see the error.
type Watched struct {
	Store
	now func() event.Time

	mu     sync.Mutex
	faults map[operation]fault
}

var _ Store = (*Watched)(nil)

// operation is what failed: kinds and partitions fail apart, and so do keys.
type operation struct {
	kind, topicID, key string
	partition          int
}

type fault struct {
	first, last event.Time
	err         error
}

const (
	faultLasts = event.Time(2000) // milliseconds of failing after which a fault is no hiccup
	// milliseconds after which a fault that did not come again is over
	faultForgets = event.Time(5000)
	maxFaults    = 64 // kept at once; more tell nothing new
)

// Watch returns a Watched over store.
func Watch(store Store, now func() event.Time) *Watched {
	return &Watched{Store: store, now: now, faults: map[operation]fault{}}
}

// Fault is the error of an operation that has failed for two seconds and was not seen to succeed
// since; nil when there is none.
func (w *Watched) Fault() error {
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	var oldest fault
	for _, f := range w.faults {
		if f.last >= now-faultForgets && f.last-f.first >= faultLasts && (oldest.err == nil || f.first < oldest.first) {
			oldest = f
		}
	}
	if oldest.err == nil {
		return nil
	}
	return fmt.Errorf("the feature store has failed for %s: %w", now.Sub(oldest.first).Round(time.Second), oldest.err)
}

// Apply implements Store.
func (w *Watched) Apply(ctx context.Context, from int64, to Position, batch []Update) error {
	err := w.Store.Apply(ctx, from, to, batch)
	w.note(ctx, operation{kind: "apply", topicID: to.TopicID, partition: to.Partition}, err)
	return err
}

// Position implements Store.
func (w *Watched) Position(ctx context.Context, topicID string, partition int) (Position, error) {
	p, err := w.Store.Position(ctx, topicID, partition)
	w.note(ctx, operation{kind: "position", topicID: topicID, partition: partition}, err)
	return p, err
}

// Watermark implements Store.
func (w *Watched) Watermark(ctx context.Context, topicID string, partitions int) (event.Time, error) {
	t, err := w.Store.Watermark(ctx, topicID, partitions)
	w.note(ctx, operation{kind: "watermark", topicID: topicID}, err)
	return t, err
}

// Read implements Store.
func (w *Watched) Read(ctx context.Context, keys []string) (map[string]Profile, error) {
	found, err := w.Store.Read(ctx, keys)
	w.note(ctx, operation{kind: "read"}, err)
	return found, err
}

// note remembers how an operation ended. A key that is wrong fails apart from the operation: other
// batches succeed beside it, and it is over when it no longer comes.
func (w *Watched) note(ctx context.Context, op operation, err error) {
	if err != nil && ctx.Err() != nil {
		return // the caller gave up: that says nothing of the store
	}
	if errors.Is(err, ErrMoved) {
		err = nil
	}
	var bad *KeyError
	if errors.As(err, &bad) {
		op.key = bad.Key
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		if len(w.faults) > 0 {
			delete(w.faults, op)
		}
		return
	}
	now := w.now()
	f, ok := w.faults[op]
	if !ok || f.last < now-faultForgets {
		w.dropOldLocked(now)
		if len(w.faults) >= maxFaults {
			return
		}
		f.first = now
	}
	f.last, f.err = now, err
	w.faults[op] = f
}

func (w *Watched) dropOldLocked(now event.Time) {
	for op, f := range w.faults {
		if f.last < now-faultForgets {
			delete(w.faults, op)
		}
	}
}
