package metrics

import "math"

// histogram counts probabilities up to each of some edges, and above the last.
type histogram struct {
	edges  []float64
	counts []int64
	// first[i] is where the search begins for a probability whose float64 has these upper bits
	first [1 << 14]uint8
}

// firstShift leaves the sign, the exponent and two bits of the mantissa.
const firstShift = 64 - 14

func newHistogram(edges []float64) *histogram {
	h := &histogram{edges: edges, counts: make([]int64, len(edges)+1)}
	for i := range h.first {
		low := math.Float64frombits(uint64(i) << firstShift)
		for k := 0; k < len(edges) && edges[k] < low; k++ {
			h.first[i]++
		}
	}
	return h
}

func (h *histogram) add(p float64) {
	if h == nil {
		return
	}
	k := int(h.first[math.Float64bits(p)>>firstShift])
	for k < len(h.edges) && p > h.edges[k] {
		k++
	}
	h.counts[k]++
}
