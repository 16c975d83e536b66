package table

import "unsafe"

// Index finds the entry of a token's key. It is an open-addressed table of 32-bit tags and entry
// numbers, at most half full, that doubles as tokens come. Entries are numbered in the order of
// their tokens' arrival; entry 0 stands for "unknown".
//
// Its form is a function of the keys in their order, so an index built from the list of keys finds
// the same entries.
type Index struct {
	Keys []uint64 // by entry; 0: none

	slots []uint64 // the tag in the upper half, the entry in the lower; 0: empty
	shift uint     // a key's home is its upper bits
	exact bool     // keys come and go, and are compared whole
	most  int      // entries that there can be; 0: no limit is known
	next  growth
}

const (
	indexBits = 6

	// maxProbes ends a search. At half load chance makes runs of about 5 ln(keys) taken slots,
	// under 100 for any table that is allowed. Only keys chosen to fall together reach it.
	maxProbes = 256
)

// NewIndex makes an empty index.
func NewIndex() Index {
	return Index{slots: make([]uint64, 1<<indexBits), shift: 64 - indexBits, Keys: make([]uint64, 1, 64)}
}

// Home is the memory where a search for key begins.
func (t *Index) Home(key uint64) unsafe.Pointer { return unsafe.Pointer(&t.slots[key>>t.shift]) }

// Find returns the entry of key, or 0.
func (t *Index) Find(key uint64) uint32 {
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

// findExact is Find where keys come and go. Which slots are taken is a function of the keys alone,
// but which key lies where in a run is not. A copy finds the same entries only if whole keys are
// compared.
func (t *Index) findExact(key uint64) uint32 {
	m := uint64(len(t.slots) - 1)
	for j := key >> t.shift; ; j++ {
		e := t.slots[j&m]
		if e == 0 {
			return 0
		}
		if (e^key<<32)>>32 == 0 && t.Keys[uint32(e)] == key {
			return uint32(e)
		}
	}
}

// Insert gives a new key the next entry. It returns false when every place for the key is taken.
func (t *Index) Insert(key uint64) (entry uint32, ok bool) {
	if 2*len(t.Keys) > len(t.slots) {
		t.grow()
	}
	entry = uint32(len(t.Keys))
	if !place(t.slots, t.shift, key, entry) {
		return 0, false
	}
	t.add(key)
	return entry, true
}

// Push is Insert for a list of keys that was inserted before: a key without a place keeps its
// entry.
func (t *Index) Push(key uint64) {
	if key == 0 && t.exact {
		t.add(0)
	} else if _, ok := t.Insert(key); !ok {
		t.add(key)
	}
}

// add appends the key of the next entry.
func (t *Index) add(key uint64) {
	t.Keys = append(t.Keys, key)
	t.prepare()
}

// Reserve makes room for n keys, so that Push need not grow; the resulting form is the same. Where
// keys come and go the form depends on which of them are there, and Reserve does nothing.
func (t *Index) Reserve(n int) {
	if t.exact {
		return
	}
	for 2*n > len(t.slots) {
		t.slots = make([]uint64, 2*len(t.slots))
		t.shift--
	}
	t.Keys = append(make([]uint64, 0, n+1), t.Keys...)
}

// give hands an entry without a key to a new one. It returns false when every place is taken.
func (t *Index) give(key uint64, entry uint32) bool {
	if !place(t.slots, t.shift, key, entry) {
		return false
	}
	if t.Keys[entry] = key; int(entry) < t.next.placed {
		t.follow(int(entry))
	}
	return true
}

// remove takes an entry's key away.
func (t *Index) remove(entry uint32) {
	t.removeFrom(t.slots, t.shift, entry)
	if int(entry) < t.next.placed {
		t.removeFrom(t.next.slots, t.shift-1, entry)
		t.next.keys[entry] = 0
	}
	t.Keys[entry] = 0
}

// removeFrom closes the gap that a key leaves: each later key of its run moves up if it may.
func (t *Index) removeFrom(slots []uint64, shift uint, entry uint32) {
	m := uint64(len(slots) - 1)
	gap := t.Keys[entry] >> shift & m
	for uint32(slots[gap]) != entry {
		if slots[gap] == 0 {
			return // a copy without a place for it
		}
		gap = (gap + 1) & m
	}
	for j := (gap + 1) & m; slots[j] != 0; j = (j + 1) & m {
		home := t.Keys[uint32(slots[j])] >> shift & m
		if (j-home)&m >= (j-gap)&m {
			slots[gap] = slots[j]
			gap = j
		}
	}
	slots[gap] = 0
}

func place(slots []uint64, shift uint, key uint64, entry uint32) bool {
	m := uint64(len(slots) - 1)
	j := key >> shift
	for range maxProbes {
		if slots[j&m] == 0 {
			slots[j&m] = key<<32 | uint64(entry)
			return true
		}
		j++
	}
	return false
}
