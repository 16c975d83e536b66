package metrics

import (
	"iter"
	"math"
)

// sketch counts examples in bins of equal width in the logit. When there are too many bins, pairs
// of neighbours become one, as in UDDSketch (Epicoco et al. 2020). So the bins depend on the scores
// and not on their order. The examples of a bin keep an unknown order among themselves; a bin that
// has one score only loses nothing.
type sketch struct {
	bins
	halvings uint8 // how often pairs became one
	most     int
}

func (s *sketch) add(key int32, p, positive, negative float64) {
	s.of(key>>s.halvings).add(p, positive, negative)
	for s.n > s.most {
		s.halve()
	}
}

func (s *sketch) halve() {
	old := s.bins
	s.bins = bins{}
	s.halvings++
	for i := range old.slots {
		if b := &old.slots[i]; b.used {
			s.of(b.key >> 1).merge(b)
		}
	}
}

func (s *sketch) cells() iter.Seq[cell] {
	sorted := s.sorted()
	width := float64(int(1)<<s.halvings) / binsPerUnit
	return func(yield func(cell) bool) {
		for i := range sorted {
			b := &sorted[i]
			c := cell{score: b.score, low: b.score, high: b.score, positive: b.positive, negative: b.negative}
			if b.several {
				c.score /= b.positive + b.negative
				c.low, c.high = sigmoid(float64(b.key)*width), sigmoid(float64(b.key+1)*width)
			}
			if !yield(c) {
				return
			}
		}
	}
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
