package model

import "unsafe"

// chunkRecords is how many records are allocated at once.
const (
	chunkShift   = 8
	chunkRecords = 1 << chunkShift
)

// arena holds records of float32 in chunks, so that it grows without copying and takes no memory
// before it is needed.
//
// A record is what serving reads, then what only the optimizer reads (absent in a Replica). Either
// is a fixed head and a piece for every field there is room for.
type arena struct {
	fixS, perS, fixO, perO int
	room                   int // fields
	serve, stride          int // floats: of the served half, of the record
	len                    int // records
	chunks                 [][]float32
	// of a Replica: served weights are halves, two to a float; perO and fixO are zero
	half bool
}

func newArena(fixS, perS, fixO, perO int, full, half bool) arena {
	if !full {
		fixO, perO = 0, 0
	}
	a := arena{fixS: fixS, perS: perS, fixO: fixO, perO: perO, half: half}
	a.resize(0)
	return a
}

func (a *arena) resize(room int) {
	a.room = room
	a.serve = a.fixS + a.perS*room
	a.stride = a.serve + a.fixO + a.perO*room
	if a.half {
		a.stride = (a.serve + 1) / 2
	}
	if a.stride > 16 {
		a.stride = (a.stride + 15) &^ 15 // whole cache lines
	}
}

// at is record i; the slice holds until the arena is laid out anew.
func (a *arena) at(i uint32) []float32 {
	o := int(i&(chunkRecords-1)) * a.stride
	return a.chunks[i>>chunkShift][o : o+a.stride : o+a.stride]
}

func (a *arena) ptr(i uint32) unsafe.Pointer {
	return unsafe.Pointer(&a.chunks[i>>chunkShift][int(i&(chunkRecords-1))*a.stride])
}

// add makes room for one more record, all zero.
func (a *arena) add() uint32 {
	if a.len>>chunkShift == len(a.chunks) {
		a.chunks = append(a.chunks, make([]float32, chunkRecords*a.stride))
	}
	a.len++
	return uint32(a.len - 1)
}

// relayout gives every record room for more fields; new pieces are zero.
func (a *arena) relayout(room int) {
	if a.perS+a.perO == 0 || room <= a.room {
		return
	}
	old := *a
	a.resize(room)
	a.chunks = make([][]float32, len(old.chunks))
	for c, from := range old.chunks {
		to := make([]float32, chunkRecords*a.stride)
		for i := range chunkRecords {
			f, t := from[i*old.stride:(i+1)*old.stride], to[i*a.stride:(i+1)*a.stride]
			if a.half {
				copy(t, f)
				continue
			}
			copy(t, f[:old.serve])
			copy(t[a.serve:], f[old.serve:])
		}
		a.chunks[c], old.chunks[c] = to, nil
	}
}

// served and kept are the two halves of a record as far as fields reach: what is written to
// snapshots and checkpoints.
func (a *arena) served(i uint32, fields int) []float32 {
	return a.at(i)[:a.fixS+a.perS*fields]
}

func (a *arena) kept(i uint32, fields int) []float32 {
	return a.at(i)[a.serve : a.serve+a.fixO+a.perO*fields]
}

func (a *arena) clone() arena {
	b := *a
	b.chunks = make([][]float32, len(a.chunks))
	for i, c := range a.chunks {
		b.chunks[i] = append([]float32(nil), c...)
	}
	return b
}

// sparse is a hashed table without tags: a slot is where a key falls. It is allocated when it is
// first written, and the system gives it memory page by page as slots are touched.
type sparse struct {
	bits, serve, stride int
	v                   []float32
	zero                []float32
	half                bool // of a Replica: h holds the weights, v nothing
	h                   []uint16
	memory              chan []float32 // on its way, nil for none
}

func newSparse(bits, serve, stride int, full, half bool) sparse {
	if !full {
		stride = serve
	}
	return sparse{bits: bits, serve: serve, stride: stride, zero: make([]float32, stride), half: half}
}

func (t *sparse) slot(key uint64) uint32 { return uint32(key >> (64 - t.bits)) }

// at reads a slot.
func (t *sparse) at(i uint32) []float32 {
	if t.v == nil {
		return t.zero
	}
	return t.v[int(i)*t.stride:][:t.stride:t.stride]
}

// weight is the k-th served weight of a slot.
func (t *sparse) weight(i uint32, k int) float32 {
	switch {
	case t.v != nil:
		return t.v[int(i)*t.stride+k]
	case t.h != nil:
		return fromHalf(t.h[int(i)*t.serve+k])
	}
	return 0
}

// decode reads a slot's served weights.
func (t *sparse) decode(d *dec, i uint32) {
	if !t.half {
		d.weights(t.make(i)[:t.serve])
		return
	}
	if t.h == nil {
		t.h = make([]uint16, t.serve<<t.bits)
	}
	for k := range t.serve {
		if b := d.take(2); b != nil {
			t.h[int(i)*t.serve+k] = uint16(b[0]) | uint16(b[1])<<8
		}
	}
}

// make is at for writing.
func (t *sparse) make(i uint32) []float32 {
	if t.v == nil {
		if t.memory == nil {
			t.v = make([]float32, t.stride<<t.bits)
		} else {
			t.v, t.memory = <-t.memory, nil
		}
	}
	return t.v[int(i)*t.stride:][:t.stride:t.stride]
}

// expect has another goroutine take the memory, and touch all of it.
func (t *sparse) expect() {
	floats := t.stride << t.bits
	if t.v != nil || t.memory != nil || floats == 0 {
		return
	}
	done := make(chan []float32, 1)
	t.memory = done
	go func() {
		v := make([]float32, floats)
		touchPages(v)
		done <- v
	}()
}

func (t *sparse) clone() sparse {
	b := *t
	b.v, b.h = append([]float32(nil), t.v...), append([]uint16(nil), t.h...)
	return b
}

// bitmap remembers which records were touched, and lists them.
type bitmap struct {
	bits []uint64
	list []uint32
}

func (b *bitmap) set(i uint32) {
	for int(i>>6) >= len(b.bits) {
		b.bits = append(b.bits, 0)
	}
	if w := &b.bits[i>>6]; *w>>(i&63)&1 == 0 {
		*w |= 1 << (i & 63)
		b.list = append(b.list, i)
	}
}

func (b *bitmap) clear() {
	for _, i := range b.list {
		b.bits[i>>6] = 0
	}
	b.list = b.list[:0]
}
