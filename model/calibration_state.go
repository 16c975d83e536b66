package model

import (
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/codec"
)

// What a calibration is encoded to: the refused examples, the number of slices, and each slice: its
// key, its counts, its map, and with full what the map learns with. A net without calibration has
// none of it.

const sliceBytes = 4 + 8 + 8 + 8 + 8*mapWeights + 8 + 8*mapTrusts // at least, of a slice in an encoding

func (c *calibration) encode(e *codec.Encoder, full bool) {
	if c == nil {
		return
	}
	e.Num(int(c.refused))
	e.Num(len(c.slices))
	for i := range c.slices {
		c.slices[i].encode(e, full)
		e.Spill()
	}
}

func (s *slice) encode(e *codec.Encoder, full bool) {
	e.U32(uint32(s.parent))
	e.U64(s.token)
	e.Num(int(s.examples))
	e.F64(s.positives)
	e.F64(s.negatives)
	for _, v := range s.weights {
		e.F64(v)
	}
	e.F64(s.shift)
	for _, v := range s.trust {
		e.F64(v)
	}
	if full {
		e.Num(s.pending.labels)
		for _, v := range s.learning() {
			e.F64(*v)
		}
	}
}

// learning are the numbers that only learning needs.
func (s *slice) learning() []*float64 {
	p := &s.pending
	all := []*float64{&s.shiftCurvature, &p.information, &p.shiftGradient, &p.shiftInformation}
	for i := range s.curvature {
		all = append(all, &s.curvature[i], &p.curvature[i])
	}
	for i := range p.gradient {
		all = append(all, &p.gradient[i], &p.likelihood[i])
	}
	return all
}

func (s *slice) decode(d *codec.Decoder, full bool) {
	s.parent, s.token, s.examples = int32(d.U32()), d.U64(), int64(d.Num(0))
	s.positives, s.negatives = d.F64(), d.F64()
	sum := s.positives + s.negatives
	for i := range s.weights {
		s.weights[i] = d.F64()
		sum += s.weights[i]
	}
	s.shift = d.F64()
	sum += s.shift
	for i := range s.trust {
		s.trust[i] = d.F64()
		sum += s.trust[i]
	}
	if full {
		s.pending.labels = d.Num(0)
		for _, v := range s.learning() {
			*v = d.F64()
			sum += *v
		}
	}
	if d.Err() == nil && !arith.Finite(sum) {
		d.Fail("a slice of its calibration is not finite")
		return
	}
	s.odds = arith.Exp(s.shift / 2)
}

// decode reads what encode wrote into a new calibration.
func (c *calibration) decode(d *codec.Decoder) {
	if c == nil {
		return
	}
	refused, n := int64(d.Num(0)), d.Num(sliceBytes)
	if d.Err() == nil && (n < 1 || n > c.most) {
		d.Fail("its calibration has %d slices where 1 to %d are allowed", n, c.most)
		return
	}
	r := sliceReader{calibration: c, d: d, apply: true}
	for i := range n {
		r.read(i)
	}
	c.refused = refused
}

// encodeChanges writes the slices that changed since the last settle, each with its place.
func (c *calibration) encodeChanges(e *codec.Encoder) {
	if c == nil {
		return
	}
	e.Num(int(c.refused))
	e.Num(len(c.changed))
	for _, i := range c.changed {
		e.Num(int(i))
		c.slices[i].encode(e, false)
	}
}

// decodeChanges reads what encodeChanges wrote, and with apply takes it over.
func (c *calibration) decodeChanges(d *codec.Decoder, apply bool) {
	if c == nil {
		return
	}
	refused := int64(d.Num(0))
	r := sliceReader{calibration: c, d: d, apply: apply}
	for range d.Num(1 + sliceBytes) {
		r.read(d.Num(0))
	}
	if apply {
		c.refused = refused
	}
}

// sliceReader reads slices that are known or the next ones, in the order in which they were made.
type sliceReader struct {
	*calibration
	d     *codec.Decoder
	apply bool
	fresh []slice // that were read and are not taken over
}

// read reads the slice of number i.
func (r *sliceReader) read(i int) {
	var s slice
	if s.decode(r.d, r.full); r.d.Err() != nil {
		return
	}
	count := len(r.slices) + len(r.fresh)
	switch {
	case i > count || i >= r.most:
		r.d.Fail("a slice of its calibration is out of place")
	case i < count && r.at(i).sliceKey != s.sliceKey:
		r.d.Fail("a slice of its calibration has another key")
	case i == count && !r.isNew(s.sliceKey):
		r.d.Fail("a slice of its calibration has no parent or comes twice")
	case r.apply:
		if i == count {
			r.add(s.sliceKey)
		}
		was := r.inForce(&r.slices[i])
		s.level = r.slices[i].level
		r.slices[i] = s
		r.count(was, &s)
	case i == count:
		s.level = r.at(int(s.parent)).level + 1
		r.fresh = append(r.fresh, s)
	}
}

// at is the slice of number i, also one that is not taken over.
func (r *sliceReader) at(i int) *slice {
	if i < len(r.slices) {
		return &r.slices[i]
	}
	return &r.fresh[i-len(r.slices)]
}

// isNew says that a slice with this key may be made: it has a parent that may have children, and
// was not made before.
func (r *sliceReader) isNew(key sliceKey) bool {
	if key.parent < 0 || int(key.parent) >= len(r.slices)+len(r.fresh) || r.at(int(key.parent)).level >= len(r.by) {
		return false
	}
	_, twice := r.index[key]
	return !twice && !slices.ContainsFunc(r.fresh, func(s slice) bool { return s.sliceKey == key })
}
