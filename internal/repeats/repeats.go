// Package repeats finds ids that came before, within a bounded window of a partition's records.
//
// What counts as a repeat is a function of the partition's records alone: a record is one when the
// last record of its id lies no more than Most offsets before it, and either no more than Least
// offsets or no more than Age. So a consumer that reads again from any offset, having first put
// back the records before it, decides as one that was never interrupted. A repeat counts as a
// record of its id too: were it forgotten, it would matter where a consumer began. A record whose
// time is not known is held to the offsets alone. (It holds as long as times do not fall back by
// more than Age: what is older than twice that is forgotten, or a window could not be small.)
package repeats

import (
	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// Bounds of a window.
const (
	Age   = event.Time(10 * 60 * 1000)
	Least = 8192
	Most  = 1 << 18
)

// Window remembers ids with the place where each came last. The zero value is empty. It serves one
// goroutine.
type Window struct {
	last  map[uint64]place
	ring  []occurrence // in the order they came; head is the oldest
	head  int
	calls int64 // of Repeat
}

// place is where an id came last, and the offset of the record that is no repeat and that it
// repeats.
type place struct {
	offset int64
	first  int64
	at     event.Time
	mark   uint64 // of the first record of the id; see standing
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

func (w *Window) seen(h uint64, offset int64, at event.Time) bool {
	_, repeat := w.note(h, 0, offset, at)
	return repeat
}

// standing is the mark under which an id stands: that of its first record, and mark if this is the
// first.
func (w *Window) standing(h, mark uint64, offset int64, at event.Time) uint64 {
	first, _ := w.note(h, mark, offset, at)
	return first
}

// note remembers the record at offset. It returns the mark under which its id stands, and whether
// the id is repeated.
func (w *Window) note(h, mark uint64, offset int64, at event.Time) (uint64, bool) {
	before, ok := w.last[h]
	if w.last == nil {
		w.last = map[uint64]place{}
	}
	now := place{offset: offset, first: offset, at: at, mark: mark}
	repeat := ok && within(before, offset, at)
	if repeat {
		now.first, now.mark = before.first, before.mark
	}
	w.last[h] = now
	w.ring = append(w.ring, occurrence{h, offset})
	w.forget(offset, at)
	return now.mark, repeat
}

// First returns the offset of the record of an id that is no repeat, and when the id came last, by
// the records' time; ok is false when the id is not remembered. So several windows can be asked for
// one that came in another partition.
func (w *Window) First(id string) (offset int64, at event.Time, ok bool) {
	p, ok := w.last[xxhash.Sum64String(id)]
	return p.first, p.at, ok
}

// within is the rule.
func within(before place, offset int64, at event.Time) bool {
	distance := offset - before.offset
	return distance <= Most && (distance <= Least || before.at != 0 && at != 0 && before.at >= at-Age)
}

// forget drops the oldest that no record behind offset can repeat.
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

// Repeat is Seen for records that have no offsets: each call counts as the next one.
func (w *Window) Repeat(id string, at event.Time) bool {
	w.calls++
	return w.Seen(id, w.calls, at)
}

// Len is the number of ids held.
func (w *Window) Len() int { return len(w.last) }
