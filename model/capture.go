package model

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// Capture is the whole state of a Net at one moment, copied piece by piece while the Net goes on learning, so that no learner stands still for
// a checkpoint. What is about to change is copied first.
//
// StartCapture and Step belong to the goroutine that learns, and to the time between two calls of Learn or LearnBatch. When Step has returned true, WriteTo may be called
// from any goroutine.
type Capture struct {
	c      *core
	fields int

	body   []byte // the encoding up to the hashed weights; every record has its place in it
	keys   int    // where the tokens' keys begin
	used   int    // and, with expiry, the times of their last sighting
	tokens int
	places [2]place
	sparse enc // the hashed weights that are not zero
	slots  int // their number
	last   int // slot that was written last
	tail   []byte

	token  int                  // next of keys and records to copy
	slot   int                  // next hashed weight to look at
	copied bitmap               // tokens that were copied before their turn
	before map[uint32][]float32 // hashed weights as they were before they changed
	done   bool
}

// place is where the records of an arena lie in the body.
type place struct {
	arena *arena
	from  int
	size  int // bytes of a record
}

// StartCapture begins a copy of the state as it is. buf may be that of an earlier Capture's Buffer, to be used again. It gives up a
// Capture that is not done.
func (n *Net) StartCapture(buf []byte) *Capture {
	c := &n.core
	s := &Capture{c: c, fields: len(c.fields.hashes), before: map[uint32][]float32{}}
	e := &enc{b: buf[:0]}
	c.encodeHead(e, true)
	s.keys = len(e.b)
	tokens := len(c.index.keys) - 1
	s.tokens, s.used = tokens, s.keys+8*tokens
	size := s.used
	if c.life.used != nil {
		size += 4 * tokens
	}
	for i, a := range []*arena{&c.a, &c.b} {
		p := place{arena: a, from: size}
		if a.len > 0 {
			p.size = 4 * (a.fixS + a.fixO + (a.perS+a.perO)*s.fields)
		}
		size += p.size * tokens
		s.places[i] = p
	}
	f := &enc{}
	for _, a := range []*arena{&c.f, &c.g} {
		for i := range a.len {
			f.f32s(a.served(uint32(i), s.fields))
			f.f32s(a.kept(uint32(i), s.fields))
		}
	}
	if cap(e.b) < size+len(f.b) {
		e.b = append(make([]byte, 0, size+len(f.b)+size/4), e.b...)
	}
	s.body = append(e.b[:size], f.b...)
	t := &enc{}
	c.encodeTail(t, true)
	s.tail, s.token = t.b, 1
	s.copied.bits = make([]uint64, tokens/64+1)
	c.capture = s
	return s
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
	binary.LittleEndian.PutUint64(s.body[s.keys+8*int(i-1):], s.c.index.keys[i])
	if s.c.life.used != nil {
		binary.LittleEndian.PutUint32(s.body[s.used+4*int(i-1):], s.c.life.used[i])
	}
	for _, p := range s.places {
		if p.size == 0 {
			continue
		}
		b := s.body[p.from+p.size*int(i-1):][:p.size]
		if s.c.isFree(p.arena, int(i)) {
			clear(b)
			continue
		}
		to := &enc{b: b[:0]}
		to.f32s(p.arena.served(i, s.fields))
		to.f32s(p.arena.kept(i, s.fields))
	}
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
	tokens := s.tokens
	for ; bytes > 0 && s.token <= tokens; s.token++ {
		i := uint32(s.token)
		if s.copied.bits[i>>6]>>(i&63)&1 == 0 {
			s.record(i)
		}
		bytes -= 8 + s.places[0].size + s.places[1].size
	}
	end := 0
	if s.c.h.v != nil || len(s.before) > 0 {
		end = 1 << s.c.h.bits
	}
	for ; bytes > 0 && s.token > tokens && s.slot < end; s.slot++ {
		s.sparseSlot(uint32(s.slot))
		bytes -= 4 * s.c.h.stride
	}
	if s.token > tokens && s.slot >= end {
		s.done, s.c.filled = true, s.slots
		s.c.capture = nil
	}
	return s.done
}

func (s *Capture) sparseSlot(i uint32) {
	v, ok := s.before[i]
	if !ok {
		v = s.c.h.at(i)
	}
	for _, f := range v {
		if f != 0 {
			s.slots++
			s.sparse.num(int(i) - s.last)
			s.last = int(i)
			s.sparse.f32s(v)
			return
		}
	}
}

// Buffer is the memory that a later StartCapture may use, once this Capture is done with.
func (s *Capture) Buffer() []byte { return s.body }

// WriteTo writes what Net.WriteTo would have written at the moment of StartCapture. Step must have returned true.
func (s *Capture) WriteTo(w io.Writer) (int64, error) {
	if !s.done {
		panic("BUG: a capture is written before it is done")
	}
	count := &enc{}
	count.num(s.slots)
	sum := sha256.New()
	n := int64(0)
	for i, b := range [][]byte{[]byte(fileMagic), s.body, count.b, s.sparse.b, s.tail, nil} {
		switch i {
		case 0:
		case 5:
			b = sum.Sum(nil)
		default:
			sum.Write(b)
		}
		k, err := w.Write(b)
		n += int64(k)
		if err != nil {
			return n, fmt.Errorf("cannot write the model: %w", err)
		}
	}
	return n, nil
}
