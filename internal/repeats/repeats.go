// Package repeats finds ids that came before, within a bounded window of a partition's records.
//
// What counts as a repeat is a function of the records alone, so a consumer that reads again from an earlier offset, having first put back the
// records before it, decides the same.
package repeats

import (
	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// Bounds of a window: an id is remembered for Age, and longer while there are no more than Least ids; never more than Most ids.
const (
	Age   = event.Time(10 * 60 * 1000)
	Least = 8192
	Most  = 1 << 18
)

// Window remembers ids in the order they came. The zero value is empty.
type Window struct {
	ring []entry // a queue; head is the oldest
	head int
	held map[uint64]struct{}
}

type entry struct {
	hash uint64
	at   event.Time
}

// Repeat says whether id came before within the window, and remembers it. at is the record's own time, not the clock's. An empty id is never a repeat.
func (w *Window) Repeat(id string, at event.Time) bool {
	if id == "" {
		return false
	}
	h := xxhash.Sum64String(id)
	if _, ok := w.held[h]; ok {
		return true
	}
	if w.held == nil {
		w.held = map[uint64]struct{}{}
	}
	w.held[h] = struct{}{}
	w.ring = append(w.ring, entry{h, at})
	for n := len(w.ring) - w.head; n > Most || n > Least && w.ring[w.head].at < at-Age; n-- {
		delete(w.held, w.ring[w.head].hash)
		w.head++
	}
	if w.head > len(w.ring)/2 && w.head > 1024 {
		w.ring = append(w.ring[:0], w.ring[w.head:]...)
		w.head = 0
	}
	return false
}

// Len is the number of ids held.
func (w *Window) Len() int { return len(w.ring) - w.head }

// Start is the offset from which records are put back before reading from offset.
func Start(offset int64) int64 { return max(0, offset-Most) }
