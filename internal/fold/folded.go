package fold

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// folded is how far this process has folded each of its partitions.
type folded struct {
	changed notify.Broadcast
	mu      sync.Mutex
	upTo    map[int]event.Time // watermarks, by partition
	reached map[int]reached    // how far each partition was folded, also before it was given up
}

// reached is how far a partition of a topic was folded.
type reached struct {
	topicID string
	next    int64
}

// reach notes that all before next is folded.
func (f *folded) reach(topicID string, partition int, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached[partition] = reached{topicID, next}
}

// rewound tells whether a run that begins at next folds again what this process had folded.
func (f *folded) rewound(topicID string, partition int, next int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.reached[partition]
	return r.topicID == topicID && next < r.next
}

func (f *folded) set(partition int, t event.Time) {
	f.mu.Lock()
	f.upTo[partition] = t
	f.mu.Unlock()
	f.changed.Fire()
}

func (f *folded) drop(partition int) {
	f.mu.Lock()
	delete(f.upTo, partition)
	f.mu.Unlock()
}

// Changed returns a channel that is closed when this process has folded more. Take it before you
// look at a watermark.
func (f *Fold) Changed() <-chan struct{} { return f.folded.changed.Wait() }

// Own is the smallest watermark of the partitions that this process folds; ok is false when it
// folds fewer than n, which is at least 1.
func (f *Fold) Own(n int) (t event.Time, ok bool) {
	f.folded.mu.Lock()
	defer f.folded.mu.Unlock()
	if len(f.folded.upTo) < n {
		return 0, false
	}
	return slices.Min(slices.Collect(maps.Values(f.folded.upTo))), true
}

// Watermark is the received time up to which every partition is folded, by this process or by
// others; 0 while that is not known. Where this process folds all partitions it knows, else the
// store is asked.
func (f *Fold) Watermark(ctx context.Context) (event.Time, error) {
	n, err := f.cfg.Client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return 0, err
	}
	if t, ok := f.Own(n); ok {
		return t, nil
	}
	topicID, err := f.cfg.Client.RecentTopicID(ctx, event.TopicEvents)
	if err != nil {
		return 0, err
	}
	id, err := f.cfg.Positions.Current(ctx, topicID)
	if err != nil {
		return 0, err
	}
	return f.cfg.Store.Watermark(ctx, id, n)
}
