package model

import "encoding/binary"

// Capture is the state of a Net at one moment, copied piece by piece while the Net goes on
// learning, so that no learner stands still for a checkpoint or a snapshot. What is about to change
// is copied first.
//
// StartCapture, StartSnapshot and Step belong to the goroutine that learns, and to the time between
// two calls of Learn or LearnBatch. When Step has returned true, WriteTo or AppendTo may be called
// from any goroutine.
type Capture struct {
	c    *core
	full bool // for a checkpoint; else for a snapshot
	half bool // weights of 16 bits

	tokens int
	fields int
	head   []byte  // the encoding up to the tokens' keys
	keys   section // of eight bytes
	used   section // with expiry, in a checkpoint: the times of last sightings
	a, b   section // records
	layers []byte  // records of fields
	sparse pieces  // the hashed weights that are not zero
	slots  int     // their number
	last   int     // slot that was written last
	tail   []byte

	// next hashed weight to look at; they go first, since most examples change the same ones
	slot    int
	slotEnd int // 0 when there were none
	// hashed weights that changed before their turn: where in was they are as they were
	before map[uint32]uint32
	was    []float32
	token  int   // next of keys and records to copy
	first  early // records of the first arena that were copied before their turn
	second early // of the second
	apart  bool  // each side copies what it is about to change; else whoever encodes does
	done   bool
}

// StartCapture begins a copy of the whole state as it is. The memory of reuse is used again; see
// Reserve. A Capture under way is given up.
func (n *Net) StartCapture(reuse *Capture) *Capture { return n.start(reuse, true, false) }

// StartSnapshot begins a copy of the served weights for AppendTo, with the bits of ServeBits. The
// next AppendDelta leads from here on, so it must be published behind this snapshot. See
// StartCapture.
func (n *Net) StartSnapshot(reuse *Capture) *Capture {
	s := n.start(reuse, false, n.serveHalf)
	n.changes.on = true
	n.settle()
	return s
}

func (n *Net) start(reuse *Capture, full, half bool) *Capture {
	c := &n.core
	s := &Capture{token: 1, before: map[uint32]uint32{}}
	if reuse != nil {
		s.recycle(reuse)
	}
	s.lay(c, full, half)
	if c.h.v != nil {
		s.slotEnd = 1 << c.h.bits
	}
	e := &enc{b: s.head[:0], half: half}
	c.encodeHead(e, full)
	s.head = e.b
	e = &enc{b: s.layers[:0], half: half}
	for _, a := range []*arena{&c.f, &c.g} {
		for i := range a.len {
			s.put(e, a, uint32(i))
		}
	}
	s.layers = e.b
	e = &enc{b: s.tail[:0], half: half}
	c.encodeTail(e, full)
	s.tail = e.b
	s.sparse.half, s.first.work.half, s.second.work.half = half, half, half
	s.first.bits, s.second.bits = make([]uint64, s.tokens/64+1), make([]uint64, s.tokens/64+1)
	c.capture = s
	return s
}

func (s *Capture) recordSize(a *arena) int {
	served, kept := a.fixS+a.perS*s.fields, a.fixO+a.perO*s.fields
	switch {
	case a.len == 0:
		return 0
	case s.full:
		return 4 * (served + kept)
	case s.half:
		return 2 * served
	}
	return 4 * served
}

// put encodes a record.
func (s *Capture) put(e *enc, a *arena, i uint32) {
	e.weights(a.served(i, s.fields))
	if s.full {
		e.f32s(a.kept(i, s.fields))
	}
}

// early says which tokens' records of an arena were copied before their turn. The two sides may
// copy at the same time, each from its arena.
type early struct {
	bits []uint64
	work enc
	_    [64]byte
}

// take is true the first time that it is asked for a token.
func (e *early) take(i uint32) bool {
	if e.has(i) {
		return false
	}
	e.bits[i>>6] |= 1 << (i & 63)
	return true
}

func (e *early) has(i uint32) bool { return e.bits[i>>6]>>(i&63)&1 == 1 }

// waits says that a token's turn has not come.
func (s *Capture) waits(i uint32) bool { return int(i) >= s.token && int(i) <= s.tokens && i > 0 }

// touch copies what belongs to a token and is about to change.
func (s *Capture) touch(i uint32) {
	if s.waits(i) && !s.apart {
		s.copyHead(i)
		s.copyFirst(i)
		s.copySecond(i)
	}
}

// touchFirst copies a row's records of the first arena, which are about to change, while others
// copy from the second.
func (s *Capture) touchFirst(r *row) {
	for i := range r.toks {
		if t := r.toks[i].learn; s.waits(t) {
			s.copyFirst(t)
		}
	}
}

func (s *Capture) touchSecond(r *row) {
	for i := range r.toks {
		if t := r.toks[i].learn; s.waits(t) {
			s.copySecond(t)
		}
	}
}

// copyHead copies a key, and when its token was last learned. Without expiry neither changes.
func (s *Capture) copyHead(i uint32) {
	if s.c.index.exact && s.first.has(i) {
		return
	}
	binary.LittleEndian.PutUint64(s.keys.at(i), s.c.index.keys[i])
	if s.used.size > 0 {
		binary.LittleEndian.PutUint32(s.used.at(i), s.c.life.used[i])
	}
}

func (s *Capture) copyFirst(i uint32)  { s.copyRecord(&s.first, &s.a, &s.c.a, i) }
func (s *Capture) copySecond(i uint32) { s.copyRecord(&s.second, &s.b, &s.c.b, i) }

func (s *Capture) copyRecord(done *early, t *section, a *arena, i uint32) {
	if !done.take(i) || t.size == 0 {
		return
	}
	to := t.at(i)
	if s.c.isFree(a, int(i)) {
		clear(to)
		return
	}
	done.work.b = to[:0]
	s.put(&done.work, a, i)
}

// touchSlot keeps a hashed weight, which is about to change.
func (s *Capture) touchSlot(i uint32) {
	if int(i) < s.slot || int(i) >= s.slotEnd {
		return
	}
	if _, ok := s.before[i]; !ok {
		s.before[i] = uint32(len(s.was))
		s.was = append(s.was, s.c.h.at(i)...)
	}
}

// Step copies about so many bytes more, and returns true when all is copied.
func (s *Capture) Step(bytes int) bool {
	if s.done {
		return true
	}
	for ; bytes > 0 && s.slot < s.slotEnd; s.slot++ {
		s.sparseSlot(uint32(s.slot))
		bytes -= 4 * s.c.h.stride
	}
	for ; bytes > 0 && s.slot >= s.slotEnd && s.token <= s.tokens; s.token++ {
		i := uint32(s.token)
		s.copyHead(i)
		s.copyFirst(i)
		s.copySecond(i)
		bytes -= 8 + s.a.size + s.b.size
	}
	if s.token > s.tokens && s.slot >= s.slotEnd {
		s.done, s.c.filled = true, s.slots
		s.c.capture = nil
	}
	return s.done
}

func (s *Capture) sparseSlot(i uint32) {
	v := s.c.h.at(i)
	if len(s.before) > 0 {
		if at, ok := s.before[i]; ok {
			v = s.was[at:][:len(v)]
		}
	}
	if !s.full {
		v = v[:s.c.h.serve]
	}
	for _, f := range v {
		if f != 0 {
			s.slots++
			s.sparse.room(binary.MaxVarintLen64 + 4*len(v))
			s.sparse.num(int(i) - s.last)
			s.last = int(i)
			s.sparse.weights(v)
			return
		}
	}
}
