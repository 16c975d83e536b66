// Package quantile turns numbers into weighted tokens, by a sample of what their field has shown
// before. So a network needs no scale of its inputs, and learns a curve over the quantiles.
package quantile

import (
	"math"
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/codec"
)

// Size is the largest number of values in a sample.
const Size = 512

// Reservoir is a uniform sample of a field's past numbers, in order of size.
type Reservoir struct {
	seen   uint64
	sorted []float64

	puts  uint32 // changes of the sample
	codes []Code // of values that came lately, for the goroutine that learns

	salt, saltField uint64 // the salt of chances is that of this field's hash
}

// Len is how many values the sample holds.
func (r *Reservoir) Len() int { return len(r.sorted) }

// See lets a value into the sample by chance, which depends on seed, field and the values seen. It
// returns what Put must be given to repeat that; kept is false if the value was left out.
func (r *Reservoir) See(seed, field uint64, v float64) (victim int, kept bool) {
	if r.saltField != field || r.salt == 0 {
		r.saltField, r.salt = field, arith.Mix(seed^kindBin, field)
	}
	victim, kept = r.draw(arith.Mix(r.salt, r.seen))
	if kept {
		r.Put(victim, v)
	}
	return victim, kept
}

// draw decides whether one more value is kept: beside the others (-1), or in the place of the value
// with the rank victim.
func (r *Reservoir) draw(hash uint64) (victim int, kept bool) {
	r.seen++
	if len(r.sorted) < Size {
		return -1, true
	}
	i := hash % r.seen
	return int(i), i < Size
}

// Put adds a value, beside the others (-1) or in the place of the value with the rank victim.
func (r *Reservoir) Put(victim int, v float64) {
	r.puts++
	at, _ := slices.BinarySearch(r.sorted, v)
	if victim < 0 {
		r.sorted = slices.Insert(r.sorted, at, v)
		return
	}
	if at > victim {
		at--
		copy(r.sorted[victim:at], r.sorted[victim+1:at+1])
	} else {
		copy(r.sorted[at+1:victim+1], r.sorted[at:victim])
	}
	r.sorted[at] = v
}

// rank counts the sample's values below v and those not above it.
func (r *Reservoir) rank(v float64) (below, notAbove int) {
	below, found := slices.BinarySearch(r.sorted, v)
	if !found {
		return below, below
	}
	equal, _ := slices.BinarySearch(r.sorted[below:], math.Nextafter(v, math.Inf(1)))
	return below, below + equal
}

// Encode writes the sample, and for a checkpoint (full) also how many values were seen.
func (r *Reservoir) Encode(e *codec.Encoder, full bool) {
	if full {
		e.Num(int(r.seen))
	}
	e.Sorted(r.sorted)
}

// Decode reads what Encode wrote.
func (r *Reservoir) Decode(d *codec.Decoder, full bool) {
	if full {
		r.seen = uint64(d.Num(0))
	}
	if r.sorted = d.Sorted(); !slices.IsSorted(r.sorted) || len(r.sorted) > Size {
		d.Fail("a field's numbers are not in order")
	}
}

// Clone is an independent copy of a replica's sample.
func (r *Reservoir) Clone() Reservoir {
	c := *r
	c.sorted, c.codes = append([]float64(nil), r.sorted...), nil
	return c
}

// exact is the identity of a number as a token: itself if whole, else rounded to four significant
// digits.
func exact(v float64) uint64 {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return math.Float64bits(v + 0) // -0 is 0
	}
	a := math.Abs(v)
	if a < 1e-290 {
		return math.Float64bits(v)
	}
	e := ((int(math.Float64bits(a)>>52) - 1023) * 1233) >> 12
	for a < math.Pow10(e) {
		e--
	}
	for e < 308 && a >= math.Pow10(e+1) {
		e++
	}
	digits := math.RoundToEven(a / math.Pow10(e) * 1000)
	if digits >= 10000 {
		digits, e = 1000, e+1
	}
	h := uint64(digits)<<16 | uint64(e+302)<<1 | 1
	if v < 0 {
		h |= 1 << 48
	}
	return h
}

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
