package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// An item's sums in the mixture: what it adds to the members' logits beside its perceptrons and its
// products with the context, by the members' places but for the base.
const mixtureSums = members - 1

func (m *mixture) shape() (k, relu, sums int) {
	return kernel.VectorSize, 2 * kernel.Hidden, mixtureSums
}

func (m *mixture) vectors(r *row, s *Scratch) ([]float32, int) {
	m.forward(r, s)
	return s.j.vectors.sums, m.tokensJT.Room
}

// item takes each member's logit apart.
func (m *mixture) item(r *row, s *Scratch, relu, sums []float32) {
	for j := range kernel.Hidden {
		relu[j] = s.j.hidden[j] - m.j.net[kernel.NetBias+j]
		relu[kernel.Hidden+j] = s.cqp.hidden[j] - m.cqp.net[kernel.NetBias+j]
	}
	own := func(z float64, k constant) float64 { return z - k.logit(r.base, 0) }
	netJ, netQ := float64(kernel.Output(m.j.net, &s.j.hidden)), float64(kernel.Output(m.cqp.net, &s.cqp.hidden))
	sums[atC-1] = float32(own(r.z[atC], m.cqp.constantC))
	sums[atJ-1] = float32(own(r.zJT[0], m.j.constant) - netJ)
	sums[atQ-1] = float32(own(r.z[atQ], m.cqp.constantQ) - netQ)
	sums[atP-1] = float32(own(r.z[atP], m.cqp.constantP))
	sums[atT-1] = float32(r.zJT[1] - r.base - m.t.coefficients[0])
}

// query weighs the members by the mixture's slopes.
func (m *mixture) query(r *row, s *Scratch, q *Query) float32 {
	copy(q.shift, s.j.hidden[:])
	copy(q.shift[kernel.Hidden:], s.cqp.hidden[:])
	slopes := m.mixer.slopes(r, &q.base)
	for j := range kernel.Hidden {
		q.weight[j] = float32(slopes[atJ]) * m.j.net[kernel.NetOut+j]
		q.weight[kernel.Hidden+j] = float32(slopes[atQ]) * m.cqp.net[kernel.NetOut+j]
	}
	for i := range mixtureSums {
		q.weight[2*kernel.Hidden+i] = float32(slopes[i+1])
	}
	return float32(slopes[atJ])
}

// addPairs adds those that member P has chosen; before that there are too many.
func (m *mixture) addPairs(q *Query, r *row) float32 {
	for _, p := range m.core.pairs {
		if f, g := p>>16, p&0xffff; int(g) < len(r.reps) {
			q.addPair(r, int(f), int(g))
		}
	}
	return q.weight[2*kernel.Hidden+atP-1] / float32(*m.cqp.constantP.mean)
}

// slopes is how much each member's logit moves the logit of the prediction, at a row that was
// predicted, and sets base to that logit. The row's logits become what the mixers see.
func (m *mixer) slopes(r *row, base *float32) (slopes [members]float64) {
	var p [members + mixers]float64
	all := m.forward(r, &p)
	for i := atBase + 1; i < members; i++ {
		slopes[i] = m.trust[i] * p[i] * (1 - p[i])
	}
	for k := range mixers {
		at := p[members+k]
		for i := atBase + 1; i < members; i++ {
			slopes[i] += m.trust[members+k] * at * (1 - at) * m.weights[k][i]
		}
	}
	*base = float32(logit(all))
	by := r.reach / max(all*(1-all), 1e-12)
	for i := range slopes {
		slopes[i] *= by
		if !arith.Finite(slopes[i]) {
			slopes[i] = 0
		}
	}
	return slopes
}
