package model

import "github.com/clickloop/clickloop/model/internal/quantile"

// Scratch is the working memory of one goroutine that predicts or learns. It grows as fields are
// discovered. Between calls it holds nothing that matters, so one Scratch may serve several nets in
// turn.
type Scratch struct {
	row     row
	seen    []int32       // by position in the example: the field that was there last
	squares []float64     // by field: the sum of squares of this example's weights
	code    quantile.Code // of a number that is only predicted
	without []Feature     // of Explain: the example without one field

	j     jScratch
	t     tScratch
	cqp   cqpScratch
	plain plainScratch
}

func (s *Scratch) grow(fields int) {
	for len(s.squares) < fields {
		s.squares = append(s.squares, 0)
	}
}

// fieldAt is the number of the field at position i, if it is the one that stood there in the
// example before; else -1.
func (s *Scratch) fieldAt(c *core, i int, hash uint64) int {
	if i < len(s.seen) {
		if f := s.seen[i]; int(f) < len(c.fields.hashes) && c.fields.hashes[f] == hash {
			return int(f)
		}
	}
	return -1
}

// remember notes the field that stands at position i.
func (s *Scratch) remember(i, field int) {
	for len(s.seen) <= i {
		s.seen = append(s.seen, 0)
	}
	s.seen[i] = int32(field)
}

// resize makes slices anew that have not n floats.
func resize(n int, slices ...*[]float32) {
	for _, v := range slices {
		if len(*v) != n {
			*v = make([]float32, n)
		}
	}
}

// fieldSums holds, for each pair of fields, the sum of the first field's vectors for the second,
// each times its token's x. Rows of absent fields are zero.
type fieldSums struct {
	sums  []float32
	room  int
	dirty []uint16 // rows that are not zero
}

// begin clears the sums for an example with these fields; each row holds room vectors of k floats.
func (s *fieldSums) begin(room, k int, present []uint16) {
	if n := room * room * k; len(s.sums) != n || s.room != room {
		s.room, s.sums, s.dirty = room, make([]float32, n), s.dirty[:0]
	}
	for _, f := range s.dirty {
		clear(s.sums[int(f)*room*k:][:room*k])
	}
	s.dirty = append(s.dirty[:0], present...)
}
