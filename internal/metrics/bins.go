package metrics

import (
	"math"
	"math/bits"
	"slices"
)

// Scores are counted in bins of the logit, perBin to one unit, so that two scores closer than
// 1/perBin in logit count as equal for the AUC: with n such bins under the curve the error is below
// 1/n.
const perBin = 512

// binOf is the bin of a probability of clamp to 1-clamp: of its logit, times perBin, the floor. A
// logarithm by a table is good enough but near a bin's edge, so that edges are those of exactBin.
func binOf(q float64) int32 {
	v := math.Float64bits(q / (1 - q))
	t := &logs[v>>(52-logBits)&(1<<logBits-1)]
	r := math.Float64frombits(v&(1<<52-1)|1023<<52)*t.inverse - 1
	logit := float64(int(v>>52)-1023)*math.Ln2 + t.log + r*(1-r*(1.0/2-r*(1.0/3)))
	x := logit*perBin + bias
	k := int32(x)
	if part := x - float64(k); part < edge || part > 1-edge {
		return exactBin(q)
	}
	return k - bias
}

func exactBin(q float64) int32 { return int32(math.Floor(math.Log(q/(1-q)) * perBin)) }

const (
	logBits = 7       // of the mantissa, for which a logarithm is looked up
	bias    = 1 << 15 // more than any bin, so that cutting off is rounding down
	edge    = 1e-6    // more than the error of x, which is below (2^-8)^4/4*perBin = 3e-8
)

// logs are the logarithms of the middles of 2^logBits spans from 1 to 2.
var logs = func() (t [1 << logBits]struct{ inverse, log float64 }) {
	for i := range t {
		middle := 1 + (float64(i)+0.5)/(1<<logBits)
		t[i].inverse, t[i].log = 1/middle, math.Log(middle)
	}
	return t
}()

// bin has half a cache line, so that counting an example touches one.
type bin struct {
	negative, positive, predicted float64
	key                           int32
	used                          bool
}

// bins are a hash table with open addressing: counting is on the path of every example, and a map
// would cost more than all the rest of it. A sparse segment has few bins, so that an array of all
// would waste.
type bins struct {
	slots []bin // 2^n of them, or none
	shift uint8 // 64-n
	n     int
}

// of is the bin with a key, valid until the next call.
func (s *bins) of(key int32) *bin {
	if 4*s.n >= 3*len(s.slots) {
		s.grow()
	}
	i := int(uint64(uint32(key)) * 0x9e3779b97f4a7c15 >> (s.shift & 63))
	for {
		b := &s.slots[i]
		if b.key == key && b.used {
			return b
		}
		if !b.used {
			b.key, b.used = key, true
			s.n++
			return b
		}
		i = (i + 1) & (len(s.slots) - 1)
	}
}

func (s *bins) grow() {
	old := s.slots
	s.slots = make([]bin, max(16, 2*len(old)))
	s.shift, s.n = uint8(64-bits.TrailingZeros(uint(len(s.slots)))), 0
	for i := range old {
		if old[i].used {
			*s.of(old[i].key) = old[i]
		}
	}
}

// sorted are copies of the bins in order.
func (s *bins) sorted() []bin {
	list := make([]bin, 0, s.n)
	for _, b := range s.slots {
		if b.used {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b bin) int { return int(a.key - b.key) })
	return list
}
