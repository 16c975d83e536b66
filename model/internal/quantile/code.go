package quantile

import (
	"math"

	"github.com/clickloop/clickloop/model/internal/arith"
)

const (
	kindExact  = 0x2545F4914F6CDD1D
	kindBin    = 0x9E6C63D0876A9A47
	binRank    = 100
	binUnknown = 101

	quantiles = 8
	fewest    = 8 // below so many values a number's place among them means nothing

	third = 0.57735026918962576451 // 1/sqrt(3): a number's three tokens weigh as much as one
)

// Code is a number as weighted tokens: the exact number, its soft place among the quantiles, which
// is one bin or two neighbours, and its rank as a value.
type Code struct {
	N    int32 // tokens
	Keys [4]uint64
	Xs   [4]float64
	Best uint64 // key of the heavier bin

	value float64
	puts  uint32 // one more than the sample had changes; 0: of no value
}

const codeBits = 5

// Lookup encodes v unless its code is remembered: many fields show few numbers. Only the goroutine
// that learns may call it. The code holds until the next call.
func (r *Reservoir) Lookup(field uint64, v float64) *Code {
	if r.codes == nil {
		r.codes = make([]Code, 1<<codeBits)
	}
	c := &r.codes[math.Float64bits(v)*arith.OddA>>(64-codeBits)]
	if c.value != v || c.puts != r.puts+1 {
		r.Code(c, field, v)
	}
	return c
}

// ExactKey is the key of the only token of a raw number.
func ExactKey(field uint64) uint64 { return arith.Mix(field^kindExact, 0) }

// Code encodes a number of a field.
func (r *Reservoir) Code(c *Code, field uint64, v float64) {
	c.value, c.puts = v, r.puts+1
	c.Keys[0], c.Xs[0] = arith.Mix(field^kindExact, exact(v)), third
	bin := func(i uint64) uint64 { return arith.Mix(field^kindBin, i) }
	n := len(r.sorted)
	if n < fewest {
		c.Best = bin(binUnknown)
		c.Keys[1], c.Xs[1], c.N = c.Best, third, 2
		return
	}
	below, notAbove := r.rank(v)
	c.N = 1
	add := func(key uint64, x float64) {
		c.Keys[c.N], c.Xs[c.N] = key, x
		c.N++
	}
	at := float64(quantiles*(below+notAbove)) / float64(2*n)
	j := math.Floor(at)
	part := at - j
	if c.Best = bin(uint64(j)); part > 0.5 {
		c.Best = bin(uint64(j) + 1)
	}
	if part < 1 {
		add(bin(uint64(j)), float64(third*(1-part)))
	}
	if part > 0 {
		add(bin(uint64(j)+1), float64(third*part))
	}
	if rank := float64(third*1.7) * (float64(below+notAbove)/float64(n) - 1); rank != 0 {
		add(bin(binRank), rank)
	}
}
