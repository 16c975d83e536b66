package model

// gradient sets the logits' gradients for targets y: one value, or a class's number.
func (p *plain) gradient(cfg *Config, s *plainScratch, y, w float64) {
	target := func(i int) float32 {
		if cfg.Output != "softmax" {
			return float32(y)
		}
		if i == int(y) {
			return 1
		}
		return 0
	}
	for i := range s.g {
		s.g[i] = s.p[i] - target(i)
	}
	if cfg.Loss == "mse" && cfg.Output == "sigmoid" {
		s.g[0] *= slope(s.p[0], "sigmoid")
	}
	if cfg.Loss == "mse" && cfg.Output == "softmax" {
		var sum float32
		for i, v := range s.p {
			sum += float32(s.g[i] * v)
		}
		for i, v := range s.p {
			s.g[i] = float32(v * (s.g[i] - sum))
		}
	}
	for i := range s.g {
		s.g[i] = float32(s.g[i] * float32(w))
		if m := float32(cfg.Clip); m > 0 {
			s.g[i] = min(max(s.g[i], -m), m)
		}
	}
}

// learn follows forward on the same example.
func (p *plain) learn(c *core, r *row, s *plainScratch) {
	p.lin.begin(r.n, c.numO[0:2])
	p.ff.begin(r.n, c.numO[2:4])
	p.net.begin(r.n, c.numO[4:6])
	if p.mlp && c.cfg.MLP.Dropout > 0 {
		p.forward(c, r, s, true)
	}
	p.gradient(&c.cfg, s, r.y, r.w)
	if p.mlp {
		p.learnMLP(c, r, s)
	}
	if p.ffm {
		p.learnFFM(c, r, s)
	}
	if p.linear {
		p.learnLinear(c, r, s)
	}
	for i, g := range s.g {
		p.bias.step(&c.dense[i], c.denseO[i*maxState:][:maxState], g)
	}
}

func (p *plain) learnLinear(c *core, r *row, s *plainScratch) {
	if c.changes.on {
		for _, h := range r.slots {
			c.changes.hash.set(h.slot)
		}
	}
	if c.capture != nil {
		for _, h := range r.slots {
			c.capture.touchSlot(h.slot)
		}
	}
	n, st, rule := p.outputs, p.lin.state, &p.lin
	if n == 1 && rule.Kind == "adagrad" && rule.L1 == 0 && rule.L2 == 0 {
		p.linearAdagrad(c, r, s.g[0])
		return
	}
	for _, h := range r.slots {
		v := c.h.make(h.slot)
		for i, g := range s.g {
			state := v[n+i*st:][:st]
			if rule.Kind == "adagrad" && state[0] == 0 {
				rule.start(state)
			}
			rule.step(&v[i], state, float32(g*h.x))
		}
	}
}

// linearAdagrad is rule.step for the commonest case.
func (p *plain) linearAdagrad(c *core, r *row, g0 float32) {
	rate, start := p.lin.rate, float32(p.lin.Start)
	for _, h := range r.slots {
		v := (*[2]float32)(c.h.make(h.slot))
		g, acc := float32(g0*h.x), v[1]
		if acc == 0 {
			acc = start
		}
		acc += float32(g * g)
		v[0] -= float32(float32(rate*rsqrt32(acc)) * g)
		v[1] = acc
	}
}

func (p *plain) learnFFM(c *core, r *row, s *plainScratch) {
	k, room, a := p.k, c.a.room, s.j.a
	row := room * k
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn == 0 {
			continue
		}
		rec := c.a.at(t.learn)
		v, o := rec[c.a.fixS:][:row], rec[c.a.serve+c.a.fixO:]
		gx := float32(s.g[0] * t.x)
		if p.fast {
			ffmStep(v, o[:room], a, int(t.field), room, gx, p.ff.rate)
			continue
		}
		for h := range c.fields.hashes {
			if h != int(t.field) {
				p.stepPiece(v[h*k:][:k], o[h*c.a.perO:][:c.a.perO], a[h*row+int(t.field)*k:][:k], gx)
			}
		}
	}
}

// stepPiece moves one vector: with AdaGrad by the mean square of its gradient, else weight by
// weight.
func (p *plain) stepPiece(v, o, col []float32, gx float32) {
	if p.ff.Kind != "adagrad" {
		for i := range v {
			p.ff.step(&v[i], o[i*p.ff.state:][:p.ff.state], float32(gx*col[i]))
		}
		return
	}
	var sum float32
	l2 := float32(p.ff.L2)
	for i := range v {
		g := float32(gx*col[i]) + float32(l2*v[i])
		sum += float32(g * g)
	}
	o[0] += sum / float32(p.k)
	st := float32(p.ff.rate * rsqrt32(o[0]))
	pull := float32(p.ff.rate * float32(p.ff.L1))
	for i := range v {
		g := float32(gx*col[i]) + float32(l2*v[i])
		w := v[i] - float32(st*g)
		if pull > 0 {
			w = max(w-pull, 0) + min(w+pull, 0)
		}
		v[i] = w
	}
}

func (p *plain) learnMLP(c *core, r *row, s *plainScratch) {
	up := s.g
	for i := len(p.layers) - 1; i >= 0; i-- {
		l, h, d := p.layers[i], s.act[i], s.d[i]
		for j, v := range h {
			var sum float32
			for k, g := range up {
				at := l.weight + j*l.next + k
				sum += float32(g * c.dense[at])
				p.net.step(&c.dense[at], c.denseO[at*maxState:][:maxState], float32(g*v))
			}
			if c.cfg.MLP.Dropout > 0 {
				keep := s.keep[i][j]
				if sum *= keep; keep != 0 {
					v /= keep
				}
			}
			d[j] = float32(sum * slope(v, l.activation))
		}
		for j := range d {
			p.net.step(&c.dense[l.bias+j], c.denseO[(l.bias+j)*maxState:][:maxState], d[j])
		}
		up = d
	}
	p.learnInputs(c, r, s, up)
}

// learnInputs moves the first layer's weights and the embeddings behind it against the first
// layer's gradients.
func (p *plain) learnInputs(c *core, r *row, s *plainScratch, up []float32) {
	n, st := p.inputs, p.net.state
	quick := p.net.Kind == "adagrad" && p.net.L1 == 0 && p.net.L2 == 0
	for _, f := range r.present {
		w := c.f.at(uint32(f))
		for d := range n {
			in := s.in[int(f)*n+d]
			s.din[int(f)*n+d] = dot(up, w[d*len(up):][:len(up)])
			if quick {
				adagradAll(w[d*len(up):][:len(up)], w[c.f.serve+d*len(up):], up, in, p.net.rate)
				continue
			}
			for j, g := range up {
				at := d*len(up) + j
				p.net.step(&w[at], w[c.f.serve+at*st:][:st], float32(g*in))
			}
		}
	}
	if p.raw {
		return
	}
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn == 0 {
			continue
		}
		v, din := c.a.at(t.learn), s.din[int(t.field)*n:][:n]
		if quick {
			adagradAll(v[:n], v[c.a.serve:], din, t.x, p.net.rate)
			continue
		}
		for d := range n {
			p.net.step(&v[d], v[c.a.serve+d*st:][:st], float32(din[d]*t.x))
		}
	}
}
