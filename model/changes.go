package model

import "github.com/clickloop/clickloop/model/internal/table"

// changes is what the next delta will carry. It is kept once a first snapshot was taken.
type changes struct {
	on   bool
	lost bool // too much to list; the next delta is a snapshot

	// of the version from which the delta leads
	from          int64
	fields, known int

	numbers []numberChange
	keys    []keyChange // with expiry
	entries table.Bitmap
	slots   table.Bitmap
}

// numberChange is what a number did to its field's sample: see quantile.Reservoir.Put.
type numberChange struct {
	field, victim int
	value         float64
}

// keyChange says that an entry got a key, or lost it (0).
type keyChange struct {
	entry uint32
	key   uint64
}

const maxListed = 1 << 16 // a snapshot is not much larger than such a list

// list appends to one of the lists of changes, and begins it again when it has grown too long.
func list[T any](c *changes, changed *[]T, v T) {
	if !c.on {
		return
	}
	if len(*changed) == maxListed {
		c.lost, *changed = true, (*changed)[:0]
	}
	*changed = append(*changed, v)
}

// settle makes the present version the one that the next delta leads from.
func (c *core) settle() {
	ch := &c.changes
	ch.from, ch.fields, ch.known, ch.lost = c.examples, len(c.fields.hashes), len(c.tokens.Keys), false
	ch.numbers, ch.keys = ch.numbers[:0], ch.keys[:0]
	ch.entries.Clear()
	ch.slots.Clear()
	c.calibration.settle()
}
