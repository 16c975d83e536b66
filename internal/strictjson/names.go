package strictjson

import "slices"

// memberName is a name in an object of many members.
type memberName struct {
	object int // frame.id
	name   string
}

// manyNames is from where on a map finds repeated names faster than looking through all of them; it
// keeps hostile objects from taking quadratic time.
const manyNames = 48

// remember refuses a name that the object has had already.
func (r *Reader) remember(f *frame, name string) bool {
	bit := uint64(1) << nameBit(name)
	if f.mask&bit != 0 && r.repeated(f, name) {
		r.Fail("is given twice")
		return false
	}
	f.mask |= bit
	r.names = append(r.names, name)
	r.used = max(r.used, len(r.names))
	if n := len(r.names) - f.base; n >= manyNames {
		r.index(f, n)
	}
	return true
}

func (r *Reader) repeated(f *frame, name string) bool {
	if len(r.names)-f.base < manyNames {
		return slices.Contains(r.names[f.base:], name)
	}
	_, ok := r.many[memberName{f.id, name}]
	return ok
}

// index puts the newest of an object's n names into the map, and all of them at first.
func (r *Reader) index(f *frame, n int) {
	if r.many == nil {
		r.many = map[memberName]struct{}{}
	}
	from := len(r.names) - 1
	if n == manyNames {
		from = f.base
	}
	for _, name := range r.names[from:] {
		r.many[memberName{f.id, name}] = struct{}{}
	}
}

// nameBit is a hash of name below 64 that tells usual names apart.
func nameBit(name string) uint {
	n := len(name)
	if n == 0 {
		return 0
	}
	return (uint(name[0])*7 + uint(name[n-1])*31 + uint(name[n/2])*3 + uint(n)*13) & 63
}
