package metrics

import (
	"cmp"
	"iter"
	"slices"
)

// score is the part of an example that ranks need. w is the weight of a positive, or less than 0
// that of a negative.
type score struct{ p, w float64 }

func (s score) compare(o score) int {
	if c := cmp.Compare(s.p, o.p); c != 0 {
		return c
	}
	return cmp.Compare(s.w, o.w) // sums of weights are the same in whatever order they came
}

// scores are the scores of examples. The first of them are in order; the others have come since.
type scores struct {
	list    []score
	ordered int
}

// keep keeps an example's score and says whether there was room. A label between 0 and 1 is a
// positive and a negative.
func (a *Accumulator) keep(p, positive, negative float64) bool {
	s := &a.scores
	if len(s.list)+2 > a.size.Scores {
		return false
	}
	if positive != 0 {
		s.list = append(s.list, score{p, positive})
	}
	if negative != 0 {
		s.list = append(s.list, score{p, -negative})
	}
	return true
}

// sort puts all scores in order. Windows are read each minute, so few are new: they are sorted and
// merged.
func (s *scores) sort() {
	added := s.list[s.ordered:]
	if len(added) == 0 {
		return
	}
	slices.SortFunc(added, score.compare)
	if i := s.ordered; i > 0 && s.list[i-1].compare(added[0]) > 0 {
		added = slices.Clone(added)
		for k, j := len(s.list)-1, len(added)-1; j >= 0; k-- {
			if i > 0 && s.list[i-1].compare(added[j]) > 0 {
				i--
				s.list[k] = s.list[i]
			} else {
				s.list[k] = added[j]
				j--
			}
		}
	}
	s.ordered = len(s.list)
}

// cell is the examples of one score, or of one bin.
type cell struct {
	score              float64 // mean probability
	low, high          float64 // ends of the probabilities; equal when there is one only
	positive, negative float64 // weights
}

// tied says that all examples have the same score.
func (c *cell) tied() bool { return c.low == c.high }

// cells yields the examples in the order of their scores.
func (a *Accumulator) cells() iter.Seq[cell] {
	if a.sketch != nil {
		return a.sketch.cells()
	}
	a.scores.sort()
	return a.scores.cells
}

func (s *scores) cells(yield func(cell) bool) {
	for i := 0; i < len(s.list); {
		p := s.list[i].p
		c := cell{score: p, low: p, high: p}
		for ; i < len(s.list) && s.list[i].p == p; i++ {
			if w := s.list[i].w; w > 0 {
				c.positive += w
			} else {
				c.negative -= w
			}
		}
		if !yield(c) {
			return
		}
	}
}

// intoBins counts the scores in bins from now on.
func (a *Accumulator) intoBins() {
	a.scores.sort() // a result that was computed before may have sorted some: sums must not tell
	a.sketch = &sketch{most: a.size.Bins}
	for _, s := range a.scores.list {
		a.sketch.add(binOf(min(max(s.p, clamp), 1-clamp)), s.p, max(s.w, 0), max(-s.w, 0))
	}
	a.scores = scores{}
}
