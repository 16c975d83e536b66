package ingest

import (
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// folded tells those who wait how far this process has folded its partitions.
type folded struct {
	notify.Broadcast
	mu sync.Mutex
	at map[int]event.Time
}

func (f *folded) set(partition int, t event.Time) {
	f.mu.Lock()
	f.at[partition] = t
	f.mu.Unlock()
	f.Fire()
}

func (f *folded) drop(partition int) {
	f.mu.Lock()
	delete(f.at, partition)
	f.mu.Unlock()
}

// some says whether this process folds any partition.
func (f *folded) some() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.at) > 0
}

// watermark is the smallest time of all n partitions; ok is false when some are folded elsewhere.
func (f *folded) watermark(n int) (t event.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.at) < n {
		return 0, false
	}
	first := true
	for _, at := range f.at {
		if first || at < t {
			t, first = at, false
		}
	}
	return t, true
}
