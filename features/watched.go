package features

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Watched is a Store that remembers which calls keep failing. Callers repeat a failed call, for
// ever if need be, and only they see its error; a Watched lets the stage report why it makes no
// progress.
type Watched struct {
	Store
	now func() event.Time

	mu     sync.Mutex
	faults map[failure]fault
}

var _ Store = (*Watched)(nil)

// failure is what failed. Methods, partitions and keys fail independently of each other.
type failure struct {
	method, topicID, key string
	partition            int
}

type fault struct {
	first, last event.Time
	err         error
}

const (
	faultLasts   = event.Time(2000) // ms of failing after which a fault is more than a hiccup
	faultForgets = event.Time(5000) // ms without a failure after which a fault is over
	maxFaults    = 64               // bound on the faults that are remembered
)

// Watch returns a Watched over store.
func Watch(store Store, now func() event.Time) *Watched {
	return &Watched{Store: store, now: now, faults: map[failure]fault{}}
}

// Fault is the error of the call that has failed for the longest time, at least for two seconds and
// without a success since; nil when no call has.
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
	w.noteResult(ctx, failure{method: "apply", topicID: to.TopicID, partition: to.Partition}, err)
	return err
}

// Position implements Store.
func (w *Watched) Position(ctx context.Context, topicID string, partition int) (Position, error) {
	p, err := w.Store.Position(ctx, topicID, partition)
	w.noteResult(ctx, failure{method: "position", topicID: topicID, partition: partition}, err)
	return p, err
}

// Watermark implements Store.
func (w *Watched) Watermark(ctx context.Context, topicID string, partitions int) (event.Time, error) {
	t, err := w.Store.Watermark(ctx, topicID, partitions)
	w.noteResult(ctx, failure{method: "watermark", topicID: topicID}, err)
	return t, err
}

// Read implements Store.
func (w *Watched) Read(ctx context.Context, keys []string) (map[string]Profile, error) {
	found, err := w.Store.Read(ctx, keys)
	w.noteResult(ctx, failure{method: "read"}, err)
	return found, err
}

// noteResult remembers how a call ended. A wrong key is a failure of its own: other batches succeed
// meanwhile, and the failure is over when it stops coming.
func (w *Watched) noteResult(ctx context.Context, what failure, err error) {
	if err != nil && ctx.Err() != nil {
		return // the caller gave up, which says nothing about the store
	}
	if errors.Is(err, ErrMoved) {
		err = nil
	}
	var bad *KeyError
	if errors.As(err, &bad) {
		what.key = bad.Key
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		delete(w.faults, what)
		return
	}
	now := w.now()
	f, ok := w.faults[what]
	if !ok || f.last < now-faultForgets {
		maps.DeleteFunc(w.faults, func(_ failure, f fault) bool { return f.last < now-faultForgets })
		if len(w.faults) >= maxFaults {
			return
		}
		f.first = now
	}
	f.last, f.err = now, err
	w.faults[what] = f
}
