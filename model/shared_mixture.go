package model

import "github.com/clickloop/clickloop/model/internal/kernel"

// share prepares all members.
func (m *mixture) share(s *Scratch) bool {
	r, j := &s.row, &s.joint
	m.forward(r, s)
	j.setProducts(m.products(j.products[:0], j.tokens))
	m.j.share(s)
	m.t.share(s)
	m.cqp.share(s)
	return true
}

// products appends the products of the row's tokens with the linear weights of C, Q, P and J.
func (m *mixture) products(dst []lanes, tokens []kernel.Token) []lanes {
	for i := range tokens {
		t := &tokens[i]
		var w lanes
		for k := range 3 {
			w[k] = float32(t.X * weightAt(&m.tokensCQP, t.Read, k))
		}
		w[3] = float32(t.X * weightAt(&m.tokensJT, t.Read, 0))
		dst = append(dst, w)
	}
	return dst
}

func (m *mixture) predictJoint(s *Scratch) float64 {
	r, j := &s.row, &s.joint
	for i := range j.own.tokens {
		t := &j.own.tokens[i]
		kernel.PrefetchWeights(&m.tokensJT, t.Read)
		kernel.PrefetchWeights(&m.tokensCQP, t.Read)
	}
	j.crosses.find(m.core, j, r)
	j.ownProducts = m.products(j.ownProducts[:0], j.own.tokens)
	linear := j.sum()
	m.j.predictJoint(linear[3], s)
	m.t.predictJoint(s)
	m.cqp.predictJoint(&linear, s)
	return m.mixer.forward(r, nil)
}

// share follows forward on the shared features.
func (m *memberJ) share(s *Scratch) {
	j := &s.joint
	j.pairs.begin(j.present)
	shareLayer(&j.layers[0], m.net[kernel.NetBias:][:kernel.Hidden], j.present, func(h *[kernel.Hidden]float32, f []uint16) {
		kernel.LayerForward(h, f, &m.layerJ, s.j.embeddings)
	})
}

// shareLayer keeps the inputs of a perceptron's hidden units after each field.
func shareLayer(p *prefixes, biases []float32, present []uint16, add func(h *[kernel.Hidden]float32, f []uint16)) {
	p.begin(biases)
	for i := range present {
		add((*[kernel.Hidden]float32)(p.next()), present[i:i+1])
	}
}

// predictJoint sets the member's logit.
func (m *memberJ) predictJoint(linear float32, r0 *Scratch) {
	r, s, j := &r0.row, &r0.j, &r0.joint
	own := &j.own
	s.vectors.replace(j.before, r.present, kernel.VectorSize)
	clearEmbeddings(s.embeddings, own.present)
	kernel.ReadJ(own.tokens, &m.tokensJT, s.embeddings, s.vectors.sums, &s.unpacked)
	kept := j.kept()
	s.hidden = *(*[kernel.Hidden]float32)(j.layers[0].after(kept))
	kernel.LayerForward(&s.hidden, r.present[kept:], &m.layerJ, s.embeddings)
	s.own = m.constant.logit(r.base, linear) + float64(kernel.Output(m.net, &s.hidden))
	r.zJT[0] = s.own + float64(j.pairs.dot(s.vectors.sums, len(m.fields.hashes), m.tokensJT.Room, own.present))
}

// share keeps the logit after each field; it begins with the base and the constant.
func (m *memberT) share(s *Scratch) {
	j := &s.joint
	z := m.base.num[numBase] + float64(m.coefficients[0]*s.t.x[0])
	j.logits = append(j.logits[:0], z)
	for _, f := range j.present {
		z = m.addInput(z, f, &s.t)
		j.logits = append(j.logits, z)
	}
}

// addInput adds a field's input to the logit.
func (m *memberT) addInput(z float64, f uint16, s *tScratch) float64 {
	if f < kernel.Dims-1 {
		z += float64(m.coefficients[f+1] * s.x[f+1])
	}
	return z
}

// predictJoint sets the member's logit.
func (m *memberT) predictJoint(s *Scratch) {
	r, j := &s.row, &s.joint
	for _, f := range j.own.present {
		if f < kernel.Dims-1 {
			s.t.x[f+1] = 0
		}
	}
	m.sumEncodings(j.own.tokens, &s.t)
	kept := j.kept()
	z := j.logits[kept]
	for _, f := range r.present[kept:] {
		z = m.addInput(z, f, &s.t)
	}
	r.zJT[1] = z
}

// share follows forward on the shared features.
func (m *membersCQP) share(s *Scratch) {
	r, j := &s.row, &s.joint
	shareLayer(&j.layers[1], m.net[kernel.NetBias:][:kernel.Hidden], j.present, func(h *[kernel.Hidden]float32, f []uint16) {
		kernel.LayerForward(h, f, &m.layerQ, s.cqp.embeddings)
	})
	j.crosses.begin()
	if len(m.pairs) == 0 {
		j.crosses.addEvery(m.core, r)
	}
	for _, p := range m.pairs {
		if f, g := p>>16, p&0xffff; int(g) < len(j.ordinal) {
			j.crosses.add(m.core, r, int(f), int(g), -1)
		}
	}
}

// predictJoint sets the logits of C, Q, P and the base.
func (m *membersCQP) predictJoint(linear *lanes, r0 *Scratch) {
	r, s, j := &r0.row, &r0.cqp, &r0.joint
	var unused [4]float32
	clearEmbeddings(s.embeddings, j.own.present)
	kernel.ReadCQP(j.own.tokens, &m.tokensCQP, &unused, s.embeddings, &s.unpacked)
	kept := j.kept()
	s.hidden = *(*[kernel.Hidden]float32)(j.layers[1].after(kept))
	kernel.LayerForward(&s.hidden, r.present[kept:], &m.layerQ, s.embeddings)
	r.z[atBase] = r.base
	r.z[atC] = m.constantC.logit(r.base, linear[0])
	r.z[atQ] = m.constantQ.logit(r.base, linear[1]) + float64(kernel.Output(m.net, &s.hidden))
	r.z[atP] = m.constantP.logit(r.base, j.crosses.addTo(linear[2], m.core))
}
