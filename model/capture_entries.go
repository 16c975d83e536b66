package model

import (
	"encoding/binary"

	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/table"
)

// entryCopy is the copy of the tokens' keys and entries. Its sections hold the copy, each with a
// fixed place for each token: keys of eight bytes, with expiry the stamps of a checkpoint, and the
// entries of both arenas.
type entryCopy struct {
	core         *core
	full         bool
	tokens       int // to be copied, and so are entries of so many fields
	fields       int
	next         int // entry to be copied
	keys, stamps section
	arenas       [2]arenaCopy
}

// The arenas' places in entryCopy.
const ofJT, ofCQP = 0, 1

// arenaCopy is the copy of one arena. The goroutines of a batch may copy at the same time, each
// from its arena.
type arenaCopy struct {
	section
	arena  *table.Arena
	copied []uint64 // a bit for each entry
	work   codec.Encoder
	_      [64]byte
}

func (s *entryCopy) sections() [4]*section {
	return [4]*section{&s.keys, &s.stamps, &s.arenas[ofJT].section, &s.arenas[ofCQP].section}
}

// lay makes the sections fit what will be copied.
func (s *entryCopy) lay(c *core, full, half bool) {
	s.core, s.full = c, full
	s.fields, s.tokens = len(c.fields.hashes), len(c.tokens.Keys)-1
	s.arenas[ofJT].arena, s.arenas[ofCQP].arena = &c.tokensJT, &c.tokensCQP
	stamp := 0
	if full && c.tokens.Expires() {
		stamp = 4
	}
	s.keys.fit(8, s.tokens)
	s.stamps.fit(stamp, s.tokens)
	for i := range s.arenas {
		a := &s.arenas[i]
		a.work.Half = half
		a.fit(s.entrySize(a.arena, half), s.tokens)
	}
}

// entrySize is the bytes of an entry in the copy.
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
	for _, t := range s.sections() {
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

func (s *entryCopy) begin() {
	s.next = 1
	for i := range s.arenas {
		s.arenas[i].copied = make([]uint64, s.tokens/64+1)
	}
}

// waits says that an entry's turn has not come.
func (s *entryCopy) waits(i uint32) bool { return int(i) >= s.next && int(i) <= s.tokens && i > 0 }

// touch copies a row's entries of one arena, which are about to change. Another goroutine may copy
// those of the other arena meanwhile.
func (s *entryCopy) touch(r *row, arena int) {
	for i := range r.tokens {
		if t := r.tokens[i].Learn; s.waits(t) {
			s.copyEntry(&s.arenas[arena], t)
		}
	}
}

func (s *entryCopy) copy(i uint32) {
	s.copyKey(i)
	s.copyEntry(&s.arenas[ofJT], i)
	s.copyEntry(&s.arenas[ofCQP], i)
}

// copyKey copies a key, and when its token was last learned. Without expiry neither changes.
func (s *entryCopy) copyKey(i uint32) {
	tokens := &s.core.tokens
	if tokens.Expires() && s.arenas[ofJT].has(i) {
		return
	}
	binary.LittleEndian.PutUint64(s.keys.at(i), tokens.Keys[i])
	if s.stamps.size > 0 {
		binary.LittleEndian.PutUint32(s.stamps.at(i), tokens.Stamp(i))
	}
}

func (a *arenaCopy) has(i uint32) bool { return a.copied[i>>6]>>(i&63)&1 == 1 }

// copyEntry copies an entry of one arena, unless that was done. A free entry is zeros.
func (s *entryCopy) copyEntry(a *arenaCopy, i uint32) {
	if a.size == 0 || a.has(i) {
		return
	}
	a.copied[i>>6] |= 1 << (i & 63)
	to := a.at(i)
	if s.core.tokens.IsFree(i) {
		clear(to)
		return
	}
	a.work.Buf = to[:0]
	a.arena.Encode(&a.work, i, s.fields, s.full)
}

// step copies about so many bytes.
func (s *entryCopy) step(bytes int) {
	for ; bytes > 0 && s.next <= s.tokens; s.next++ {
		s.copy(uint32(s.next))
		bytes -= s.keys.size + s.arenas[ofJT].size + s.arenas[ofCQP].size
	}
}

// each visits the pieces of the copy in their order.
func (s *entryCopy) each(do func([]byte), full bool) {
	for k, t := range s.sections() {
		skipsFree := !full && s.core.tokens.Expires() && k >= 2
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
