package model

import (
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/quantile"
	"github.com/clickloop/clickloop/model/internal/table"
)

// applyDelta reads a delta's body into a replica's core.
func (c *core) applyDelta(d *codec.Decoder) error {
	readBits(d)
	origin, from, to := d.U64(), int64(d.Num(0)), int64(d.Num(0))
	switch {
	case d.Err() != nil:
		return d.Err()
	case origin != c.origin:
		return fmt.Errorf("%w: its configuration differs", ErrShape)
	case d.Half != c.half:
		return fmt.Errorf("%w: its weights have another number of bits", ErrShape)
	case to <= c.examples && from <= to:
		return nil
	case from != c.examples || to < from:
		return fmt.Errorf("%w: it leads from version %d to %d, this is %d", ErrGap, from, to, c.examples)
	}
	// The first reading changes nothing, so that the second cannot fail half-way.
	first := *d
	check := deltaReader{core: c, d: &first}
	check.read()
	if err := first.End(); err != nil {
		return err
	}
	apply := deltaReader{core: c, d: d, apply: true}
	if apply.read(); d.Err() != nil {
		panic("BUG: a delta that was checked cannot be applied: " + d.Err().Error())
	}
	c.examples = to
	return nil
}

// deltaReader reads a delta from the mark of a full table on, and with apply takes it over.
type deltaReader struct {
	*core
	d          *codec.Decoder
	apply      bool
	fieldCount int // after the delta
	entryCount int // after the delta
}

func (r *deltaReader) read() {
	pooled := r.d.Bool()
	r.readFields()
	r.readNumbers()
	r.readKeys()
	if r.apply {
		r.core.tokens.Pooled = pooled
	}
	r.readEntries()
	r.readSlots()
	if r.apply {
		r.readDense(r.d, r.fieldCount)
		r.calibration.decodeChanges(r.d, true)
		return
	}
	// The first reading needs somewhere to put the dense weights.
	scratch := weights{dense: make([]float32, len(r.dense)), num: make([]float64, len(r.num))}
	scratch.readDense(r.d, r.fieldCount)
	r.calibration.decodeChanges(r.d, false)
}

// readFields reads the hashes of new fields.
func (r *deltaReader) readFields() {
	d, known := r.d, &r.core.fields
	before, more := d.Num(0), d.Num(8)
	if d.Err() == nil && (before != len(known.hashes) || before+more > r.cfg.MaxFields) {
		d.Fail("it knows %d fields, not %d", before, len(known.hashes))
	}
	if d.Err() != nil {
		return // the number that was read is wrong, and memory is taken by it
	}
	var fresh []uint64
	for range more {
		h := d.U64()
		if slices.Contains(fresh, h) || known.find(h) >= 0 {
			d.Fail("a field comes twice")
		}
		fresh = append(fresh, h)
	}
	if r.fieldCount = before + more; r.apply && more > 0 {
		for _, h := range fresh {
			known.add(h)
		}
		r.growFields(before)
	}
}

// readNumbers repeats on the samples of numbers what learning did to them. Lengths are tracked, so
// that the first reading, which changes nothing, knows where each value would go.
func (r *deltaReader) readNumbers() {
	d, samples := r.d, r.core.fields.numbers
	lengths := make([]int, r.fieldCount)
	for i := range min(r.fieldCount, len(samples)) {
		lengths[i] = samples[i].Len()
	}
	for range d.Num(10) {
		f, victim, v := d.Num(0), d.Num(0)-1, d.F64()
		if d.Err() != nil || f >= r.fieldCount || !arith.Finite(v) || victim >= lengths[f] || victim < 0 && lengths[f] == quantile.Size {
			d.Fail("a number has no place")
			return
		}
		if victim < 0 {
			lengths[f]++
		}
		if r.apply {
			samples[f].Put(victim, v)
		}
	}
}

// readKeys reads the keys of new entries, then with expiry which keys entries got and lost.
func (r *deltaReader) readKeys() {
	d, most := r.d, 1<<r.cfg.TableBits
	before, more := d.Num(0), d.Num(8)
	if d.Err() == nil && (before != len(r.tokens.Keys) || before+more > most+1) {
		d.Fail("it knows %d tokens, not %d", before, len(r.tokens.Keys))
		return
	}
	r.entryCount = before + more
	for i := before; i < r.entryCount; i++ {
		r.setKey(i, d.U64())
	}
	for range d.Num(9) {
		entry, key := d.Num(0), d.U64()
		if d.Err() != nil || !r.tokens.Expires() || entry < 1 || entry > r.entryCount || entry == r.entryCount && entry > most {
			d.Fail("an entry is out of place")
			r.entryCount = 0
			return
		}
		r.entryCount = max(r.entryCount, entry+1)
		r.setKey(entry, key)
	}
}

// setKey gives an entry a key; a new entry gets its floats, which readEntries sets.
func (r *deltaReader) setKey(entry int, key uint64) {
	if r.apply && r.tokens.Set(uint32(entry), key) {
		for _, a := range r.byToken {
			a.Add()
		}
	}
}

// readEntries reads the entries of tokens that were learned, then those of all fields.
func (r *deltaReader) readEntries() {
	d := r.d
	for range d.Num(1) {
		i := d.Num(0)
		if d.Err() != nil || i < 1 || i >= r.entryCount {
			d.Fail("a token is not known")
			return
		}
		for _, a := range r.byToken {
			r.readEntry(a, i)
		}
	}
	for _, a := range r.byField {
		for i := range r.fieldCount {
			r.readEntry(a, i)
		}
	}
}

func (r *deltaReader) readEntry(a *table.Arena, i int) {
	if r.apply {
		a.Decode(r.d, uint32(i), r.fieldCount, false)
	} else {
		r.d.Take(r.d.WeightBytes(a.Weights.Size(r.fieldCount)))
	}
}

func (r *deltaReader) readSlots() {
	r.eachSlot(r.d, r.hashed.Served, func(slot int) int { return slot }, func(slot uint32) {
		if r.apply {
			r.hashed.Decode(r.d, slot)
		} else {
			r.d.Take(r.d.WeightBytes(r.hashed.Served))
		}
	})
}
