package metrics

import (
	"math"
	"math/bits"
	"slices"
)

// binsPerUnit is how many bins a unit of the logit has before pairs of them become one.
const binsPerUnit = 1 << 20

// binOf is the bin of a probability from clamp to 1-clamp: the floor of its logit times
// binsPerUnit. It takes the logarithm from a table, which is good enough but near a bin's edge;
// there exactBin decides.
func binOf(q float64) int32 {
	v := math.Float64bits(q / (1 - q))
	t := &logs[v>>(52-logBits)&(1<<logBits-1)]
	r := math.Float64frombits(v&(1<<52-1)|1023<<52)*t.inverse - 1
	logit := float64(int(v>>52)-1023)*math.Ln2 + t.log + r*(1-r*(1.0/2-r*(1.0/3)))
	x := logit*binsPerUnit + bias
	k := int32(x)
	if part := x - float64(k); part < edge || part > 1-edge {
		return exactBin(q)
	}
	return k - bias
}

func exactBin(q float64) int32 { return int32(math.Floor(math.Log(q/(1-q)) * binsPerUnit)) }

const (
	logBits = 7       // bits of the mantissa by which a logarithm is looked up
	bias    = 1 << 26 // more than any bin, so that cutting off rounds down
	edge    = 1e-4    // above the error of x, which is below (2^-8)^4/4*binsPerUnit = 6.2e-5
)

// logs has the logarithm of the middle of each of 2^logBits spans from 1 to 2.
var logs = func() (t [1 << logBits]struct{ inverse, log float64 }) {
	for i := range t {
		middle := 1 + (float64(i)+0.5)/(1<<logBits)
		t[i].inverse, t[i].log = 1/middle, math.Log(middle)
	}
	return t
}()

// bin takes half a cache line, so that counting an example touches one line.
type bin struct {
	negative, positive float64 // weights
	// the only probability of the bin's examples, or of several the sum by weight
	score   float64
	key     int32
	used    bool
	several bool
}

// add counts an example.
func (b *bin) add(p, positive, negative float64) {
	switch mass := b.positive + b.negative; {
	case b.several:
		b.score += p * (positive + negative)
	case mass == 0:
		b.score = p
	case p != b.score:
		b.several = true
		b.score = b.score*mass + p*(positive+negative)
	}
	b.positive += positive
	b.negative += negative
}

// merge adds the examples of another bin.
func (b *bin) merge(o *bin) {
	if b.positive+b.negative == 0 {
		b.positive, b.negative, b.score, b.several = o.positive, o.negative, o.score, o.several
		return
	}
	b.score = b.sum() + o.sum()
	b.several = true
	b.positive += o.positive
	b.negative += o.negative
}

// sum is the sum of probabilities by weight.
func (b *bin) sum() float64 {
	if b.several {
		return b.score
	}
	return b.score * (b.positive + b.negative)
}

// bins is a hash table with open addressing. Every example is counted in it, and a map would cost
// more than all the rest of that. An array of all bins would be wasted on a segment, which has few.
type bins struct {
	slots []bin // 2^n of them, or none
	shift uint8 // 64-n
	n     int
}

// of returns the bin with a key, valid until the next call.
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

// sorted returns copies of the bins, in the order of their keys.
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
