package model

import (
	"cmp"
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// membersCQP are the members C, Q and P, which share their tokens' entries and so one look at the
// memory.
type membersCQP struct {
	*core
	constantC, constantQ, constantP constant
	perceptron                      // of Q
}

// cqpScratch is the working memory of members C, Q and P.
type cqpScratch struct {
	embeddings, gradients []float32 // of Q, by field
	hidden                [kernel.Hidden]float32
	hits                  []table.Hit // of P: pairs of tokens
	pairs                 []uint32    // of each hit: its pair of fields
	unpacked              []float32   // one entry's weights
}

// forward sets the logits of C, Q, P and the base; the scratch keeps what learning needs.
func (m *membersCQP) forward(r *row, s *cqpScratch) {
	if n := len(m.fields.hashes) * kernel.Embed; len(s.embeddings) < n {
		s.embeddings, s.gradients = make([]float32, n), make([]float32, n)
	}
	clearEmbeddings(s.embeddings, r.present)
	var linear [4]float32
	kernel.ReadCQP(r.tokens, &m.tokensCQP, &linear, s.embeddings, &s.unpacked)
	m.closeEmbeddings(r, s.embeddings)
	s.hidden = *(*[kernel.Hidden]float32)(m.net[kernel.NetBias:])
	kernel.LayerForward(&s.hidden, r.present, &m.layerQ, s.embeddings)
	m.findPairs(r, s)
	r.z[atBase] = r.base
	r.z[atC] = m.constantC.logit(r.base, linear[0])
	r.z[atQ] = m.constantQ.logit(r.base, linear[1]) + float64(kernel.Output(m.net, &s.hidden))
	r.z[atP] = m.constantP.logit(r.base, m.hashed.Dot(linear[2], s.hits))
}

// learn follows forward on the same row.
func (m *membersCQP) learn(r *row, s *cqpScratch) {
	gradient := func(member int) float64 { return float64((arith.Sigmoid(r.z[member]) - r.label) * r.weight) }
	gC, gQ, gP := gradient(atC), gradient(atQ), gradient(atP)
	var hidden [kernel.Hidden]float32
	kernel.OutputBack(m.net, m.netKept, &s.hidden, &hidden, float32(gQ), rateQ)
	kernel.LayerBackQ(r.present, &m.layerQ, s.embeddings, s.gradients, &hidden, rateQ)
	step := kernel.Step{
		Gradients: [4]float32{float32(gC), float32(gQ), float32(gP)},
		Wealth:    [4]float32{float32(m.constantC.wealth), float32(m.constantQ.wealth), float32(m.constantP.wealth)},
		Lead:      r.lead(), Rate: rateQ,
	}
	sum := 1 + kernel.StepCQP(r.tokens, &m.tokensCQP, s.gradients, &step)
	m.constantC.learn(gC, sum, r)
	m.constantQ.learn(gQ, sum, r)
	m.constantP.learn(gP, sum+m.learnPairs(s, float32(gP), step.Lead), r)
	if (r.number+1)%chooseEvery == 0 {
		m.choosePairs(r.fields)
	}
}

const chooseEvery = 5000 // examples from one choice of pairs to the next

// findPairs lists the example's hashed pairs: of all fields at first, then of the pairs of fields
// that were chosen.
func (m *membersCQP) findPairs(r *row, s *cqpScratch) {
	s.hits, s.pairs = s.hits[:0], s.pairs[:0]
	if len(m.pairs) > 0 {
		for _, p := range m.pairs {
			m.pairHits(r, s, p>>16, p&0xffff)
		}
		return
	}
	for i, f := range r.present {
		for _, g := range r.present[:i] {
			m.pairHits(r, s, uint32(min(f, g)), uint32(max(f, g)))
		}
	}
}

// pairHits appends the slots of all pairs of two fields' tokens.
func (m *membersCQP) pairHits(r *row, s *cqpScratch, f, g uint32) {
	if int(g) >= len(r.reps) {
		return
	}
	a, b := &r.reps[f], &r.reps[g]
	for _, p := range a.tokens[:a.n] {
		for _, q := range b.tokens[:b.n] {
			s.hits = append(s.hits, table.Hit{Slot: m.hashed.Slot(pairKey(p.key, q.key)), X: float32(p.x * q.x)})
			s.pairs = append(s.pairs, f<<16|g)
		}
	}
}

func pairKey(a, b uint64) uint64 { return arith.Mix(a^kindPair, b) }

// prefetchPairs calls for the slots of the chosen pairs, by their fields' first tokens.
func (m *membersCQP) prefetchPairs(r *row) {
	if m.hashed.Values == nil {
		return
	}
	for _, p := range m.pairs {
		f, g := p>>16, p&0xffff
		if int(g) >= len(r.reps) {
			continue
		}
		if a, b := &r.reps[f], &r.reps[g]; a.n > 0 && b.n > 0 {
			kernel.PrefetchSlot(&m.hashed, m.hashed.Slot(pairKey(a.tokens[0].key, b.tokens[0].key)))
		}
	}
}

// learnPairs bets for the pairs, counts what each pair of fields has won, and returns the sum of
// (x/M)^2. A slot holds the weight, M, and the bet's sums of -gx and |gx| and winnings.
func (m *membersCQP) learnPairs(s *cqpScratch, g, lead float32) (sum float64) {
	for n := len(m.fields.hashes); len(m.wins) < n*(n-1)/2; {
		m.wins = append(m.wins, 0)
	}
	m.touchSlots(s.hits)
	for i, h := range s.hits {
		v := m.hashed.Make(h.Slot)
		if x := arith.Abs32(h.X) * lead; lead > 1 && x > v[1] {
			v[0] *= v[1] / x
		}
		v[1] = max(v[1], firstM, arith.Abs32(h.X)*lead)
		u, gx := h.X/v[1], float32(g*h.X)
		sum += float64(float32(u * u))
		m.wins[pairIndex(s.pairs[i]>>16, s.pairs[i]&0xffff)] -= float64(float32(gx * v[0]))
		kernel.Coin(&v[0], &v[2], &v[3], &v[4], v[1], gx, float32(m.constantP.wealth))
	}
	return sum
}

// pairIndex is the place of the pair of fields f < g in wins.
func pairIndex(f, g uint32) uint32 { return g*(g-1)/2 + f }

// choosePairs chooses the pairs of fields that have won most, half as many as there are fields.
func (m *membersCQP) choosePairs(fields int) {
	type won struct {
		pair uint32
		by   float64
	}
	var all []won
	for g := range uint32(fields) {
		for f := range g {
			if m.apart.has(m.fields.hashes[f]) || m.apart.has(m.fields.hashes[g]) {
				continue
			}
			if i := pairIndex(f, g); int(i) < len(m.wins) {
				all = append(all, won{f<<16 | g, m.wins[i]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b won) int { return cmp.Compare(b.by, a.by) })
	m.pairs = m.pairs[:0]
	for _, w := range all[:min(len(all), max(1, fields/2))] {
		m.pairs = append(m.pairs, w.pair)
	}
}
