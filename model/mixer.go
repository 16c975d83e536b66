package model

import "unsafe"

// Three Newton mixers (online Newton logistic regression over the members' logits, differing in
// their prior lambda), and a fixed-share trust over members and mixers: the final probability is
// the trusted average of all of theirs.
//
// A mixer sees what each member says beyond the base, as far as members are believed yet (reach),
// and in the base's place a constant: z = base + w0 + sum of w_i reach (z_i - base).
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

func (c *core) startMixers() {
	for m := range mixers {
		for i := 1; i < members; i++ {
			c.num[numMix+m*members+i] = 1.0 / (members - 1)
		}
	}
	for i := range members + mixers {
		c.num[numTrust+i] = trustPrior(i)
	}
	if !c.full {
		return
	}
	c.numO = make([]float64, keptLen)
	for m := range mixers {
		for i := range members {
			c.numO[keptInv+m*members*members+i*members+i] = 1 / mixPrior[m]
		}
	}
	for i := range targetDims {
		c.numO[keptT+i*targetDims+i] = 1.0 / targetLambda
	}
}

func clipLogit(z float64) float64 { return min(max(z, -maxLogit), maxLogit) }

// mixForward is the final probability; z becomes what the mixers see. p, if not nil, gets the
// probabilities of the members and mixers.
func (c *core) mixForward(z *[members]float64, reach float64, p *[members + mixers]float64) float64 {
	var own [members + mixers]float64
	if p == nil {
		p = &own
	}
	base := clipLogit(z[memberBase])
	p[memberBase] = sigmoid(base)
	z[memberBase] = 1
	for i := memberBase + 1; i < members; i++ {
		z[i] = float64(reach * (clipLogit(z[i]) - base))
		p[i] = sigmoid(base + z[i])
	}
	for m := range mixers {
		w, sum := c.num[numMix+m*members:][:members], base
		for i := range members {
			sum += float64(w[i] * z[i])
		}
		p[members+m] = sigmoid(clipLogit(sum))
	}
	var all float64
	for i, u := range c.num[numTrust : numTrust+members+mixers] {
		all += float64(u * p[i])
	}
	return all
}

// mixLearn takes the label of an example after mixForward has set z and p.
func (c *core) mixLearn(z *[members]float64, p *[members + mixers]float64, y, w float64) {
	if w <= 0 {
		return // an undone label teaches the members; the mixers' curvature cannot be undone
	}
	for m := range mixers {
		c.newton(m, z, p[members+m], y, w)
	}
	trust := c.num[numTrust:][:members+mixers]
	var sum float64
	for i := range trust {
		like := float64(y*p[i]) + float64((1-y)*(1-p[i]))
		if w != 1 {
			like = exp(float64(min(w, 100) * log(like)))
		}
		trust[i] = float64(trust[i] * like)
		sum += trust[i]
	}
	for i := range trust {
		trust[i] = float64((1-share)*(trust[i]/sum)) + float64(share*trustPrior(i))
	}
}

// newton: A += h z z', w -= inverse(A) (p-y) z, the inverse kept up by the rank-one formula.
func (c *core) newton(m int, z *[members]float64, p, y, weight float64) {
	inv := (*[members][members]float64)(unsafe.Pointer(&c.numO[keptInv+m*members*members]))
	w := (*[members]float64)(c.num[numMix+m*members:])
	var az [members]float64
	var zaz float64
	for i := range members {
		var sum float64
		for j := range members {
			sum += float64(inv[i][j] * z[j])
		}
		az[i] = sum
		zaz += float64(sum * z[i])
	}
	h := float64(max(float64(p*(1-p)), 1e-6) * weight)
	scale := h / (1 + float64(h*zaz))
	for i := range members {
		by := float64(scale * az[i])
		for j := range i + 1 {
			v := inv[i][j] - float64(by*az[j])
			inv[i][j], inv[j][i] = v, v
		}
	}
	// After the update inverse(A) z = az / (1 + h z'az).
	step := float64((p-y)*weight) / (1 + float64(h*zaz))
	for i := range members {
		w[i] -= float64(step * az[i])
	}
}
