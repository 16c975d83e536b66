package model

import (
	"encoding/binary"

	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/table"
)

// entryCopy is the copy of the tokens' keys and entries.
type entryCopy struct {
	core   *core
	full   bool
	tokens int // to be copied, and so are entries of so many fields
	fields int
	next   int // entry to be copied
	sections
	copiedJT, copiedCQP copied
}

// sections hold the copy, each with a fixed place for each token: keys of eight bytes, with expiry
// the stamps of a checkpoint, and the entries of both arenas.
type sections struct{ keys, stamps, jt, cqp section }

func (s *sections) all() [4]*section { return [4]*section{&s.keys, &s.stamps, &s.jt, &s.cqp} }

// lay makes the sections fit what will be copied.
func (s *entryCopy) lay(c *core, full, half bool) {
	s.core, s.full = c, full
	s.fields, s.tokens = len(c.fields.hashes), len(c.tokens.Keys)-1
	stamp := 0
	if full && c.tokens.Expires() {
		stamp = 4
	}
	s.keys.fit(8, s.tokens)
	s.stamps.fit(stamp, s.tokens)
	s.jt.fit(s.entrySize(&c.tokensJT, half), s.tokens)
	s.cqp.fit(s.entrySize(&c.tokensCQP, half), s.tokens)
}

func (s *entryCopy) entrySize(a *table.Arena, half bool) int {
	switch {
	case s.full:
		return a.EntryBytes(s.fields)
	case half:
		return 2 * a.Weights.Size(s.fields)
	}
	return 4 * a.Weights.Size(s.fields)
}

// reserve takes about so many bytes of memory, and says whether all is taken.
func (s *entryCopy) reserve(bytes int) bool {
	for _, t := range s.all() {
		for i := range t.slabs {
			if bytes <= 0 {
				return false
			}
			if b, fresh := t.slab(i); fresh {
				table.TouchPages(b)
				bytes -= len(b)
			}
		}
	}
	return true
}

func (s *entryCopy) begin(half bool) {
	s.next = 1
	s.copiedJT.begin(s.tokens, half)
	s.copiedCQP.begin(s.tokens, half)
}

// waits says that an entry's turn has not come.
func (s *entryCopy) waits(i uint32) bool { return int(i) >= s.next && int(i) <= s.tokens && i > 0 }

// touchJT copies a row's entries for J and T, which are about to change, while another goroutine
// may copy those for C, Q and P.
func (s *entryCopy) touchJT(r *row) {
	for i := range r.tokens {
		if t := r.tokens[i].Learn; s.waits(t) {
			s.copyJT(t)
		}
	}
}

func (s *entryCopy) touchCQP(r *row) {
	for i := range r.tokens {
		if t := r.tokens[i].Learn; s.waits(t) {
			s.copyCQP(t)
		}
	}
}

func (s *entryCopy) copy(i uint32) {
	s.copyKey(i)
	s.copyJT(i)
	s.copyCQP(i)
}

// copyKey copies a key, and when its token was last learned. Without expiry neither changes.
func (s *entryCopy) copyKey(i uint32) {
	tokens := &s.core.tokens
	if tokens.Expires() && s.copiedJT.has(i) {
		return
	}
	binary.LittleEndian.PutUint64(s.keys.at(i), tokens.Keys[i])
	if s.stamps.size > 0 {
		binary.LittleEndian.PutUint32(s.stamps.at(i), tokens.Stamp(i))
	}
}

func (s *entryCopy) copyJT(i uint32)  { s.copyEntry(&s.copiedJT, &s.jt, &s.core.tokensJT, i) }
func (s *entryCopy) copyCQP(i uint32) { s.copyEntry(&s.copiedCQP, &s.cqp, &s.core.tokensCQP, i) }

func (s *entryCopy) copyEntry(done *copied, t *section, a *table.Arena, i uint32) {
	if !done.mark(i) || t.size == 0 {
		return
	}
	to := t.at(i)
	if s.core.tokens.IsFree(i) {
		clear(to)
		return
	}
	done.work.Buf = to[:0]
	a.Encode(&done.work, i, s.fields, s.full)
}

// step copies about so many bytes.
func (s *entryCopy) step(bytes int) {
	for ; bytes > 0 && s.next <= s.tokens; s.next++ {
		s.copy(uint32(s.next))
		bytes -= s.keys.size + s.jt.size + s.cqp.size
	}
}

// each visits the pieces of the copy in their order.
func (s *entryCopy) each(do func([]byte), full bool) {
	for _, t := range s.all() {
		skipsFree := !full && s.core.tokens.Expires() && (t == &s.jt || t == &s.cqp)
		for i, b := range t.slabs {
			n := min(slabEntries, s.tokens-i*slabEntries)
			if !skipsFree {
				do(b[:n*t.size])
				continue
			}
			for k := range n { // entries without a token have no place in a snapshot
				if binary.LittleEndian.Uint64(s.keys.slabs[i][8*k:]) != 0 {
					do(b[k*t.size:][:t.size])
				}
			}
		}
	}
}

// copied says which entries of an arena were copied. The goroutines of a batch may copy at the same
// time, each from its arena.
type copied struct {
	bits []uint64
	work codec.Encoder
	_    [64]byte
}

func (c *copied) begin(tokens int, half bool) {
	c.bits, c.work.Half = make([]uint64, tokens/64+1), half
}

func (c *copied) has(i uint32) bool { return c.bits[i>>6]>>(i&63)&1 == 1 }

// mark returns true the first time that it is called for an entry.
func (c *copied) mark(i uint32) bool {
	if c.has(i) {
		return false
	}
	c.bits[i>>6] |= 1 << (i & 63)
	return true
}

// section is a part of the copy with a fixed place for each token.
type section struct {
	size  int
	slabs [][]byte // memory of earlier copies lies in them, and behind their end
}

const slabEntries = 256

// fit makes room for the slabs of so many tokens, without their memory.
func (t *section) fit(size, tokens int) {
	if t.size = size; size == 0 {
		t.slabs = nil
		return
	}
	n := (tokens + slabEntries - 1) / slabEntries
	if t.slabs = t.slabs[:cap(t.slabs)]; len(t.slabs) < n {
		t.slabs = append(t.slabs, make([][]byte, n-len(t.slabs))...)
	}
	t.slabs = t.slabs[:n]
}

// slab is slab i with memory; fresh says that it was taken just now.
func (t *section) slab(i int) (b []byte, fresh bool) {
	size := t.size * slabEntries
	if b = t.slabs[i]; len(b) == size {
		return b, false
	}
	if fresh = cap(b) < size; fresh {
		b = make([]byte, size)
	}
	t.slabs[i] = b[:size]
	return t.slabs[i], fresh
}

// at is the place of token i, counted from 1.
func (t *section) at(i uint32) []byte {
	b, _ := t.slab(int(i-1) / slabEntries)
	return b[int(i-1)%slabEntries*t.size:][:t.size]
}
