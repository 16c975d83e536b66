package model

import "unsafe"

// The tables are larger than the caches, and an example's look-ups are known well before they are
// needed: calling for their memory ahead of time is worth a third of the time. It changes no
// result.

// prefetchIndex calls for the places where the index will be asked for an example's tokens.
func (c *core) prefetchIndex(x []Feature) {
	if c.plain != nil && !c.plain.tokens {
		return
	}
	for i := range x {
		if f := &x[i]; f.Kind == Token {
			prefetch(unsafe.Pointer(&c.index.slots[mix(f.Field^kindToken, f.Hash)>>c.index.shift]), 1)
		}
	}
}

func (c *core) prefetchRecords(a *arena, r *row) {
	lines := (a.stride + 15) / 16
	for i := range r.toks {
		prefetch(a.ptr(r.toks[i].learn), lines)
	}
}

// recordsAhead is how far ahead of their turn touched records are called for.
const recordsAhead = 8

// prefetchServed calls for what serving reads of a token's records.
func (c *core) prefetchServed(i uint32) {
	for _, a := range []*arena{&c.a, &c.b} {
		if a.len > 0 {
			prefetch(a.ptr(i), (a.serve+15)/16)
		}
	}
}

func (c *core) prefetchPlain(r *row) {
	if c.plain.tokens {
		c.prefetchRecords(&c.a, r)
	}
	if c.h.v != nil {
		if len(r.slots) > 0 {
			prefetchHits(&r.slots[0], len(r.slots), unsafe.Pointer(&c.h.v[0]), c.h.stride*4)
		}
	}
}

// prefetchPairs calls for the slots of the chosen pairs by their fields' first tokens; the table is
// larger than any cache.
func (c *core) prefetchPairs(r *row) {
	if c.h.v == nil {
		return
	}
	for _, p := range c.list {
		f, g := p>>16, p&0xffff
		if int(g) >= len(r.reps) {
			continue
		}
		if a, b := &r.reps[f], &r.reps[g]; a.n > 0 && b.n > 0 {
			slot := c.h.slot(mix(a.toks[0].key^kindPair, b.toks[0].key))
			prefetch(unsafe.Pointer(&c.h.v[int(slot)*c.h.stride]), 1)
		}
	}
}
