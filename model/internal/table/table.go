// Package table holds what a network has learned of tokens. A Table gives each token's key an
// entry, Arenas hold the entries' floats, and a Hashed table holds weights without keys. The form
// of each is a function of what was put in, in its order, so the same examples give the same bytes.
package table

import (
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/codec"
)

// Limits decide which tokens have entries.
type Limits struct {
	Bits      int   // at most 2^Bits tokens
	Admission int   // sightings after which a token gets an entry
	Expiry    int64 // examples after which an unseen token loses its entry; 0: never
}

// Table gives tokens their entries and takes them back.
//
// A token gets an entry when it was seen Admission times. When the table is full, further tokens
// share the entries of a pool, a sixteenth of all. With Expiry, a token that was not seen for so
// many examples loses its entry, and the next token takes it over.
type Table struct {
	Index
	Pooled bool // the table is full

	// BeforeChange is called with an entry whose key is about to change.
	BeforeChange func(entry uint32)
	// Changed is called with an entry and its new key, 0 for none.
	Changed func(entry uint32, key uint64)

	limits  Limits
	sketch  sketch
	used    []uint32 // by entry: when it was last learned, as a stamp; nil without expiry
	free    []uint32 // entries without a token; the last one is given first
	hand    uint32   // the entry that Expire looked at last
	expired int64    // tokens that lost their entries
	reused  []uint32 // entries that got another token in the present example
}

const (
	stampExamples = 16 // from one stamp to the next
	forever       = 1<<32 - 1
)

// New makes an empty table. Only the one of a net that learns keeps stamps.
func New(limits Limits, learns bool) Table {
	t := Table{Index: NewIndex(), limits: limits}
	t.most, t.exact = 1<<limits.Bits, limits.Expiry > 0
	if learns {
		t.BeforeChange, t.Changed = func(uint32) {}, func(uint32, uint64) {}
		if t.exact {
			t.used = make([]uint32, 1)
		}
	}
	return t
}

// Expires says whether tokens lose their entries.
func (t *Table) Expires() bool { return t.exact }

// IsFree says whether an entry has lost its token.
func (t *Table) IsFree(entry uint32) bool { return t.exact && t.Keys[entry] == 0 }

// Tokens is how many tokens have entries.
func (t *Table) Tokens() int { return len(t.Keys) - 1 - len(t.free) }

// Expired is how many tokens lost their entries.
func (t *Table) Expired() int64 { return t.expired }

// FindShared returns the entry of the pool that a token shares, or 0.
func (t *Table) FindShared(key uint64) uint32 { return t.Find(t.poolKey(key)) }

// BeginExample says that the next tokens come with another example.
func (t *Table) BeginExample() {
	if len(t.reused) > 0 {
		t.reused = t.reused[:0]
	}
}

// IsReused says whether an entry got another token in the present example.
func (t *Table) IsReused(entry uint32) bool {
	return len(t.reused) > 0 && slices.Contains(t.reused, entry)
}

// Admit finds an entry for a token that has none of its own and is about to be learned. With
// pooled, shared is the entry of FindShared. The entry is 0 when the token is not learned. When it
// is created, its floats are still to be set.
func (t *Table) Admit(key uint64, pooled bool, shared uint32, examples int64) (entry uint32, created bool) {
	admitted := t.seenOften(key)
	switch {
	case pooled && (!admitted || len(t.free) == 0):
		if shared != 0 {
			return shared, false
		}
		return t.share(key)
	case !admitted:
		return 0, false
	case len(t.free) > 0:
		return t.reuse(key, examples)
	}
	if most := 1 << t.limits.Bits; len(t.Keys) >= most-most/16 {
		t.Pooled = true
	}
	if t.Pooled {
		return t.share(key)
	}
	return t.create(key, stamp(examples))
}

// seenOften counts a sighting of a token without an entry, and says whether it may have one now.
func (t *Table) seenOften(key uint64) bool {
	if t.limits.Admission <= 1 {
		return true
	}
	if t.sketch.counts == nil {
		t.sketch.counts = make([]uint8, sketchCounts(t.limits.Bits))
	}
	return t.sketch.add(key) >= t.limits.Admission
}

// share returns the pool's entry for a token. The pool's entries do not expire.
func (t *Table) share(key uint64) (entry uint32, created bool) {
	key = t.poolKey(key)
	if entry = t.Find(key); entry != 0 {
		return entry, false
	}
	return t.create(key, forever)
}

// poolKey is the key that all tokens of a pool's entry share.
func (t *Table) poolKey(key uint64) uint64 {
	const kindPool = 0x94D049BB133111EB
	return arith.Mix(kindPool, key%(1<<t.limits.Bits/16))
}

// create makes the next entry. A token whose every place is taken was chosen to collide: it is not
// learned, and takes nothing from the others.
func (t *Table) create(key uint64, used uint32) (entry uint32, created bool) {
	entry, ok := t.Insert(key)
	if !ok {
		return 0, false
	}
	if t.used != nil {
		t.used = append(t.used[:entry], used)
	}
	t.Changed(entry, key)
	return entry, true
}

// reuse gives a token the entry of one that expired.
func (t *Table) reuse(key uint64, examples int64) (entry uint32, created bool) {
	last := len(t.free) - 1
	entry = t.free[last]
	t.BeforeChange(entry)
	if !t.give(key, entry) {
		return 0, false
	}
	t.free, t.used[entry] = t.free[:last], stamp(examples)
	t.reused = append(t.reused, entry)
	t.Changed(entry, key)
	return entry, true
}

// Seen says that an entry is learned now.
func (t *Table) Seen(entry uint32, examples int64) {
	if t.used != nil && t.used[entry] != forever {
		t.used[entry] = stamp(examples)
	}
}

// Expire looks at a few entries after each example, so that each entry is looked at twice within
// Expiry examples, and takes those away whose token was not seen for so long.
//
// A second goroutine may still have to learn older examples of the batch. It learns them in order,
// and each starts a reused entry anew when it reaches the example that reused it. So a token must
// not expire within the examples that are under way: Expiry is far more than those.
func (t *Table) Expire(examples int64) {
	entries := uint32(len(t.Keys))
	if t.limits.Expiry == 0 || entries == 1 {
		return
	}
	now, most := stamp(examples), uint32(t.limits.Expiry/stampExamples)
	for range 1 + 2*int64(entries)/t.limits.Expiry {
		if t.hand++; t.hand >= entries {
			t.hand = 1
		}
		entry := t.hand
		if t.Keys[entry] == 0 || t.used[entry] == forever || now-t.used[entry] <= most {
			continue
		}
		t.BeforeChange(entry)
		t.remove(entry)
		t.free = append(t.free, entry)
		t.expired++
		t.Changed(entry, 0)
	}
}

// stamp is the time of an example, in four bytes an entry.
func stamp(examples int64) uint32 { return uint32(examples / stampExamples) }

// Set gives a replica's entry a key, 0 for none. It returns true if the entry is a new one.
func (t *Table) Set(entry uint32, key uint64) bool {
	if int(entry) == len(t.Keys) {
		t.Push(key)
		return true
	}
	if t.Keys[entry] != 0 {
		t.remove(entry)
	}
	if key != 0 {
		t.give(key, entry)
	}
	return false
}

// Clone is an independent copy of a replica's table.
func (t *Table) Clone() Table {
	return Table{Index: t.clone(), Pooled: t.Pooled, limits: t.limits}
}

// Stamp is when an entry was last learned, in a table of a net that learns with expiry.
func (t *Table) Stamp(entry uint32) uint32 { return t.used[entry] }

// EncodeKeys writes the key of each entry, and for a checkpoint (full) its stamp.
func (t *Table) EncodeKeys(e *codec.Encoder, full bool) {
	for _, k := range t.Keys[1:] {
		e.U64(k)
		e.Spill()
	}
	if full && t.used != nil {
		for _, u := range t.used[1:] {
			e.U32(u)
			e.Spill()
		}
	}
}

// DecodeKeys reads n keys, and with full their stamps.
func (t *Table) DecodeKeys(d *codec.Decoder, n int, full bool) {
	t.Reserve(n)
	for range n {
		t.Push(d.U64())
	}
	if full && t.exact && n > 0 {
		t.used = append(make([]uint32, 0, n+1), 0)
		for range n {
			t.used = append(t.used, d.U32())
		}
	}
}

// EncodeFate writes what decides which tokens get entries and which expire.
func (t *Table) EncodeFate(e *codec.Encoder) {
	if t.limits.Expiry > 0 {
		e.Num(int(t.hand))
		e.Num(int(t.expired))
		e.Num(len(t.free))
		for _, entry := range t.free {
			e.Num(int(entry))
		}
	}
	if t.limits.Admission > 1 {
		e.Num(t.sketch.adds)
		e.Text(t.sketch.counts)
	}
}

// DecodeFate reads what EncodeFate wrote of a table of n tokens.
func (t *Table) DecodeFate(d *codec.Decoder, n int) {
	if t.limits.Expiry > 0 {
		t.hand, t.expired = uint32(d.Num(0)), int64(d.Num(0))
		for range d.Num(1) {
			entry := d.Num(0)
			if entry < 1 || entry > n {
				d.Fail("a free entry is not there")
				return
			}
			t.free = append(t.free, uint32(entry))
		}
	}
	if t.limits.Admission > 1 {
		t.sketch.adds = d.Num(0)
		counts := slices.Clone(d.Take(d.Num(1)))
		if n := len(counts); n != 0 && n != sketchCounts(t.limits.Bits) {
			d.Fail("the sketch has %d counts", n)
		}
		if len(counts) > 0 {
			t.sketch.counts = counts
		}
	}
}
