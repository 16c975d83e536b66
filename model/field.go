package model

import (
	"math"
	"slices"
)

// fields numbers the names' hashes as they come and holds each one's encoder of numbers.
type fields struct {
	hashes []uint64
	slots  []uint16 // open addressing: index+1, 0 empty
	codes  []reservoir
}

func (t *fields) find(hash uint64) int {
	if len(t.slots) == 0 {
		return -1
	}
	m := uint64(len(t.slots) - 1)
	for j := hash * hashA >> 32; ; j++ {
		i := t.slots[j&m]
		if i == 0 {
			return -1
		}
		if t.hashes[i-1] == hash {
			return int(i - 1)
		}
	}
}

func (t *fields) add(hash uint64) {
	t.hashes = append(t.hashes, hash)
	t.codes = append(t.codes, reservoir{})
	if 2*len(t.hashes) > len(t.slots) {
		t.slots = make([]uint16, max(64, 2*len(t.slots)))
		for i, h := range t.hashes[:len(t.hashes)-1] {
			t.place(h, i)
		}
	}
	t.place(hash, len(t.hashes)-1)
}

func (t *fields) place(hash uint64, i int) {
	m := uint64(len(t.slots) - 1)
	j := hash * hashA >> 32
	for t.slots[j&m] != 0 {
		j++
	}
	t.slots[j&m] = uint16(i + 1)
}

func (t *fields) clone() fields {
	c := fields{append([]uint64(nil), t.hashes...), append([]uint16(nil), t.slots...), append([]reservoir(nil), t.codes...)}
	for i := range c.codes {
		c.codes[i].sorted, c.codes[i].memos = append([]float64(nil), c.codes[i].sorted...), nil
	}
	return c
}

const (
	reservoirSize = 512
	reservoirMin  = 8 // below so many values a number's place among them means nothing
	quantiles     = 8
)

// reservoir is a uniform sample of a field's past numbers in order of size: what a number is
// measured against.
type reservoir struct {
	seen   uint64
	sorted []float64

	puts  uint32
	memos []memo // of values seen lately, for the goroutine that learns; a function of the rest

	salt, salted uint64 // of chances, for the field with the latter hash
}

// memo is what a value is encoded to, good as long as the sample is the same.
type memo struct {
	v    float64
	puts uint32 // one more than the reservoir had then; 0: nothing
	n    int32
	keys [4]uint64 // of tokens: exact, one or two bins, rank
	xs   [4]float64
	best uint64 // the heavier bin
}

const memoBits = 5

// look encodes v; the numbers of a field are often few, and then most of them were encoded before.
func (r *reservoir) look(field uint64, v float64) *memo {
	if r.memos == nil {
		r.memos = make([]memo, 1<<memoBits)
	}
	m := &r.memos[math.Float64bits(v)*hashA>>(64-memoBits)]
	if m.v != v || m.puts != r.puts+1 {
		r.encode(m, field, v)
	}
	return m
}

// encode gives a number's exact token, its soft quantile and its rank.
func (r *reservoir) encode(m *memo, field uint64, v float64) {
	m.v, m.puts = v, r.puts+1
	m.keys[0], m.xs[0] = mix(field^kindExact, exact(v)), third
	bin := func(i uint64) uint64 { return mix(field^kindBin, i) }
	n := len(r.sorted)
	if n < reservoirMin {
		m.best = bin(binUnknown)
		m.keys[1], m.xs[1], m.n = m.best, third, 2
		return
	}
	below, notAbove := r.rank(v)
	m.n = 1
	add := func(key uint64, x float64) {
		m.keys[m.n], m.xs[m.n] = key, x
		m.n++
	}
	at := float64(quantiles*(below+notAbove)) / float64(2*n)
	j := math.Floor(at)
	part := at - j
	if m.best = bin(uint64(j)); part > 0.5 {
		m.best = bin(uint64(j) + 1)
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

// rank counts the kept values below v and those not above it.
func (r *reservoir) rank(v float64) (below, notAbove int) {
	lo, n := 0, len(r.sorted)
	for n > 0 {
		half := n / 2
		if r.sorted[lo+half] < v {
			lo, n = lo+half+1, n-half-1
		} else {
			n = half
		}
	}
	below = lo
	if lo == len(r.sorted) || r.sorted[lo] != v {
		return below, below
	}
	n = len(r.sorted) - lo
	for n > 0 {
		half := n / 2
		if r.sorted[lo+half] <= v {
			lo, n = lo+half+1, n-half-1
		} else {
			n = half
		}
	}
	return below, lo
}

// victim decides what seeing one more value does: -1 keeps it beside the others, 0.. lets it take
// the place of the value with that rank, -2 drops it. The hash is the chance.
func (r *reservoir) victim(hash uint64) int {
	r.seen++
	if len(r.sorted) < reservoirSize {
		return -1
	}
	if i := hash % r.seen; i < reservoirSize {
		return int(i)
	}
	return -2
}

// put carries out what victim decided.
func (r *reservoir) put(victim int, v float64) {
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

var powers = func() (t [611]float64) { // powers[i] = 10^(i-302)
	for i := range t {
		t[i] = math.Pow10(i - 302)
	}
	return t
}()

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
	for a < powers[e+302] {
		e--
	}
	for e < 308 && a >= powers[e+303] {
		e++
	}
	digits := math.RoundToEven(a / powers[e+302] * 1000)
	if digits >= 10000 {
		digits, e = 1000, e+1
	}
	h := uint64(digits)<<16 | uint64(e+302)<<1 | 1
	if v < 0 {
		h |= 1 << 48
	}
	return h
}
