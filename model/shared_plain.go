package model

import (
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// share prepares all parts. A softmax has no part that is worth it.
func (p *plain) share(s *Scratch) bool {
	if p.outputs > 1 {
		return false
	}
	r, j := &s.row, &s.joint
	p.forward(r, &s.plain, false)
	if p.linear != nil {
		j.setProducts(p.linear.products(j.products[:0], j.slots))
		p.linear.shareCrosses(r, j)
	}
	if p.ffm != nil {
		j.pairs.begin(j.present)
	}
	if p.mlp != nil {
		p.mlp.share(j, &s.plain)
	}
	return true
}

func (p *plain) predictJoint(s *Scratch) float64 {
	r, j := &s.row, &s.joint
	logits := s.plain.logits
	copy(logits, p.dense)
	if p.needs.entries {
		for i := range j.own.tokens {
			kernel.PrefetchWeights(&p.tokensJT, j.own.tokens[i].Read)
		}
	}
	if p.linear != nil {
		logits[0] += p.linear.predictJoint(r, j)
	}
	if p.ffm != nil {
		logits[0] += p.ffm.predictJoint(r, j, &s.plain)
	}
	if p.mlp != nil {
		p.mlp.predictJoint(r, j, &s.plain)
	}
	p.output(&s.plain)
	return p.startOutput(r, float64(s.plain.predictions[0]), p.examples)
}

// products appends the products of the tokens in these slots.
func (l *linearPart) products(dst []lanes, slots []table.Hit) []lanes {
	for _, h := range slots {
		dst = append(dst, lanes{float32(h.X * l.hashed.Weight(h.Slot, 0))})
	}
	return dst
}

// shareCrosses looks up the crosses of shared fields.
func (l *linearPart) shareCrosses(r *row, j *joint) {
	j.crosses.begin()
	for _, x := range l.needs.crosses {
		if x.fields == nil {
			j.crosses.addEvery(l.core, r)
			continue
		}
		at := [3]int{-1, -1, -1}
		known := true
		for i, h := range x.fields {
			at[i] = l.fields.find(h)
			known = known && at[i] >= 0
		}
		if known {
			j.crosses.add(l.core, r, at[0], at[1], at[2])
		}
	}
}

func (l *linearPart) predictJoint(r *row, j *joint) float32 {
	kernel.PrefetchHits(&l.hashed, j.own.slots)
	j.crosses.find(l.core, j, r)
	j.ownProducts = l.products(j.ownProducts[:0], j.own.slots)
	return j.crosses.addTo(j.sum()[0], l.core)
}

func (m *ffmPart) predictJoint(r *row, j *joint, s *plainScratch) float32 {
	s.vectors.replace(j.before, r.present, m.k)
	m.sumVectors(j.own.tokens, s)
	if m.k == kernel.VectorSize {
		return j.pairs.dot(s.vectors.sums, len(m.fields.hashes), m.tokensJT.Room, j.own.present)
	}
	return m.dot(s)
}

// share follows forward on the shared features.
func (m *mlpPart) share(j *joint, s *plainScratch) {
	p := &j.layers[0]
	p.begin(m.dense[m.layers[0].bias:][:m.layers[0].units])
	for i := range j.present {
		m.firstLayer(p.next(), j.present[i:i+1], s)
	}
}

func (m *mlpPart) predictJoint(r *row, j *joint, s *plainScratch) {
	for _, f := range j.own.present {
		clear(s.mlp.inputs[int(f)*m.inputs:][:m.inputs])
	}
	m.sumInputs(j.own.tokens, j.own.present, r.numbers, s)
	values, kept := m.layers[0].of(s.mlp.values), j.kept()
	copy(values, j.layers[0].after(kept))
	m.firstLayer(values, r.present[kept:], s)
	m.upperLayers(r, s, false)
}
