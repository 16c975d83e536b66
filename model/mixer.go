package model

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// mixer makes one probability of the members' logits. It has three Newton mixers (online Newton
// logistic regression over the logits, with different priors lambda), and a fixed-share trust over
// members and mixers: the final probability is the trusted average of all of theirs.
//
// A Newton mixer sees what each member says beyond the base, as far as members are believed yet
// (reach), and in the base's place a constant: z = base + w0 + sum of w_i reach (z_i - base).
type mixer struct {
	weights [mixers]*[members]float64          // of the Newton mixers
	inverse [mixers]*[members][members]float64 // of their matrices of curvature; of a full core
	trust   *[members + mixers]float64
}

const (
	mixers   = 3
	maxLogit = 14
	share    = 0.0003 // of the trust goes back to the prior at each example
)

var mixPrior = [mixers]float64{1, 10, 100}

func trustPrior(i int) float64 {
	if i < members {
		return 0.5 / members
	}
	return 0.5 / mixers
}

func newMixer(c *core) (m mixer) {
	m.trust = (*[members + mixers]float64)(c.num[numTrust:])
	for i := range m.trust {
		m.trust[i] = trustPrior(i)
	}
	for k := range mixers {
		m.weights[k] = (*[members]float64)(c.num[numMix+k*members:])
		for i := 1; i < members; i++ {
			m.weights[k][i] = 1.0 / (members - 1)
		}
		if !c.full {
			continue
		}
		m.inverse[k] = (*[members][members]float64)(unsafe.Pointer(&c.numKept[keptMix+k*members*members]))
		for i := range members {
			m.inverse[k][i][i] = 1 / mixPrior[k]
		}
	}
	return m
}

func clipLogit(z float64) float64 { return min(max(z, -maxLogit), maxLogit) }

// forward is the final probability of a row; its logits become what the Newton mixers see. p, if
// not nil, gets the probabilities of the members and mixers.
func (m *mixer) forward(r *row, p *[members + mixers]float64) float64 {
	var own [members + mixers]float64
	if p == nil {
		p = &own
	}
	z := &r.z
	z[atJ], z[atT] = r.zJT[0], r.zJT[1]
	base := clipLogit(z[atBase])
	p[atBase] = arith.Sigmoid(base)
	z[atBase] = 1
	for i := atBase + 1; i < members; i++ {
		z[i] = float64(r.reach * (clipLogit(z[i]) - base))
		p[i] = arith.Sigmoid(base + z[i])
	}
	for k := range mixers {
		w, sum := m.weights[k], base
		for i := range members {
			sum += float64(w[i] * z[i])
		}
		p[members+k] = arith.Sigmoid(clipLogit(sum))
	}
	var all float64
	for i, u := range m.trust {
		all += float64(u * p[i])
	}
	return all
}

// learn takes a row's label, after forward has set its logits and p.
func (m *mixer) learn(r *row, p *[members + mixers]float64) {
	y, w := r.label, r.weight
	if w <= 0 {
		return // an undone label teaches the members; the mixers' curvature cannot be undone
	}
	for k := range mixers {
		m.newton(k, &r.z, p[members+k], y, w)
	}
	var sum float64
	for i := range m.trust {
		like := likelihood(y, p[i])
		if w != 1 {
			like = arith.Exp(float64(min(w, 100) * arith.Log(like)))
		}
		m.trust[i] = float64(m.trust[i] * like)
		sum += m.trust[i]
	}
	for i := range m.trust {
		m.trust[i] = float64((1-share)*(m.trust[i]/sum)) + float64(share*trustPrior(i))
	}
}

// newton moves mixer k: A += h z z', w -= inverse(A) (p-y) z. The inverse is kept up by the
// rank-one formula.
func (m *mixer) newton(k int, z *[members]float64, p, y, weight float64) {
	inverse, w := m.inverse[k], m.weights[k]
	var az [members]float64 // inverse(A) z
	var zaz float64
	for i := range members {
		var sum float64
		for j := range members {
			sum += float64(inverse[i][j] * z[j])
		}
		az[i] = sum
		zaz += float64(sum * z[i])
	}
	h := float64(max(float64(p*(1-p)), 1e-6) * weight)
	scale := h / (1 + float64(h*zaz))
	for i := range members {
		by := float64(scale * az[i])
		for j := range i + 1 {
			v := inverse[i][j] - float64(by*az[j])
			inverse[i][j], inverse[j][i] = v, v
		}
	}
	// After the update inverse(A) z = az / (1 + h z'az).
	step := float64((p-y)*weight) / (1 + float64(h*zaz))
	for i := range members {
		w[i] -= float64(step * az[i])
	}
}
