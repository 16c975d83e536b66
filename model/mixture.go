package model

import (
	"math"
	"runtime"
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// mixture is the default engine: six members, mixed online. Each is the base rate plus its own
// parts, and learns from its own loss.
//
//	base  nothing else
//	C     a coin-betting linear part
//	J     coin-betting linear + perceptron + field-aware part
//	Q     coin-betting linear + a fast, forgetting perceptron
//	P     coin-betting linear over tokens and over hashed pairs of a few pairs of fields
//	T     a regression over what a field's tokens say by themselves
//
// J and T have weights of their own, and so have C, Q and P: two processors can learn a block of
// examples without sharing a cache line.
type mixture struct {
	*core
	j     memberJ
	t     memberT
	cqp   membersCQP
	mixer mixer
}

// The members' places among the logits.
const (
	atBase = iota
	atC
	atJ
	atQ
	atP
	atT
	members
)

// Where things lie in core.num and core.numKept; the base has the first of num. What J and T write
// lies 64 bytes apart from what the others write. Else the two goroutines of a batch would take the
// same cache lines from each other at every example.
const (
	numMix   = 16 // weights of the mixers
	numTrust = numMix + mixers*members
	numT     = 56 // weights of T
	numLen   = numT + kernel.Dims

	keptMix = 12 // inverse matrices of the mixers
	keptT   = 144
	keptLen = keptT + kernel.Dims*kernel.Dims
)

// The constants of C, J, Q and P, by where they lie.
var (
	constantC = constantPlace{wealth: 4, weight: 5, mean: 8, bet: 0, squares: 9, largest: 120}
	constantJ = constantPlace{wealth: 1, weight: 48, mean: 49, bet: 136, squares: 139, largest: 140}
	constantQ = constantPlace{wealth: 4, weight: 6, mean: 9, bet: 3, squares: 10, largest: 121}
	constantP = constantPlace{wealth: 4, weight: 7, mean: 10, bet: 6, squares: 11, largest: 122}
)

const (
	pairBits = 20 // of the table of hashed pairs, at most

	rateJ, rateJEmbed, startJ = 0.05, 0.1, 0.01
	rateQ, startQ             = 0.1, 0.1
	rateVectors, startVector  = 0.03, 0.001
	firstM                    = 0.5 // of a bet: the largest |x| is taken to be at least that
)

func newMixture(c *core) *mixture {
	const layer = kernel.Embed * kernel.Hidden
	c.tokensJT = table.NewArena(table.Part{Head: kernel.VectorsAt, Piece: kernel.VectorSize}, table.Part{Head: kernel.VectorAccAt, Piece: 1}, c.full, c.half)
	c.tokensCQP = table.NewArena(table.Part{Head: 4 + kernel.Embed}, table.Part{Head: 12 + kernel.Embed}, c.full, c.half)
	c.layerJ = table.NewArena(table.Part{Head: layer}, table.Part{Head: kernel.Hidden}, c.full, false)
	c.layerQ = table.NewArena(table.Part{Head: layer}, table.Part{Head: layer}, c.full, false)
	c.hashed = table.NewHashed(min(pairBits, c.cfg.TableBits), 1, 5, c.full, c.half)
	c.needs = needs{entries: true, vectorDeviation: 0.01, vectorStart: startVector}
	c.dense, c.num = make([]float32, 2*kernel.NetLen), make([]float64, numLen)
	if c.full {
		c.denseKept, c.numKept = make([]float32, 2*kernel.NetLen), make([]float64, keptLen)
		fill(c.denseKept[:kernel.NetLen], startJ)
		fill(c.denseKept[kernel.NetLen:], startQ)
	}
	for net := range 2 {
		out := c.dense[net*kernel.NetLen+kernel.NetOut:][:kernel.Hidden]
		arith.Normals(out, arith.Mix(c.cfg.Seed, uint64(net+11)), 0, 0.3)
	}
	c.base = newBase(c.cfg.Prior, c.num, math.MaxInt64)
	return &mixture{core: c, t: newMemberT(c), mixer: newMixer(c), j: memberJ{c, c.newConstant(constantJ), c.perceptron(0)},
		cqp: membersCQP{c, c.newConstant(constantC), c.newConstant(constantQ), c.newConstant(constantP), c.perceptron(1)}}
}

func (m *mixture) startToken(e newEntry) {
	m.startJT(e)
	m.startCQP(e)
}

// startJT starts a token's entry for J and T: a random embedding and vectors, a linear weight of
// zero, and no counts of labels.
func (m *mixture) startJT(e newEntry) {
	v := m.tokensJT.Blank(e.entry)
	arith.Normals(v[kernel.EmbeddingAt:][:kernel.Embed], arith.Mix(m.cfg.Seed^0x4A, e.key), 0, 0.03)
	kept := v[m.tokensJT.KeptAt:]
	kept[kernel.LargestX], kept[kernel.EmbeddingAccAt] = firstM, startJ
	m.startVectors(v, e.key, 0, len(m.fields.hashes), e.field)
}

// startCQP starts a token's entry for C, Q and P: a random embedding, and linear weights of zero.
func (m *mixture) startCQP(e newEntry) {
	v := (*kernel.EntryCQP)(unsafe.Pointer(&m.tokensCQP.Blank(e.entry)[0]))
	v.Won[3] = firstM
	arith.Normals(v.Embedding[:], arith.Mix(m.cfg.Seed^0x51, e.key), 0, 0.03)
	fill(v.Acc[:], startQ)
}

func (m *mixture) startField(field, fields int) {
	const layer = kernel.Embed * kernel.Hidden
	h := arith.Mix(m.cfg.Seed^0xF1, m.fields.hashes[field])
	deviation := math.Sqrt(2 / float64(kernel.Embed*fields))
	v, w := m.layerJ.At(uint32(field)), m.layerQ.At(uint32(field))
	arith.Normals(v[:layer], h, 0, deviation)
	arith.Normals(w[:layer], h, layer, deviation)
	if m.full {
		fill(v[m.layerJ.KeptAt:][:kernel.Hidden], startJ)
		fill(w[m.layerQ.KeptAt:][:layer], startQ)
	}
}

func fill(v []float32, with float32) {
	for i := range v {
		v[i] = with
	}
}

func (m *mixture) predict(r *row, s *Scratch) float64 {
	m.forward(r, s)
	return m.mixer.forward(r, nil)
}

// forward sets the logits of all members.
func (m *mixture) forward(r *row, s *Scratch) {
	m.j.forward(r, &s.j)
	m.t.forward(r, &s.t)
	m.cqp.forward(r, &s.cqp)
}

func (m *mixture) learn(r *row, s *Scratch) (float64, error) {
	m.forward(r, s)
	if !r.finite() {
		return 0, r.diverged()
	}
	m.j.learn(r, &s.j)
	m.t.learn(r, &s.t)
	m.cqp.learn(r, &s.cqp)
	r.raw = m.mix(r)
	r.served = m.calibration.learn(r, r.raw)
	return r.served, nil
}

// mix predicts a row from its members' logits, then learns how far to trust them.
func (m *mixture) mix(r *row) float64 {
	var p [members + mixers]float64
	out := m.mixer.forward(r, &p)
	m.mixer.learn(r, &p)
	return out
}

// learnBatch learns short batches by one goroutine, and others by two.
func (m *mixture) learnBatch(n *Net, in examples) (int, error) {
	// with expiry, a key that is to be copied may change before its entries do
	unordered := m.capture != nil && m.tokens.Expires()
	if len(in.xs) <= 4 || unordered || runtime.GOMAXPROCS(0) < 2 {
		return n.learnInTurn(in, m.learnBlock)
	}
	if m.capture != nil {
		m.capture.apart = true
		defer func() { m.capture.apart = false }()
	}
	p := pipeline{mixture: m, n: n, batch: n.batch, in: in}
	return p.run()
}
