package model

// Scratch is the working memory of one goroutine that predicts or learns. It grows as fields are
// discovered; between calls it holds nothing that matters, so one Scratch may serve several nets in
// turn.
type Scratch struct {
	row    row
	seen   []int32   // by position in the example: the field that was there last
	square []float64 // by field: the sum of squares of this example
	pooled bool      // of the core when the example began
	fresh  uint32    // the first record that did not exist then
	memo   memo      // of a number that is only predicted
	j      jScratch
	t      tScratch
	q      qScratch
	p      pScratch
	out    plainScratch
}

func (s *Scratch) grow(c *core) {
	for len(s.square) < len(c.fields.hashes) {
		s.square = append(s.square, 0)
	}
}

// fieldOf is the number of the field at position i, if it is the one that stood there in the
// example before.
func (s *Scratch) fieldOf(c *core, i int, hash uint64) int {
	if i < len(s.seen) {
		if f := s.seen[i]; int(f) < len(c.fields.hashes) && c.fields.hashes[f] == hash {
			return int(f)
		}
	}
	return -1
}

func (s *Scratch) remember(i, field int) {
	for len(s.seen) <= i {
		s.seen = append(s.seen, 0)
	}
	s.seen[i] = int32(field)
}
