package model

// index finds the record of a token's key. It is an open-addressed table of 32-bit tags and record
// numbers, at most half full, that doubles as tokens come (growth.go); records are numbered in the
// order of their tokens' arrival, and record 0 stands for "unknown".
//
// Its form is a function of the keys in their order, so that a copy built from the list of keys
// finds the same records.
type index struct {
	slots []uint64 // tag in the upper half, record in the lower; 0: empty
	shift uint
	keys  []uint64 // by record; 0: none
	exact bool     // keys are compared whole
	// records that there can be, by which no table is made that will not be needed; 0: no end is
	// known
	most int
	next growth
}

const (
	indexBits = 6

	// maxProbes ends a search. At half load chance makes runs of about 5 ln(keys) taken slots,
	// under 100 for any table that is allowed: only keys chosen to fall together get there.
	maxProbes = 256
)

func newIndex() index {
	return index{slots: make([]uint64, 1<<indexBits), shift: 64 - indexBits, keys: make([]uint64, 1, 64)}
}

func (t *index) find(key uint64) uint32 {
	if t.exact {
		return t.findExact(key)
	}
	slots, tag := t.slots, key<<32
	m := uint64(len(slots) - 1)
	j := key >> t.shift
	for range maxProbes {
		e := slots[j&m]
		if e == 0 {
			return 0
		}
		if (e^tag)>>32 == 0 {
			return uint32(e)
		}
		j++
	}
	return 0
}

// findExact is find where keys come and go. The slots that are taken are a function of the keys
// alone, but not which of them lies where in a run; so that a copy finds the same records, it is
// the whole keys that must be equal.
func (t *index) findExact(key uint64) uint32 {
	m := uint64(len(t.slots) - 1)
	for j := key >> t.shift; ; j++ {
		e := t.slots[j&m]
		if e == 0 {
			return 0
		}
		if (e^key<<32)>>32 == 0 && t.keys[uint32(e)] == key {
			return uint32(e)
		}
	}
}

// remove takes a record's key away and closes the gap: each key behind it in its run moves up if it
// may.
func (t *index) remove(r uint32) {
	t.removeFrom(t.slots, t.shift, r)
	if int(r) < t.next.to {
		t.removeFrom(t.next.slots, t.shift-1, r)
		t.next.keys[r] = 0
	}
	t.keys[r] = 0
}

func (t *index) removeFrom(slots []uint64, shift uint, r uint32) {
	m := uint64(len(slots) - 1)
	gap := t.keys[r] >> shift & m
	for uint32(slots[gap]) != r {
		if slots[gap] == 0 {
			return // a copy without a place for it
		}
		gap = (gap + 1) & m
	}
	for j := (gap + 1) & m; slots[j] != 0; j = (j + 1) & m {
		home := t.keys[uint32(slots[j])] >> shift & m
		if (j-home)&m >= (j-gap)&m {
			slots[gap] = slots[j]
			gap = j
		}
	}
	slots[gap] = 0
}

// insert gives a key that is not there the next record; false when every place for it is taken.
func (t *index) insert(key uint64) (uint32, bool) {
	if 2*len(t.keys) > len(t.slots) {
		t.grow()
	}
	r := uint32(len(t.keys))
	if !placeIn(t.slots, t.shift, key, r) {
		return 0, false
	}
	t.add(key)
	return r, true
}

// reserve makes room for n keys, that insert need not grow; the form that results is the same.
// Where keys come and go it depends on which of them are there, and nothing is done.
func (t *index) reserve(n int) {
	if t.exact {
		return
	}
	for 2*n > len(t.slots) {
		t.slots = make([]uint64, 2*len(t.slots))
		t.shift--
	}
	t.keys = append(make([]uint64, 0, n+1), t.keys...)
}

// add appends the key of the next record.
func (t *index) add(key uint64) {
	t.keys = append(t.keys, key)
	t.prepare()
}

// give gives a record without a key one that is not there; false when every place for it is taken.
func (t *index) give(key uint64, r uint32) bool {
	if !placeIn(t.slots, t.shift, key, r) {
		return false
	}
	if t.keys[r] = key; int(r) < t.next.to {
		t.follow(int(r))
	}
	return true
}

func placeIn(slots []uint64, shift uint, key uint64, record uint32) bool {
	m := uint64(len(slots) - 1)
	j := key >> shift
	for range maxProbes {
		if slots[j&m] == 0 {
			slots[j&m] = key<<32 | uint64(record)
			return true
		}
		j++
	}
	return false
}
