package model

import (
	"math"
	"unsafe"
)

// The default net: six members, each the base rate plus its own parts, each learning from its own
// loss, mixed online (mixer.go).
//
//	base  nothing else
//	C     a coin-betting linear part
//	J     coin-betting linear + perceptron + field-aware part
//	Q     coin-betting linear + a fast, forgetting perceptron
//	P     coin-betting linear over tokens and over hashed pairs of a few pairs of fields
//	T     a regression over what a field's tokens say by themselves (member_t.go)
//
// J and T live in the arenas a and f, the others in b and g, so that two cores can learn a block of
// examples without sharing a cache line.
const (
	memberBase = iota
	memberC
	memberJ
	memberQ
	memberP
	memberT
	members
)

// Where things lie in core.num, core.numO, core.dense and core.denseO.
//
// What J and T write lies 64 bytes apart from what the others write: the two sides learn at the
// same time on two cores, and would otherwise take the same cache lines from each other at every
// example.
const (
	numMix   = 16                      // weights of the three mixers
	numTrust = numMix + mixers*members // how much each member and mixer is believed
	numJ     = 48
	numT     = 56 // weights of T
	numLen   = numT + targetDims

	keptInv = 12 // inverse matrices of the mixers
	keptJ   = 136
	keptT   = 144 // the inverse matrix of T
	keptLen = keptT + targetDims*targetDims

	// of one perceptron in core.dense
	netBias, netOut, netConst, netLen = 0, hidden, 2 * hidden, 4 * hidden

	pairBits    = 20 // at most
	chooseEvery = 5000

	// in a record of the first arena: [w, target encoding, 2 free][embedding 8][vectors of 4 by
	// field]
	ffmAt = 12
	ffmK  = 4
	// [M, T, G, R][accumulator of the embedding, counts of positives and of negatives, 1
	// free][accumulators by field]
	firstKept = 8
)

// The constant input of the linear parts of C, J, Q, P.
var (
	constAt = [4]int{5, numJ, 6, 7} // in core.num: its weight
	// in core.num: mean over examples of the sum of (x/M)^2
	meanAt = [4]int{8, numJ + 1, 9, 10}
	coinAt = [4]int{0, keptJ, 3, 6} // in core.numO: T, G, R
	// in core.numO: sum over examples of the sum of (x/M)^2
	sumAt  = [4]int{9, keptJ + 3, 10, 11}
	leadAt = [4]int{120, keptJ + 4, 121, 122} // in core.numO: largest weight of an example so far
)

var wealth = [4]float64{4, 1, 4, 4} // of C, J, Q, P at the start of each bet

const (
	rateJ, rateJEmbed, startJ = 0.05, 0.1, 0.01
	rateQ, startQ             = 0.1, 0.1
	rateFFM, startFFM         = 0.03, 0.001
)

func (c *core) layoutMixture() {
	c.a = newArena(ffmAt, ffmK, firstKept, 1, c.full, c.half)
	c.b = newArena(4+embed, 0, 20, 0, c.full, c.half)
	c.f = newArena(embed*hidden, 0, hidden, 0, c.full, false)
	c.g = newArena(embed*hidden, 0, embed*hidden, 0, c.full, false)
	c.h = newSparse(min(pairBits, c.cfg.TableBits), 1, 5, c.full, c.half)
	c.dense, c.num = make([]float32, 2*netLen), make([]float64, numLen)
	c.startBase()
	for i := range 4 {
		c.num[meanAt[i]] = 1
	}
	c.startMixers()
	for net := range 2 {
		for j := range hidden {
			c.dense[net*netLen+netOut+j] = normal(mix(mix(c.cfg.Seed, uint64(net+11)), uint64(j)), 0.3)
		}
	}
	if !c.full {
		return
	}
	c.denseO = make([]float32, 2*netLen)
	for i := range netLen {
		c.denseO[i], c.denseO[netLen+i] = startJ, startQ
	}
}

func (c *core) startToken(v []float32, key uint64) {
	if c.plain != nil {
		c.plain.startToken(c, v, key)
		return
	}
	h := mix(c.cfg.Seed^0x4A, key)
	for d := range embed {
		v[4+d] = normal(mix(h, uint64(d)), 0.03)
	}
	if c.full {
		k := v[c.a.serve:]
		k[0], k[4] = 0.5, startJ
	}
}

// startPieces starts a token's vectors for the fields from..to-1; that for its own field stays
// zero.
func (c *core) startPieces(v []float32, key uint64, from, to, own int) {
	if c.plain != nil {
		c.plain.startPieces(c, v, key, from, to, own)
		return
	}
	h := mix(c.cfg.Seed^0xFF, key)
	for f := from; f < to; f++ {
		if c.full {
			v[c.a.serve+firstKept+f] = startFFM
		}
		if f == own {
			continue
		}
		for k := range ffmK {
			v[ffmAt+f*ffmK+k] = normal(mix(h, uint64(f*ffmK+k)), 0.01)
		}
	}
	if c.full { // room without a field yet: a root of zero must never be divided by
		for f := to; f < c.a.room; f++ {
			v[c.a.serve+firstKept+f] = startFFM
		}
	}
}

func (c *core) startSecond(v []float32, key uint64) {
	h := mix(c.cfg.Seed^0x51, key)
	for d := range embed {
		v[4+d] = normal(mix(h, uint64(d)), 0.03)
	}
	if c.full {
		s := (*second)(unsafe.Pointer(&v[0]))
		s.r[3] = 0.5
		for d := range embed {
			s.acc[d] = startQ
		}
	}
}

func (c *core) startField(v []float32, field, fields int) {
	if c.plain != nil {
		c.plain.startField(c, v, field, fields)
		return
	}
	h := mix(c.cfg.Seed^0xF1, c.fields.hashes[field])
	deviation := math.Sqrt(2 / float64(embed*fields))
	w := c.g.at(uint32(field))
	for i := range embed * hidden {
		v[i] = normal(mix(h, uint64(i)), deviation)
		w[i] = normal(mix(h, uint64(embed*hidden+i)), deviation)
	}
	if c.full {
		for i := range hidden {
			v[c.f.serve+i] = startJ
		}
		for i := range embed * hidden {
			w[c.g.serve+i] = startQ
		}
	}
}

func (c *core) predictMixture(r *row, s *Scratch) float64 {
	r.base, r.reach = c.num[numBase], c.reach()
	c.forwardJ(r, &s.j)
	c.forwardT(r, &s.t)
	c.forwardQ(r, s)
	r.z[memberJ], r.z[memberT] = r.zJ, r.zT
	return c.mixForward(&r.z, r.reach, nil)
}
