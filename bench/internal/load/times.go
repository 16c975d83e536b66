package load

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Times are how long answers took, by their kind, such as their status. The zero value is ready;
// Add may be called by many at once, the rest when they have ended.
type Times struct {
	mu   sync.Mutex
	took map[string][]time.Duration
}

// Add takes an answer of a kind.
func (t *Times) Add(kind string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.took == nil {
		t.took = map[string][]time.Duration{}
	}
	t.took[kind] = append(t.took[kind], took)
}

// Kinds are those that came, sorted.
func (t *Times) Kinds() []string { return slices.Sorted(maps.Keys(t.took)) }

// Of returns the times of a kind.
func (t *Times) Of(kind string) Sorted {
	slices.Sort(t.took[kind])
	return t.took[kind]
}

// All returns the times of all kinds together.
func (t *Times) All() Sorted {
	var all []time.Duration
	for _, took := range t.took {
		all = append(all, took...)
	}
	slices.Sort(all)
	return all
}

// Sorted are times, the shortest first.
type Sorted []time.Duration

// Quantile is the time that a share of the answers took at most; 0 without answers.
func (s Sorted) Quantile(share float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	return s[min(int(share*float64(len(s))), len(s)-1)]
}

// Most is the longest time.
func (s Sorted) Most() time.Duration { return s.Quantile(1) }

// Within is the share of the answers that took no longer than that; 1 without answers.
func (s Sorted) Within(most time.Duration) float64 {
	if len(s) == 0 {
		return 1
	}
	within, _ := slices.BinarySearch(s, most+1)
	return float64(within) / float64(len(s))
}

// Ms are milliseconds.
func Ms(d time.Duration) float64 { return d.Seconds() * 1000 }
