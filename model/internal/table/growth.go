package table

// growth is the next table of an index, twice the size, built while the present one still answers.
// To build it at once, when the present one is half full, would be a pause of tens of milliseconds,
// most of them for memory that was never touched. So another goroutine takes its memory, and then
// each new key places a few older ones, until all have their places when the table is needed.
//
// Its progress follows from the number of keys alone, and keys are placed in the order of their
// entries. The result is the table that building it at once would give.
type growth struct {
	memory chan []uint64 // being taken by another goroutine, for slots and keys; nil for none
	slots  []uint64      // nil: not begun
	keys   []uint64
	placed int // entries below it have their places
}

const (
	growSlots = 1 << 13 // smaller tables are built at once, in some tens of microseconds
	// memory is taken when 6/16 of the slots are, keys are placed from 7/16 on
	growShare = 16
	growKeys  = 8 // are placed for each new key, which makes all of them from 7/16 to 8/16
)

// prepare builds a part of the next table. It is called after each new key.
func (t *Index) prepare() {
	n, share, g := len(t.Keys), len(t.slots)/growShare, &t.next
	last := t.most > 0 && 2*t.most <= len(t.slots)
	if n < 6*share || len(t.slots) < growSlots || last {
		return
	}
	if g.slots == nil && g.memory == nil {
		g.memory = takeMemory[uint64](t.nextSize())
	}
	if n > 7*share {
		t.placeNext(growKeys * (n - 7*share))
	}
}

// nextSize is how much memory the next table and the list of its keys need.
func (t *Index) nextSize() int { return 3*len(t.slots) + 2 }

// placeNext places the entries below to in the next table.
func (t *Index) placeNext(to int) {
	g := &t.next
	if g.slots == nil {
		if g.memory == nil { // a small table
			g.memory = takeMemory[uint64](t.nextSize())
		}
		m, slots := <-g.memory, 2*len(t.slots)
		g.slots, g.keys, g.memory, g.placed = m[:slots:slots], m[slots:], nil, 1
	}
	for to = min(to, len(t.Keys)); g.placed < to; g.placed++ {
		t.follow(g.placed)
	}
}

// follow gives an entry of the next table its present key.
func (t *Index) follow(entry int) {
	key := t.Keys[entry]
	if t.next.keys[entry] = key; key != 0 || !t.exact {
		place(t.next.slots, t.shift-1, key, uint32(entry))
	}
}

// grow goes over to the next table.
func (t *Index) grow() {
	t.placeNext(len(t.Keys))
	t.slots, t.Keys = t.next.slots, t.next.keys[:len(t.Keys)]
	t.shift--
	t.next = growth{}
}

func (t *Index) clone() Index {
	c := *t
	c.slots, c.Keys = append([]uint64(nil), t.slots...), append([]uint64(nil), t.Keys...)
	switch {
	case t.next.slots != nil:
		c.next.slots, c.next.keys = append([]uint64(nil), t.next.slots...), append([]uint64(nil), t.next.keys...)
	case t.next.memory != nil:
		// several goroutines may clone one index at once: its memory is left to it
		c.next.memory = takeMemory[uint64](t.nextSize())
	}
	return c
}
