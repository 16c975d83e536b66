package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// ffmPart is field-aware: a token has a vector of k for every other field, and the logit is the sum
// of the products of tokens' vectors for each other's fields. With AdaGrad a vector has one
// accumulator, else each weight has the state of the rule.
type ffmPart struct {
	*core
	rule *rule
	k    int
}

// forward sums each field's vectors for every other field, then multiplies the two sums of each
// pair of fields.
func (m *ffmPart) forward(r *row, s *plainScratch) float32 {
	s.vectors.begin(m.tokensJT.Room, m.k, r.present)
	m.sumVectors(r.tokens, s)
	return m.dot(s)
}

// sumVectors adds the tokens' vectors to those of their fields.
func (m *ffmPart) sumVectors(tokens []kernel.Token, s *plainScratch) {
	row := m.tokensJT.Room * m.k
	for i := range tokens {
		if t := &tokens[i]; t.Read != 0 {
			v := m.tokensJT.Read(t.Read, &s.unpacked)
			kernel.Axpy(s.vectors.sums[int(t.Field)*row:][:row], v[m.tokensJT.Weights.Head:][:row], t.X)
		}
	}
}

// dot multiplies the sums of each pair of fields.
func (m *ffmPart) dot(s *plainScratch) float32 {
	k, row, fields, sums := m.k, m.tokensJT.Room*m.k, len(m.fields.hashes), s.vectors.sums
	if k == kernel.VectorSize {
		return kernel.FFMDot(sums, fields, m.tokensJT.Room)
	}
	var sum float32
	for f := range fields {
		for h := f + 1; h < fields; h++ {
			for i := range k {
				sum += float32(sums[f*row+h*k+i] * sums[h*row+f*k+i])
			}
		}
	}
	return sum
}

// learn moves each token's vector for a field against that field's sum for the token's.
func (m *ffmPart) learn(r *row, s *plainScratch) {
	a, k, row, sums := &m.tokensJT, m.k, m.tokensJT.Room*m.k, s.vectors.sums
	quick := k == kernel.VectorSize && m.rule.isPlainAdaGrad()
	for i := range r.tokens {
		t := &r.tokens[i]
		if t.Learn == 0 {
			continue
		}
		entry := a.At(t.Learn)
		v, kept := entry[a.Weights.Head:][:row], entry[a.KeptAt+a.Kept.Head:]
		gx := float32(s.gradients[0] * t.X)
		if quick {
			kernel.FFMStep(v, kept[:a.Room], sums, int(t.Field), a.Room, gx, m.rule.rate)
			continue
		}
		for h := range m.fields.hashes {
			if h != int(t.Field) {
				m.stepVector(v[h*k:][:k], kept[h*a.Kept.Piece:][:a.Kept.Piece], sums[h*row+int(t.Field)*k:][:k], gx)
			}
		}
	}
}

// stepVector moves one vector against gx times other: with AdaGrad by the mean square of its
// gradient, else weight by weight.
func (m *ffmPart) stepVector(v, kept, other []float32, gx float32) {
	r := m.rule
	if r.Kind != "adagrad" {
		r.stepAll(v, kept, other, gx)
		return
	}
	var sum float32
	l2 := float32(r.L2)
	for i := range v {
		g := float32(gx*other[i]) + float32(l2*v[i])
		sum += float32(g * g)
	}
	kept[0] += sum / float32(m.k)
	by := float32(r.rate * arith.Rsqrt32(kept[0]))
	pull := float32(r.rate * float32(r.L1))
	for i := range v {
		g := float32(gx*other[i]) + float32(l2*v[i])
		w := v[i] - float32(by*g)
		if pull > 0 {
			w = max(w-pull, 0) + min(w+pull, 0)
		}
		v[i] = w
	}
}
