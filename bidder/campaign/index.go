package campaign

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// The index of a View says of each value of each dimension which campaigns allow or block it, as
// the inverted lists of boolean expressions do (Whang et al., Indexing Boolean Expressions, VLDB
// 2009). A campaign is a bit, its slot. Few slots stand in a list, many in a bitmap.
//
// A search looks up the request's values, and intersects the dimensions. Two groups of campaigns
// have slots of their own. Narrow ones have a dimension, their home, of which they allow values
// that few others allow: they are found by these, and the other dimensions are looked at for those
// that are found alone. The bitmaps of the wide ones are intersected as a whole.
//
// A writer copies what it changes, once between two Views: gen tells what it has copied already.

// group is which of a campaign's slots it is.
type group uint8

const (
	wide group = iota
	narrow
	groups
)

// bucketValues is how many values a bucket has on the average, at most.
const bucketValues = 4

// bucket is the values whose keys' hashes end alike. A map instead takes twice as long to look
// into, and cannot be copied in part.
type bucket struct {
	gen    uint64
	hashes []uint32 // upper halves
	values []*value
}

// value is the campaigns that name a value of a dimension. Its key begins with the dimension.
type value struct {
	key string
	gen uint64
	of  [groups][termKinds]*posting // nil: no campaign
}

func (v *value) empty() bool { return v.of == [groups][termKinds]*posting{} }

func (v *value) clone(gen uint64) *value {
	copied := &value{key: v.key, gen: gen}
	for g := range groups {
		for kind, p := range v.of[g] {
			copied.of[g][kind] = p.clone()
		}
	}
	return copied
}

// allowed is how many campaigns of a group allow the value.
func (v *value) allowed(g group) int {
	if p := v.of[g][termAllow]; p != nil {
		return p.n
	}
	return 0
}

// posting is a set of slots: a list, or a bitmap once that is shorter to go through.
type posting struct {
	n    int
	list []uint32
	bits []uint64
}

func (p *posting) clone() *posting {
	if p == nil {
		return nil
	}
	return &posting{p.n, slices.Clone(p.list), slices.Clone(p.bits)}
}

// add adds a slot that is not there. words is the length of a bitmap of all slots.
func (p *posting) add(slot uint32, words int) {
	p.n++
	if p.bits == nil {
		if p.list = append(p.list, slot); len(p.list) <= words/4 {
			return
		}
		p.bits = make([]uint64, words)
		for _, s := range p.list {
			p.bits = setBit(p.bits, s)
		}
		p.list = nil
		return
	}
	p.bits = setBit(p.bits, slot)
}

// remove removes a slot that is there.
func (p *posting) remove(slot uint32) {
	p.n--
	if p.bits != nil {
		p.bits[slot/64] &^= 1 << (slot % 64)
		return
	}
	i := slices.Index(p.list, slot)
	p.list[i] = p.list[p.n]
	p.list = p.list[:p.n]
}

// setBit grows b where it must, to whole pages.
func setBit(b []uint64, slot uint32) []uint64 {
	if words := pageWords * (int(slot/pageEntries) + 1); words > len(b) {
		b = append(b, make([]uint64, words-len(b))...)
	}
	b[slot/64] |= 1 << (slot % 64)
	return b
}

// bitmap is a set of slots that the writer copies as a whole.
type bitmap struct {
	gen  uint64
	bits []uint64
}

func (b *bitmap) set(gen uint64, slot uint32, on bool) {
	if b.gen != gen {
		b.gen, b.bits = gen, slices.Clone(b.bits)
	}
	b.bits = setBit(b.bits, slot)
	if !on {
		b.bits[slot/64] &^= 1 << (slot % 64)
	}
}

// index is the part of a View by which campaigns are found.
type index struct {
	buckets []*bucket // a power of two
	values  int
	parts   [groups]part
	visits  [targeted]bool // dimensions of which a request's values are to be looked up
}

// part is the index of a group.
type part struct {
	any [targeted]bitmap // campaigns that allow all values
	// how many campaigns allow and block values of the dimension
	allowing, blocking [targeted]int
	order              []dimension // those that campaigns name values of, first what most of them do
}

func newIndex() index { return index{buckets: make([]*bucket, 64)} }

// find returns nil for a value that no campaign names.
func (x *index) find(key []byte) *value {
	h := xxhash.Sum64(key)
	b := x.buckets[h&uint64(len(x.buckets)-1)]
	if b == nil {
		return nil
	}
	for i, other := range b.hashes {
		if other == uint32(h>>32) && b.values[i].key == string(key) {
			return b.values[i]
		}
	}
	return nil
}

// writable returns the place of a value as the next View may have it. It makes one that is not
// there.
func (x *index) writable(gen uint64, key string) (b *bucket, at int) {
	h := xxhash.Sum64String(key)
	b = x.bucket(gen, h)
	for i, v := range b.values {
		if v.key != key {
			continue
		}
		if v.gen != gen {
			b.values[i] = v.clone(gen)
		}
		return b, i
	}
	b.hashes, b.values = append(b.hashes, uint32(h>>32)), append(b.values, &value{key: key, gen: gen})
	x.values++
	return b, len(b.values) - 1
}

// bucket returns the bucket of a hash as the next View may have it.
func (x *index) bucket(gen, h uint64) *bucket {
	at := &x.buckets[h&uint64(len(x.buckets)-1)]
	switch {
	case *at == nil:
		*at = &bucket{gen: gen}
	case (*at).gen != gen:
		*at = &bucket{gen: gen, hashes: slices.Clone((*at).hashes), values: slices.Clone((*at).values)}
	}
	return *at
}

// forget removes a value that no campaign names any more.
func (x *index) forget(b *bucket, at int) {
	b.hashes, b.values = slices.Delete(b.hashes, at, at+1), slices.Delete(b.values, at, at+1)
	x.values--
}

// grow doubles the buckets if they are too full.
func (x *index) grow(gen uint64) {
	if x.values <= bucketValues*len(x.buckets) {
		return
	}
	old := x.buckets
	x.buckets = make([]*bucket, 2*len(old))
	for _, b := range old {
		if b == nil {
			continue
		}
		for _, v := range b.values {
			h := xxhash.Sum64String(v.key)
			to := x.bucket(gen, h)
			to.hashes, to.values = append(to.hashes, uint32(h>>32)), append(to.values, v)
		}
	}
}

// home finds the dimension of whose values the campaign allows those that the fewest others allow.
// There is none where they are many, of the given number of all campaigns.
func (x *index) home(t *terms, all int) (best dimension, ok bool) {
	var others [targeted]int
	for _, n := range t.all {
		if d := dimension(n.key[0]); d < targeted && n.kind == termAllow {
			if v := x.find([]byte(n.key)); v != nil {
				others[d] += v.allowed(wide) + v.allowed(narrow)
			}
		}
	}
	const few = 8
	least := max(few, all/32)
	for d := byFormat + 1; d < targeted; d++ { // every campaign has formats
		if t.allowing[d] && others[d] < least {
			best, ok, least = d, true, others[d]
		}
	}
	return best, ok
}

// add and remove change the bits of a campaign. words is the length of a bitmap of its group.
func (x *index) add(gen uint64, g group, slot uint32, t *terms, words int) {
	for i := range t.all {
		b, at := x.writable(gen, t.all[i].key)
		p := &b.values[at].of[g][t.all[i].kind]
		if *p == nil {
			*p = &posting{}
		}
		(*p).add(slot, words)
	}
	x.grow(gen)
	x.parts[g].set(gen, slot, t, true)
}

func (x *index) remove(gen uint64, g group, slot uint32, t *terms) {
	for i := range t.all {
		b, at := x.writable(gen, t.all[i].key)
		p := &b.values[at].of[g][t.all[i].kind]
		if (*p).remove(slot); (*p).n == 0 {
			*p = nil
		}
		if b.values[at].empty() {
			x.forget(b, at)
		}
	}
	x.parts[g].set(gen, slot, t, false)
}

// set counts a campaign, or counts it no more.
func (x *part) set(gen uint64, slot uint32, t *terms, on bool) {
	by := 1
	if !on {
		by = -1
	}
	for d := range targeted {
		x.any[d].set(gen, slot, on && !t.allowing[d])
		if t.allowing[d] {
			x.allowing[d] += by
		}
		if t.blocking[d] {
			x.blocking[d] += by
		}
	}
}

// publish returns the index as a View has it from now on.
func (x *index) publish() index {
	out := *x
	out.buckets = slices.Clone(x.buckets)
	for g := range out.parts {
		p := &out.parts[g]
		p.order = nil
		for d := range targeted {
			if p.allowing[d] > 0 || p.blocking[d] > 0 {
				p.order = append(p.order, d)
				out.visits[d] = true
			}
		}
		slices.SortStableFunc(p.order, func(a, b dimension) int { return p.allowing[b] - p.allowing[a] })
	}
	return out
}
