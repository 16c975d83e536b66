package catalogue

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/clickloop/clickloop/event"
)

// Slot is the place of an item in a View, and in all later ones until the item is deleted.
type Slot uint32

// ID is the id of the item in a slot, empty for none.
func (v *View) ID(s Slot) string { return v.chunks[s/chunkItems].ids[s%chunkItems] }

// Value is what a positive of the item is worth.
func (v *View) Value(s Slot) float64 { return v.chunks[s/chunkItems].values[s%chunkItems] }

// Campaign is the item's campaign, empty for none.
func (v *View) Campaign(s Slot) string { return v.field(s, campaignColumn).Str }

// column returns the place of a column, or -1.
func (v *View) column(name string) int {
	return slices.IndexFunc(v.Columns, func(c *Column) bool { return c.Name == name })
}

// none is the value of a field that an item lacks.
var none event.Value

// field is an item's value in a column.
func (v *View) field(s Slot, column int) *event.Value {
	places := v.chunks[s/chunkItems].places(column)
	if places == nil || places[s%chunkItems] == 0 {
		return &none
	}
	return v.Columns[column].value(places[s%chunkItems])
}

// places are those of a column, nil when no item of the chunk has a value in it.
func (ch *chunk) places(column int) []uint32 {
	if column >= len(ch.fields) {
		return nil
	}
	return ch.fields[column]
}

// AppendFields appends the item's fields in the order of their names, so that every process has the
// same order. Lists are shared with the View and must not change.
func (v *View) AppendFields(dst event.Fields, s Slot) event.Fields {
	from := len(dst)
	ch, at := v.chunks[s/chunkItems], s%chunkItems
	for i := campaignColumn + 1; i < len(v.Columns); i++ {
		if places := ch.places(i); places != nil && places[at] != 0 {
			col := v.Columns[i]
			dst = append(dst, event.Field{Name: col.Name, Value: *col.value(places[at])})
		}
	}
	slices.SortFunc(dst[from:], func(a, b event.Field) int { return cmp.Compare(a.Name, b.Name) })
	return dst
}

// Item is the item in a slot.
func (v *View) Item(s Slot) event.Item {
	return event.Item{ID: v.ID(s), Campaign: v.Campaign(s), Value: v.Value(s), Fields: v.AppendFields(nil, s)}
}

// Find returns the slot of an item in v.
func (c *Catalogue) Find(v *View, id string) (Slot, bool) {
	c.mu.RLock()
	slot, ok := c.slots[id]
	c.mu.RUnlock()
	// v may be older, or newer, than what slots tell
	return Slot(slot), ok && int(slot) < v.slots && v.ID(Slot(slot)) == id
}

// Set is a set of slots.
type Set []uint64

// Grow returns an empty set for the slots of v, in the memory of s.
func (s Set) Grow(v *View) Set {
	n := len(v.chunks) * chunkItems / 64
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// Has says whether a slot is in the set.
func (s Set) Has(at Slot) bool { return s[at/64]>>(at%64)&1 != 0 }

// Add adds a slot.
func (s Set) Add(at Slot) { s[at/64] |= 1 << (at % 64) }

// Remove removes a slot.
func (s Set) Remove(at Slot) { s[at/64] &^= 1 << (at % 64) }

// All returns the set of all items, in the memory of s.
func (v *View) All(s Set) Set {
	s = s.Grow(v)
	for c, ch := range v.chunks {
		copy(s.of(c), ch.live[:])
	}
	return s
}

// of is the part of the set that is a chunk's.
func (s Set) of(chunk int) []uint64 { return s[chunk*chunkItems/64:][:chunkItems/64] }

// Len is how many slots are in the set.
func (s Set) Len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// any says whether a slot of a chunk is in the set.
func (s Set) any(chunk int) bool {
	for _, word := range s.of(chunk) {
		if word != 0 {
			return true
		}
	}
	return false
}

// appendEvery appends every n-th slot of the set, at most so many.
func (s Set) appendEvery(dst []Slot, n, most int) []Slot {
	i := 0
	for at, word := range s {
		for ; word != 0 && most > 0; word &= word - 1 {
			if i++; (i-1)%n == 0 {
				dst = append(dst, Slot(at*64+bits.TrailingZeros64(word)))
				most--
			}
		}
	}
	return dst
}
