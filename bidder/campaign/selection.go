package campaign

import "math/bits"

// selection is a search for campaigns: what the request has, what is left of each group, and
// scratch memory. It belongs to one search at a time.
type selection struct {
	index *index
	key   []byte
	hits  []*value         // values that the request has and campaigns name
	upTo  [targeted]int    // of hits: the end of a dimension's
	sides [groups]leftover // of campaigns
	found []ranked

	order   []dimension
	passing [targeted]int // campaigns by dimension, less all of them
}

// leftover is the campaigns of a group that are left.
type leftover struct {
	result []uint64
	// places in result that may not be 0; those of a group of wide campaigns are known at the end
	words []uint32
	few   bool // words are known from the beginning

	// what campaigns must be in by the dimension at hand: one of these
	base  []uint64
	dense [][]uint64
	lists [][]uint32
	// bits of lists; all 0 between dimensions
	sparse []uint64
	zero   []uint64
	either []uint64
}

// fits makes room for bitmaps of so many words.
func (s *leftover) fits(words int) {
	if cap(s.result) < words {
		s.result, s.sparse, s.zero, s.either = make([]uint64, words), make([]uint64, words), make([]uint64, words), make([]uint64, words)
	}
	s.result, s.sparse, s.zero, s.either = s.result[:words], s.sparse[:words], s.zero[:words], s.either[:words]
}

// begin starts to gather what campaigns must be in: base, or one of the sets that or adds.
func (s *leftover) begin(base []uint64) {
	s.base, s.dense, s.lists = base, s.dense[:0], s.lists[:0]
}

// or adds campaigns to what begin has started.
func (s *leftover) or(p *posting) {
	switch {
	case p == nil:
	case p.bits != nil:
		s.dense = append(s.dense, p.bits)
	case len(p.list) > 0:
		for _, slot := range p.list {
			s.sparse[slot/64] |= 1 << (slot % 64)
		}
		s.lists = append(s.lists, p.list)
	}
}

// start takes what was gathered as what there is, of the active ones.
func (s *leftover) start(active []uint64) {
	clear(s.result)
	s.words = s.words[:0]
	for _, set := range s.dense {
		for i, w := range set {
			s.result[i] |= w
		}
	}
	for _, list := range s.lists {
		for _, slot := range list {
			s.result[slot/64] |= 1 << (slot % 64)
		}
	}
	s.rest()
	for i, w := range s.result {
		if w &= active[i]; w != 0 {
			s.words = append(s.words, uint32(i))
		}
		s.result[i] = w
	}
}

// rest clears the scratch memory of lists.
func (s *leftover) rest() {
	for _, list := range s.lists {
		for _, slot := range list {
			s.sparse[slot/64] = 0
		}
	}
}

// end leaves the campaigns that were gathered, and says whether there are any.
func (s *leftover) end() bool {
	if s.few {
		return s.endFew()
	}
	if len(s.base) != len(s.result) {
		s.base = append(append(s.either[:0], s.base...), s.zero[len(s.base):]...)
	}
	for len(s.dense) > 1 || len(s.dense) == 1 && len(s.dense[0]) != len(s.result) {
		s.base = s.merge(s.base, s.dense[len(s.dense)-1])
		s.dense = s.dense[:len(s.dense)-1]
	}
	some := uint64(0)
	switch {
	case len(s.dense) == 1 && len(s.lists) == 0:
		some = and2(s.result, s.base, s.dense[0])
	case len(s.dense) == 1:
		some = and3(s.result, s.base, s.dense[0], s.sparse)
	case len(s.lists) > 0:
		some = and2(s.result, s.base, s.sparse)
	default:
		some = and1(s.result, s.base)
	}
	s.rest()
	return some != 0
}

// endFew is end where words are known.
func (s *leftover) endFew() bool {
	s.dense = append(s.dense, s.base, s.sparse)
	left := s.words[:0]
	for _, w := range s.words {
		either := uint64(0)
		for _, set := range s.dense {
			if int(w) < len(set) {
				either |= set[w]
			}
		}
		either &= s.result[w]
		if s.result[w] = either; either != 0 {
			left = append(left, w)
		}
	}
	s.words = left
	s.rest()
	return len(left) > 0
}

// merge returns the union of two sets, of which a is of full length. It may be a's memory if that
// is s.either.
func (s *leftover) merge(a, b []uint64) []uint64 {
	out := s.either[:len(a)]
	n := min(len(a), len(b))
	head, x, y := out[:n], a[:n], b[:n]
	for i := range head {
		head[i] = x[i] | y[i]
	}
	copy(out[n:], a[n:])
	return out
}

// and1, and2 and and3 leave in r what is in one of the other sets, which are as long. The result is
// not 0 if there is something left.
func and1(r, a []uint64) (some uint64) {
	a = a[:len(r)]
	for i := range r {
		x := r[i] & a[i]
		r[i] = x
		some |= x
	}
	return some
}

func and2(r, a, b []uint64) (some uint64) {
	a, b = a[:len(r)], b[:len(r)]
	for i := range r {
		x := r[i] & (a[i] | b[i])
		r[i] = x
		some |= x
	}
	return some
}

func and3(r, a, b, c []uint64) (some uint64) {
	a, b, c = a[:len(r)], b[:len(r)], c[:len(r)]
	for i := range r {
		x := r[i] & (a[i] | b[i] | c[i])
		r[i] = x
		some |= x
	}
	return some
}

// not removes campaigns.
func (s *leftover) not(p *posting) {
	if p == nil {
		return
	}
	for _, slot := range p.list {
		s.result[slot/64] &^= 1 << (slot % 64)
	}
	if s.few {
		for _, w := range s.words {
			if int(w) < len(p.bits) {
				s.result[w] &^= p.bits[w]
			}
		}
		return
	}
	for i, w := range p.bits[:min(len(p.bits), len(s.result))] {
		s.result[i] &^= w
	}
}

// finish finds the words that are not 0, and counts the campaigns that are left.
func (s *leftover) finish() (left int) {
	if s.few {
		for _, w := range s.words {
			left += bits.OnesCount64(s.result[w])
		}
		return left
	}
	s.words = s.words[:0]
	for i, w := range s.result {
		if w != 0 {
			s.words = append(s.words, uint32(i))
			left += bits.OnesCount64(w)
		}
	}
	return left
}
