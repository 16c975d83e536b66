package strictjson

import "slices"

// names finds a name that an object has twice, in the objects that are open.
type names struct {
	all  []string // of the open objects, outer ones first
	used int      // how long all has been since the last reset
	many map[memberName]struct{}
}

// memberName is a name in an object of many members.
type memberName struct {
	object int // frame.id
	name   string
}

// manyNames is the number of names from which on a map is faster than comparing with each of them.
// It keeps hostile objects from taking quadratic time.
const manyNames = 48

func (n *names) reset() {
	clear(n.all[:n.used])
	n.all, n.used, n.many = n.all[:0], 0, nil
}

// add returns false for a name that the object has already.
func (n *names) add(f *frame, name string) bool {
	bit := uint64(1) << nameBit(name)
	if f.mask&bit != 0 && n.has(f, name) {
		return false
	}
	f.mask |= bit
	n.all = append(n.all, name)
	n.used = max(n.used, len(n.all))
	if count := len(n.all) - f.base; count >= manyNames {
		n.index(f, count)
	}
	return true
}

func (n *names) has(f *frame, name string) bool {
	if len(n.all)-f.base < manyNames {
		return slices.Contains(n.all[f.base:], name)
	}
	_, ok := n.many[memberName{f.id, name}]
	return ok
}

// index puts the newest of an object's names into the map, and all of them the first time.
func (n *names) index(f *frame, count int) {
	if n.many == nil {
		n.many = map[memberName]struct{}{}
	}
	from := len(n.all) - 1
	if count == manyNames {
		from = f.base
	}
	for _, name := range n.all[from:] {
		n.many[memberName{f.id, name}] = struct{}{}
	}
}

// nameBit is a hash below 64 that differs for most of the names that one message has.
func nameBit(name string) uint {
	n := len(name)
	if n == 0 {
		return 0
	}
	return (uint(name[0])*7 + uint(name[n-1])*31 + uint(name[n/2])*3 + uint(n)*13) & 63
}
