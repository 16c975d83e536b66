package model

// plainScratch is the working memory of a plain net.
type plainScratch struct {
	z, p, g []float32 // by output: logit, prediction, gradient of the logit
	in, din []float32 // by field: the perceptron's inputs and their gradients
	act     [][]float32
	d       [][]float32 // gradients of the layers' inputs
	keep    [][]float32 // dropout: 0 or 1/(1-share), by unit
	j       jScratch
	weights []float32 // of one record, unpacked
}

// read is a token's record.
func (s *plainScratch) read(c *core, i uint32) []float32 {
	if !c.a.half {
		return c.a.at(i)
	}
	s.weights = c.a.weights(s.weights[:0], i)
	return s.weights
}

func (s *plainScratch) begin(c *core, r *row) {
	p := c.plain
	if len(s.z) != p.outputs || len(s.act) != len(p.layers) || len(s.act) > 0 && s.misfit(p) {
		*s = plainScratch{z: make([]float32, p.outputs), p: make([]float32, p.outputs), g: make([]float32, p.outputs)}
		for _, l := range p.layers {
			s.act = append(s.act, make([]float32, l.units))
			s.d = append(s.d, make([]float32, l.units))
			s.keep = append(s.keep, make([]float32, l.units))
		}
	}
	if n := len(c.fields.hashes) * p.inputs; p.mlp && len(s.in) != n {
		s.in, s.din = make([]float32, n), make([]float32, n)
	}
	if p.ffm {
		s.j.beginPlain(c, r)
	}
}

func (s *plainScratch) misfit(p *plain) bool {
	for i, l := range p.layers {
		if len(s.act[i]) != l.units {
			return true
		}
	}
	return false
}

func (s *jScratch) beginPlain(c *core, r *row) {
	k := c.plain.k
	if n := c.a.room * c.a.room * k; len(s.a) != n || s.room != c.a.room {
		s.room, s.a, s.dirty = c.a.room, make([]float32, n), s.dirty[:0]
	}
	for _, f := range s.dirty {
		clear(s.a[int(f)*s.room*k:][:s.room*k])
	}
	s.dirty = append(s.dirty[:0], r.present...)
}

// forward sets the outputs' logits and predictions. A dropout mask of the example's number applies
// when drop is set.
func (p *plain) forward(c *core, r *row, s *plainScratch, drop bool) {
	s.begin(c, r)
	copy(s.z, c.dense)
	if p.linear {
		p.forwardLinear(c, r, s)
	}
	if p.ffm {
		s.z[0] += p.forwardFFM(c, r, s)
	}
	if p.mlp {
		p.forwardMLP(c, r, s, drop)
	}
	p.predict(c.cfg.Output, s)
}

func (p *plain) forwardLinear(c *core, r *row, s *plainScratch) {
	if p.outputs == 1 {
		var sum float32
		if v, stride := c.h.v, c.h.stride; v != nil {
			for _, h := range r.slots {
				sum += float32(h.x * v[int(h.slot)*stride])
			}
		} else if c.h.h != nil {
			for _, h := range r.slots {
				sum += float32(h.x * c.h.weight(h.slot, 0))
			}
		}
		s.z[0] += sum
		return
	}
	for _, h := range r.slots {
		for k := range s.z {
			s.z[k] += float32(h.x * c.h.weight(h.slot, k))
		}
	}
}

func (p *plain) forwardFFM(c *core, r *row, s *plainScratch) float32 {
	k, row := p.k, c.a.room*p.k
	a := s.j.a
	for i := range r.toks {
		if t := &r.toks[i]; t.read != 0 {
			axpy(a[int(t.field)*row:][:row], s.read(c, t.read)[c.a.fixS:][:row], t.x)
		}
	}
	if k == 4 {
		return ffmDot(a, len(c.fields.hashes), c.a.room)
	}
	var sum float32
	for f := range c.fields.hashes {
		for h := f + 1; h < len(c.fields.hashes); h++ {
			for i := range k {
				sum += float32(a[f*row+h*k+i] * a[h*row+f*k+i])
			}
		}
	}
	return sum
}

func (p *plain) forwardMLP(c *core, r *row, s *plainScratch, drop bool) {
	n := p.inputs
	clear(s.in)
	if p.raw {
		for _, f := range r.present {
			s.in[f] = r.numbers[f]
		}
	}
	for i := range r.toks {
		t := &r.toks[i]
		if p.raw {
			if r.numbers[t.field] == 0 {
				s.in[t.field] += t.x // a token's weight; a number is already there
			}
		} else if t.read != 0 {
			axpy(s.in[int(t.field)*n:][:n], s.read(c, t.read)[:n], t.x)
		}
	}
	first := s.act[0]
	copy(first, c.dense[p.layers[0].bias:])
	for _, f := range r.present {
		w := c.f.at(uint32(f))
		for d := range n {
			axpy(first, w[d*len(first):][:len(first)], s.in[int(f)*n+d])
		}
	}
	for i, l := range p.layers {
		h := s.act[i]
		activate(h, l.activation)
		if drop {
			p.drop(c, r.n, i, s)
		}
		next := s.z
		if i+1 < len(p.layers) {
			next = s.act[i+1]
			copy(next, c.dense[p.layers[i+1].bias:])
		}
		for j, v := range h {
			axpy(next, c.dense[l.weight+j*l.next:][:l.next], v)
		}
	}
}

// drop leaves units out by the hash of the example's number, and lets the others stand in for them.
func (p *plain) drop(c *core, n int64, layer int, s *plainScratch) {
	rate := c.cfg.MLP.Dropout
	h := mix(mix(c.cfg.Seed^0xD0, uint64(layer)), uint64(n))
	for j := range s.act[layer] {
		s.keep[layer][j] = 0
		if float64(mix(h, uint64(j))>>11)/(1<<53) >= rate {
			s.keep[layer][j] = float32(1 / (1 - rate))
		}
		s.act[layer][j] *= s.keep[layer][j]
	}
}

func activate(h []float32, kind string) {
	for j, v := range h {
		switch kind {
		case "relu":
			h[j] = max(v, 0)
		case "sigmoid":
			h[j] = float32(sigmoid(float64(v)))
		case "tanh":
			h[j] = float32(2*sigmoid(float64(2*float64(v))) - 1)
		}
	}
}

// slope is the activation's derivative, from its value.
func slope(v float32, kind string) float32 {
	switch kind {
	case "sigmoid":
		return float32(v * (1 - v))
	case "tanh":
		return 1 - float32(v*v)
	}
	if v > 0 {
		return 1
	}
	return 0
}

func (p *plain) predict(output string, s *plainScratch) {
	switch output {
	case "identity":
		copy(s.p, s.z)
	case "sigmoid":
		s.p[0] = float32(sigmoid(min(max(float64(s.z[0]), -50), 50)))
	case "softmax":
		top, sum := s.z[0], 0.0
		for _, z := range s.z {
			top = max(top, z)
		}
		for i, z := range s.z {
			e := exp(float64(z) - float64(top))
			s.p[i], sum = float32(e), sum+e
		}
		for i := range s.p {
			s.p[i] = float32(float64(s.p[i]) / sum)
		}
	}
}
