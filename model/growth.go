package model

import "unsafe"

// growth is an index's table of twice the size, made while the present one still answers: to make
// it at once, when the present one is half full, would be a pause of tens of milliseconds, most of
// them for memory that was never touched. Its memory is taken by another goroutine; then each key
// that comes has a few of those before it placed, so that all of them have their places when the
// table is needed.
//
// How far it is follows from the number of keys alone, and they are placed in the order of their
// records: it is the table that making it at once would give.
type growth struct {
	memory chan memory // on its way, nil for none
	slots  []uint64    // nil: not there yet
	keys   []uint64
	to     int // records below it were placed
}

// memory is what a table and the list of its keys need.
type memory struct{ slots, keys []uint64 }

const (
	growSlots = 1 << 13 // smaller tables are made at once, in some tens of microseconds
	// memory is called for when 6/16 of the slots are taken, keys are placed from 7/16 on
	growShare = 16
	// so many for each key that comes: from 7/16 to 8/16 that makes all of them
	growRecord = 8
)

// ends says that the present table is the last one.
func (t *index) ends() bool { return t.most > 0 && 2*t.most <= len(t.slots) }

// prepare makes a part of the next table; it is called after each key that comes.
func (t *index) prepare() {
	n, share, g := len(t.keys), len(t.slots)/growShare, &t.next
	if n < 6*share || len(t.slots) < growSlots || t.ends() {
		return
	}
	if g.slots == nil && g.memory == nil {
		g.memory = takeMemory(2 * len(t.slots))
	}
	if n > 7*share {
		t.placeNext(growRecord * (n - 7*share))
	}
}

// takeMemory gives memory for a table, touched: the system takes its time for each page that it
// gives away.
func takeMemory(slots int) chan memory {
	done := make(chan memory, 1)
	go func() {
		m := memory{make([]uint64, slots), make([]uint64, slots/2+2)}
		touchPages(m.slots)
		touchPages(m.keys)
		done <- m
	}()
	return done
}

const pageBytes = 4096

func touchPages[T byte | uint64 | float32](v []T) {
	for i := 0; i < len(v); i += pageBytes / int(unsafe.Sizeof(v[0])) {
		v[i] = 0
	}
}

// placeNext places the records below to.
func (t *index) placeNext(to int) {
	g := &t.next
	if g.slots == nil {
		if g.memory == nil { // a small table
			g.slots, g.keys = make([]uint64, 2*len(t.slots)), make([]uint64, len(t.slots)+2)
		} else {
			m := <-g.memory
			g.slots, g.keys = m.slots, m.keys
		}
		g.memory, g.to = nil, 1
	}
	for to = min(to, len(t.keys)); g.to < to; g.to++ {
		t.follow(g.to)
	}
}

// follow gives a record of the next table the key that it has now.
func (t *index) follow(r int) {
	key := t.keys[r]
	if t.next.keys[r] = key; key != 0 || !t.exact {
		placeIn(t.next.slots, t.shift-1, key, uint32(r))
	}
}

// grow goes over to the next table.
func (t *index) grow() {
	t.placeNext(len(t.keys))
	t.slots, t.keys = t.next.slots, t.next.keys[:len(t.keys)]
	t.shift--
	t.next = growth{}
}

func (t *index) clone() index {
	c := *t
	c.slots, c.keys = append([]uint64(nil), t.slots...), append([]uint64(nil), t.keys...)
	switch {
	case t.next.slots != nil:
		c.next.slots, c.next.keys = append([]uint64(nil), t.next.slots...), append([]uint64(nil), t.next.keys...)
	case t.next.memory != nil:
		// whoever reads a clone's original must be able to do so beside others
		c.next.memory = takeMemory(2 * len(t.slots))
	}
	return c
}
