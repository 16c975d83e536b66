package model

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Capture is the state of a Net at one moment, copied piece by piece while the Net goes on learning, so that no learner stands still for a
// checkpoint or a snapshot. What is about to change is copied first.
//
// StartCapture, StartSnapshot and Step belong to the goroutine that learns, and to the time between two calls of Learn or LearnBatch. When Step has
// returned true, WriteTo or AppendTo may be called from any goroutine.
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

	token  int                  // next of keys and records to copy
	slot   int                  // next hashed weight to look at
	copied bitmap               // tokens that were copied before their turn
	before map[uint32][]float32 // hashed weights as they were before they changed
	work   enc
	done   bool

	spare [][]byte // memory of an earlier Capture
}

// section is a part of the copy with a fixed place for each token. Its memory is taken as it is written: to take it at once would be a pause.
type section struct {
	size  int
	slabs [][]byte
}

const slabRecords = 256

// pieces is an encoding that grows without moving what is there, as moving many megabytes would be a pause.
type pieces struct {
	enc
	full, spare [][]byte
}

const pieceBytes = 1 << 20

// room makes room for one more value of at most size bytes.
func (p *pieces) room(size int) {
	if cap(p.b)-len(p.b) >= size {
		return
	}
	if len(p.b) > 0 {
		p.full = append(p.full, p.b)
	}
	if n := len(p.spare); n > 0 {
		p.b, p.spare = p.spare[n-1][:0], p.spare[:n-1]
		return
	}
	p.b = make([]byte, 0, max(pieceBytes, size))
}

// StartCapture begins a copy of the whole state as it is. The memory of reuse, an earlier Capture of which nothing is needed any more, is used again; it
// may be nil. A Capture under way is given up.
func (n *Net) StartCapture(reuse *Capture) *Capture { return n.start(reuse, true, false) }

// StartSnapshot begins a copy of the served weights for AppendTo, with the bits of ServeBits. The next AppendDelta leads from here on, so it must be
// published behind this snapshot. See StartCapture.
func (n *Net) StartSnapshot(reuse *Capture) *Capture {
	s := n.start(reuse, false, n.serveHalf)
	n.changes.on = true
	n.settle()
	return s
}

func (n *Net) start(reuse *Capture, full, half bool) *Capture {
	c := &n.core
	s := &Capture{c: c, full: full, half: half, fields: len(c.fields.hashes), tokens: len(c.index.keys) - 1, token: 1, before: map[uint32][]float32{}}
	if reuse != nil {
		s.recycle(reuse)
	}
	e := &enc{b: s.head[:0], half: half}
	c.encodeHead(e, full)
	s.head = e.b
	s.keys.size = 8
	if full && c.life.used != nil {
		s.used.size = 4
	}
	s.a.size, s.b.size = s.recordSize(&c.a), s.recordSize(&c.b)
	for _, t := range []*section{&s.keys, &s.used, &s.a, &s.b} {
		if t.size > 0 {
			t.slabs = make([][]byte, (s.tokens+slabRecords-1)/slabRecords)
		}
	}
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
	s.sparse.half, s.work.half = half, half
	s.copied.bits = make([]uint64, s.tokens/64+1)
	c.capture = s
	return s
}

// recycle takes over the memory of r.
func (s *Capture) recycle(r *Capture) {
	s.head, s.layers, s.tail, s.spare = r.head, r.layers, r.tail, r.spare
	s.sparse.spare = append(r.sparse.spare, r.sparse.full...)
	if r.sparse.b != nil {
		s.sparse.spare = append(s.sparse.spare, r.sparse.b)
	}
	for _, t := range []*section{&r.keys, &r.used, &r.a, &r.b} {
		for _, b := range t.slabs {
			if b != nil {
				s.spare = append(s.spare, b)
			}
		}
	}
	*r = Capture{}
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

// at is token i's place in a section, counted from 1.
func (s *Capture) at(t *section, i uint32) []byte {
	slab, k := int(i-1)/slabRecords, int(i-1)%slabRecords
	if t.slabs[slab] == nil {
		size := t.size * slabRecords
		if n := len(s.spare); n > 0 && cap(s.spare[n-1]) >= size {
			t.slabs[slab], s.spare = s.spare[n-1][:size], s.spare[:n-1]
		} else {
			t.slabs[slab] = make([]byte, size)
		}
	}
	return t.slabs[slab][k*t.size:][:t.size]
}

// touch copies a token's records, which are about to change.
func (s *Capture) touch(i uint32) {
	if int(i) < s.token || int(i) > s.tokens || i == 0 || s.copied.bits[i>>6]>>(i&63)&1 == 1 {
		return
	}
	s.copied.bits[i>>6] |= 1 << (i & 63)
	s.record(i)
}

func (s *Capture) record(i uint32) {
	binary.LittleEndian.PutUint64(s.at(&s.keys, i), s.c.index.keys[i])
	if s.used.size > 0 {
		binary.LittleEndian.PutUint32(s.at(&s.used, i), s.c.life.used[i])
	}
	s.copyRecord(&s.a, &s.c.a, i)
	s.copyRecord(&s.b, &s.c.b, i)
}

func (s *Capture) copyRecord(t *section, a *arena, i uint32) {
	if t.size == 0 {
		return
	}
	to := s.at(t, i)
	if s.c.isFree(a, int(i)) {
		clear(to)
		return
	}
	s.work.b = to[:0]
	s.put(&s.work, a, i)
}

// touchSlot keeps a hashed weight, which is about to change.
func (s *Capture) touchSlot(i uint32) {
	if int(i) < s.slot {
		return
	}
	if _, ok := s.before[i]; !ok {
		s.before[i] = append([]float32(nil), s.c.h.at(i)...)
	}
}

// Step copies about so many bytes more, and returns true when all is copied.
func (s *Capture) Step(bytes int) bool {
	if s.done {
		return true
	}
	for ; bytes > 0 && s.token <= s.tokens; s.token++ {
		i := uint32(s.token)
		if s.copied.bits[i>>6]>>(i&63)&1 == 0 {
			s.record(i)
		}
		bytes -= 8 + s.a.size + s.b.size
	}
	end := 0
	if s.c.h.v != nil || len(s.before) > 0 {
		end = 1 << s.c.h.bits
	}
	for ; bytes > 0 && s.token > s.tokens && s.slot < end; s.slot++ {
		s.sparseSlot(uint32(s.slot))
		bytes -= 4 * s.c.h.stride
	}
	if s.token > s.tokens && s.slot >= end {
		s.done, s.c.filled = true, s.slots
		s.c.capture = nil
	}
	return s.done
}

func (s *Capture) sparseSlot(i uint32) {
	v := s.c.h.at(i)
	if len(s.before) > 0 {
		if was, ok := s.before[i]; ok {
			v = was
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

// each gives the pieces of the copy in their order.
func (s *Capture) each(do func(b []byte)) {
	if !s.done {
		panic("BUG: a capture is written before it is done")
	}
	do(s.head)
	for _, t := range []*section{&s.keys, &s.used, &s.a, &s.b} {
		skip := !s.full && s.c.index.exact && (t == &s.a || t == &s.b)
		for i, b := range t.slabs {
			n := min(slabRecords, s.tokens-i*slabRecords)
			if !skip {
				do(b[:n*t.size])
				continue
			}
			for k := range n { // records without a token have no place in a snapshot
				if binary.LittleEndian.Uint64(s.keys.slabs[i][8*k:]) != 0 {
					do(b[k*t.size:][:t.size])
				}
			}
		}
	}
	do(s.layers)
	count := &enc{}
	count.num(s.slots)
	do(count.b)
	for _, b := range s.sparse.full {
		do(b)
	}
	do(s.sparse.b)
	do(s.tail)
}

// WriteTo writes what Net.WriteTo would have written at the moment of StartCapture. Step must have returned true.
func (s *Capture) WriteTo(w io.Writer) (n int64, err error) {
	sum := sha256.New()
	write := func(b []byte) {
		if err == nil {
			var k int
			k, err = w.Write(b)
			n += int64(k)
		}
	}
	write([]byte(fileMagic))
	s.each(func(b []byte) {
		sum.Write(b)
		write(b)
	})
	write(sum.Sum(nil))
	if err != nil {
		return n, fmt.Errorf("cannot write the model: %w", err)
	}
	return n, nil
}

// AppendTo appends the message that AppendSnapshot would have made at the moment of StartSnapshot. Step must have returned true.
func (s *Capture) AppendTo(dst []byte) []byte {
	from := len(dst)
	dst = appendBits(append(dst, snapshotMagic...), s.half)
	s.each(func(b []byte) { dst = append(dst, b...) })
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[from:], castagnoli))
}
