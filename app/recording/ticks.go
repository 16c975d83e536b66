package recording

import (
	"cmp"
	"container/heap"
	"iter"
	"path/filepath"
	"time"

	"github.com/clickloop/clickloop/event"
)

func (r *Recording) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(r.dir, file)
}

// Tick is a span of recorded time: Start <= time < End.
type Tick struct {
	Start, End event.Time
	Rows       []Row
	// events received since the last tick and before Start, in the order of (received, row)
	Events []event.Event
}

// Ticks yields the ticks of the first limit rows, 0 for all. Ticks in which nothing happens are
// left out. After the last row, ticks without rows follow until every window has passed. A Tick is
// valid until the next one.
func (r *Recording) Ticks(tick time.Duration, limit int64) iter.Seq2[*Tick, error] {
	return func(yield func(*Tick, error) bool) {
		width := event.Time(tick / time.Millisecond)
		t := &ticker{width: width, window: event.Time(r.cfg.Objective.Window / time.Millisecond)}
		for row, err := range r.Rows() {
			if err != nil {
				yield(nil, err)
				return
			}
			if limit > 0 && row.N > limit {
				break
			}
			if !t.add(row, yield) {
				return
			}
		}
		t.end(yield)
	}
}

// ticker collects rows and events into ticks.
type ticker struct {
	width, window event.Time
	tick          Tick
	begun         bool
	events        eventQueue // not received before the present tick
	last          event.Time // time of the latest row
}

// add adds a row, after yielding the ticks before its own.
func (t *ticker) add(row *Row, yield func(*Tick, error) bool) bool {
	start := row.Time - row.Time%t.width
	if !t.begun {
		t.begun = true
		t.open(start)
	}
	for start > t.tick.Start {
		if !yield(&t.tick, nil) {
			return false
		}
		t.open(t.next(start))
	}
	t.tick.Rows = append(t.tick.Rows, *row)
	t.last = max(t.last, row.Time)
	for i := range row.Events {
		heap.Push(&t.events, queued{row.Events[i], row.N, i})
	}
	return true
}

// next returns the start of the next tick in which something happens, want at the latest. Within a
// window of the latest row no tick is left out, since labels may become due in each.
func (t *ticker) next(want event.Time) event.Time {
	following := t.tick.Start + t.width
	if want-following <= 0 || following <= t.last+t.window+t.width {
		return min(following, want)
	}
	if len(t.events) > 0 {
		first := t.events[0].e.Received
		if start := first - first%t.width + t.width; start < want {
			return max(start, following)
		}
	}
	return want
}

// open begins the tick at start with the events that were received before.
func (t *ticker) open(start event.Time) {
	t.tick.Start, t.tick.End = start, start+t.width
	t.tick.Rows, t.tick.Events = t.tick.Rows[:0], t.tick.Events[:0]
	for len(t.events) > 0 && t.events[0].e.Received < start {
		t.tick.Events = append(t.tick.Events, heap.Pop(&t.events).(queued).e)
	}
}

// end yields the last ticks, until every event is yielded and the last window has passed.
func (t *ticker) end(yield func(*Tick, error) bool) {
	if !t.begun || !yield(&t.tick, nil) {
		return
	}
	passed := t.last + t.window
	passed += t.width - passed%t.width
	for t.tick.Start < passed || len(t.events) > 0 {
		want := passed
		if len(t.events) > 0 {
			first := t.events[0].e.Received
			want = max(want, first-first%t.width+t.width)
		}
		t.open(t.next(want))
		if !yield(&t.tick, nil) {
			return
		}
	}
}

// queued is an event that has not been received yet.
type queued struct {
	e   event.Event
	row int64
	i   int
}

// eventQueue is a heap, ordered by (received, row, index in the row).
type eventQueue []queued

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	a, b := &q[i], &q[j]
	return cmp.Or(cmp.Compare(a.e.Received, b.e.Received), cmp.Compare(a.row, b.row), cmp.Compare(a.i, b.i)) < 0
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is heap.Interface's.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(queued)) }

// Pop is heap.Interface's.
func (q *eventQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
