// Package repeats finds ids and choices that came before, within a bounded window of a partition's
// records.
//
// The one invariant: what is a repeat follows from the partition's records alone. A consumer that
// begins at any offset, having first read back the records before it, decides as one that was never
// interrupted.
//
// The rule: a record is a repeat if the last record of its id lies at most Least offsets before it,
// or at most Most offsets and Age. A repeat counts as a record of its id too, or it would matter
// where a consumer began. A record without a time is held to Least alone. All this holds while
// times do not fall back by more than Age: records older than twice that are forgotten, to keep
// windows small.
package repeats

import (
	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// Bounds of a window.
const (
	Age   = event.Time(10 * 60 * 1000) // milliseconds
	Least = 8192                       // offsets
	Most  = 1 << 18
)

// Window remembers ids with the place where each came last. The zero value is empty. It serves one
// goroutine.
type Window struct {
	last  map[uint64]place // by the hash of the id
	ring  []occurrence     // in the order they came; head is the oldest
	head  int
	calls int64 // of Repeat
}

// place is where an id came last.
type place struct {
	offset int64
	at     event.Time
	first  int64  // offset of the record that is no repeat and that this one repeats
	tag    uint64 // of that record; see Window.note
}

type occurrence struct {
	hash   uint64
	offset int64
}

// Seen says whether the record at offset repeats an id, and remembers it. Offsets rise from call to
// call. at is a time that the record brings with it, never the clock's; 0 when it brings none. An
// empty id is never a repeat.
func (w *Window) Seen(id string, offset int64, at event.Time) bool {
	if id == "" {
		return false
	}
	return w.seen(xxhash.Sum64String(id), offset, at)
}

// Repeat is Seen for records that have no offsets: each call counts as the next one.
func (w *Window) Repeat(id string, at event.Time) bool {
	w.calls++
	return w.Seen(id, w.calls, at)
}

// First returns the offset of the record of an id that is no repeat, and the time of its last
// record; ok is false when the id is not remembered. So a consumer of several partitions can ask
// the window of one for an id that came in another.
func (w *Window) First(id string) (offset int64, at event.Time, ok bool) {
	p, ok := w.last[xxhash.Sum64String(id)]
	return p.first, p.at, ok
}

func (w *Window) seen(hash uint64, offset int64, at event.Time) bool {
	_, repeat := w.note(hash, 0, offset, at)
	return repeat
}

// note remembers the record at offset, which comes with a tag. It returns the tag under which the
// id stands, that of its first record, and whether the record repeats the id.
func (w *Window) note(hash, tag uint64, offset int64, at event.Time) (standing uint64, repeat bool) {
	before, ok := w.last[hash]
	if w.last == nil {
		w.last = map[uint64]place{}
	}
	now := place{offset: offset, first: offset, at: at, tag: tag}
	if repeat = ok && within(before, offset, at); repeat {
		now.first, now.tag = before.first, before.tag
	}
	w.last[hash] = now
	w.ring = append(w.ring, occurrence{hash, offset})
	w.forget(offset, at)
	return now.tag, repeat
}

// within is the rule of the package comment.
func within(before place, offset int64, at event.Time) bool {
	distance := offset - before.offset
	return distance <= Most && (distance <= Least || before.at != 0 && at != 0 && before.at >= at-Age)
}

// forget drops the oldest ids that no record behind offset can repeat.
func (w *Window) forget(offset int64, at event.Time) {
	for w.head < len(w.ring) {
		o := w.ring[w.head]
		p, ok := w.last[o.hash]
		if ok && p.offset == o.offset {
			if offset-p.offset < Most && (offset-p.offset < Least || p.at != 0 && p.at >= at-2*Age) {
				break
			}
			delete(w.last, o.hash)
		}
		w.head++
	}
	if w.head > len(w.ring)/2 && w.head > 1024 {
		w.ring = append(w.ring[:0], w.ring[w.head:]...)
		w.head = 0
	}
}
