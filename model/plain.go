package model

import "math"

// plain is the layout of a net that is one sum of parts named in the configuration, for one output
// or for several classes.
//
// The linear part lies in the hashed table, embeddings and field-aware vectors in the records of
// tokens, the perceptron's first layer in the records of fields, the rest in core.dense: the
// outputs' biases, then by layer its biases and the weights that lead to the next.
type plain struct {
	linear, ffm, mlp bool
	tokens           bool // records of tokens are needed
	raw              bool
	outputs, inputs  int // of the net; of its perceptron for one field
	k                int
	lin, ff, net     rule
	bias             *rule
	layers           []layerAt
	fast             bool // the field-aware part has kernels
}

type layerAt struct {
	units, next  int // next: units of the layer after, or outputs
	bias, weight int // in core.dense
	activation   string
}

// cross is a pair or triple of fields of the linear part; none: every pair.
type cross struct{ fields []uint64 }

func (c *core) layoutPlain() {
	g := c.cfg
	p := &plain{linear: g.has("linear"), ffm: g.has("ffm"), mlp: g.has("mlp"), raw: g.Numbers == "raw", outputs: g.Classes, k: g.FFM.K,
		lin: newRule(g.Linear.Optimizer), ff: newRule(g.FFM.Optimizer), net: newRule(g.MLP.Optimizer)}
	c.plain = p
	p.inputs = g.MLP.Embedding
	if p.raw {
		p.inputs = 1
	}
	p.bias = &p.net
	if p.ffm {
		p.bias = &p.ff
	}
	if p.linear {
		p.bias = &p.lin
		c.h = newSparse(min(g.TableBits, 26), p.outputs, p.outputs*(1+p.lin.state), c.full, c.half)
	}
	p.tokens = p.ffm || p.mlp && !p.raw
	p.fast = p.k == 4 && p.ff.Kind == "adagrad" && p.ff.L1 == 0 && p.ff.L2 == 0
	embedS, pieceS, pieceO := 0, 0, 0
	if p.mlp && !p.raw {
		embedS = p.inputs
	}
	if p.ffm {
		if pieceS, pieceO = p.k, p.k*p.ff.state; p.ff.Kind == "adagrad" {
			pieceO = 1
		}
	}
	c.a = newArena(embedS, pieceS, embedS*p.net.state, pieceO, c.full, c.half)
	c.num, c.dense = make([]float64, numNet+1), make([]float32, p.outputs)
	if c.full {
		c.numO = []float64{1, 1, 1, 1, 1, 1} // powers of beta for the three rules
	}
	if g.Output == "sigmoid" {
		c.startBase()
		c.num[numNet] = 0.5
	}
	if p.mlp {
		p.layoutLayers(c)
	}
	if c.full {
		c.startDense()
	}
	for _, names := range g.Cross {
		x := cross{}
		for _, name := range names {
			if len(names) > 1 {
				x.fields = append(x.fields, FieldHash(name))
			}
		}
		c.crosses = append(c.crosses, x)
	}
}

func (p *plain) layoutLayers(c *core) {
	layers := c.cfg.MLP.Layers
	first := p.inputs * layers[0].Units
	c.f = newArena(first, 0, first*p.net.state, 0, c.full, false)
	for i, l := range layers {
		next := p.outputs
		if i+1 < len(layers) {
			next = layers[i+1].Units
		}
		at := layerAt{units: l.Units, next: next, bias: len(c.dense), weight: len(c.dense) + l.Units, activation: l.Activation}
		p.layers = append(p.layers, at)
		c.dense = append(c.dense, make([]float32, l.Units+l.Units*next)...)
		deviation := startDeviation(at.activation, l.Units)
		if i+1 < len(layers) {
			deviation = startDeviation(layers[i+1].Activation, l.Units)
		}
		for j := range l.Units * next {
			c.dense[at.weight+j] = normal(mix(mix(c.cfg.Seed^0xDE, uint64(i)), uint64(j)), deviation)
		}
	}
}

func startDeviation(activation string, inputs int) float64 {
	if activation == "relu" {
		return math.Sqrt(2 / float64(inputs))
	}
	return math.Sqrt(1 / float64(inputs))
}

func (c *core) startDense() {
	p := c.plain
	c.denseO = make([]float32, len(c.dense)*maxState)
	for i := range c.dense {
		p.denseRule(i).start(c.denseO[i*maxState:][:maxState])
	}
}

func (p *plain) denseRule(i int) *rule {
	if i < p.outputs {
		return p.bias
	}
	return &p.net
}

func (p *plain) startToken(c *core, v []float32, key uint64) {
	if !p.mlp || p.raw {
		return
	}
	h := mix(c.cfg.Seed^0x4A, key)
	for d := range p.inputs {
		v[d] = normal(mix(h, uint64(d)), c.cfg.MLP.Init)
		if s := p.net.state; c.full && s > 0 {
			p.net.start(v[c.a.serve+d*s:][:s])
		}
	}
}

func (p *plain) startPieces(c *core, v []float32, key uint64, from, to, own int) {
	if !p.ffm {
		return
	}
	h := mix(c.cfg.Seed^0xFF, key)
	for f := from; f < c.a.room; f++ {
		if c.full && p.ff.Kind == "adagrad" {
			v[c.a.serve+c.a.fixO+f] = float32(p.ff.Start)
		}
		if f == own || f >= to {
			continue
		}
		for k := range p.k {
			v[c.a.fixS+f*p.k+k] = normal(mix(h, uint64(f*p.k+k)), c.cfg.FFM.Init)
		}
	}
}

func (p *plain) startField(c *core, v []float32, field, fields int) {
	h := mix(c.cfg.Seed^0xF1, c.fields.hashes[field])
	deviation := startDeviation(c.cfg.MLP.Layers[0].Activation, p.inputs*fields)
	s := p.net.state
	for i := range c.f.serve {
		v[i] = normal(mix(h, uint64(i)), deviation)
		if c.full && s > 0 {
			p.net.start(v[c.f.serve+i*s:][:s])
		}
	}
}

// crossSlots adds the crosses' slots of the linear part to the example.
func (c *core) crossSlots(r *row) {
	for _, x := range c.crosses {
		if x.fields == nil {
			for i, f := range r.present {
				for _, g := range r.present[:i] {
					c.crossPair(r, &r.reps[min(f, g)], &r.reps[max(f, g)], nil)
				}
			}
			continue
		}
		var p [3]*rep
		known := true
		for i, h := range x.fields {
			f := c.fields.find(h)
			if f < 0 || f >= len(r.reps) {
				known = false
				break
			}
			p[i] = &r.reps[f]
		}
		if known {
			c.crossPair(r, p[0], p[1], p[2])
		}
	}
}

func (c *core) crossPair(r *row, a, b, third *rep) {
	for _, p := range a.toks[:a.n] {
		for _, q := range b.toks[:b.n] {
			key, x := mix(p.key^kindPair, q.key), float32(p.x*q.x)
			if third == nil {
				r.slots = append(r.slots, hit{c.h.slot(key), x})
				continue
			}
			for _, t := range third.toks[:third.n] {
				r.slots = append(r.slots, hit{c.h.slot(mix(key^kindPair, t.key)), float32(x * t.x)})
			}
		}
	}
}
