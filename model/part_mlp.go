package model

import (
	"math"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// mlpPart is a multilayer perceptron over one summed embedding a field; with raw numbers over the
// numbers themselves.
type mlpPart struct {
	*core
	rule    *rule
	raw     bool
	inputs  int // of one field
	outputs int
	layers  []layer
	units   int // of all layers
}

// layer is one hidden layer.
type layer struct {
	units, next  int // next: units of the layer after, or outputs
	from         int // the first unit, counted over all layers
	bias, weight int // where its biases and the weights to the next begin in core.dense
	activation   string
}

func newMLPPart(c *core, r *rule) *mlpPart {
	m := &mlpPart{core: c, rule: r, raw: c.cfg.Numbers == "raw", inputs: c.cfg.MLP.Embedding, outputs: c.cfg.Classes}
	if m.raw {
		m.inputs = 1
	}
	layers := c.cfg.MLP.Layers
	first := m.inputs * layers[0].Units
	c.layerJ = table.NewArena(table.Part{Head: first}, table.Part{Head: first * r.state}, c.full, false)
	for i, l := range layers {
		next, activation := m.outputs, l.Activation
		if i+1 < len(layers) {
			next, activation = layers[i+1].Units, layers[i+1].Activation
		}
		at := layer{units: l.Units, next: next, from: m.units, bias: len(c.dense), weight: len(c.dense) + l.Units, activation: l.Activation}
		m.layers, m.units = append(m.layers, at), m.units+l.Units
		c.dense = append(c.dense, make([]float32, l.Units+l.Units*next)...)
		h, deviation := arith.Mix(c.cfg.Seed^0xDE, uint64(i)), startDeviation(activation, l.Units)
		arith.Normals(c.dense[at.weight:], h, 0, deviation)
	}
	return m
}

// startDeviation is the standard deviation of weights behind so many inputs: He's for relu,
// Xavier's otherwise.
func startDeviation(activation string, inputs int) float64 {
	if activation == "relu" {
		return math.Sqrt(2 / float64(inputs))
	}
	return math.Sqrt(1 / float64(inputs))
}

// startToken starts a token's embedding.
func (m *mlpPart) startToken(v []float32, key uint64) {
	h := arith.Mix(m.cfg.Seed^0x4A, key)
	m.startWeights(v, m.inputs, m.tokensJT.KeptAt, h, m.cfg.MLP.Init)
}

// startField starts a field's weights to the first layer.
func (m *mlpPart) startField(field, fields int) {
	h := arith.Mix(m.cfg.Seed^0xF1, m.fields.hashes[field])
	deviation := startDeviation(m.cfg.MLP.Layers[0].Activation, m.inputs*fields)
	m.startWeights(m.layerJ.At(uint32(field)), m.layerJ.KeptAt, m.layerJ.KeptAt, h, deviation)
}

// startWeights starts the first n weights of an entry, and their optimizer state.
func (m *mlpPart) startWeights(v []float32, n, keptAt int, h uint64, deviation float64) {
	arith.Normals(v[:n], h, 0, deviation)
	if s := m.rule.state; m.full && s > 0 {
		for i := range n {
			m.rule.start(v[keptAt+i*s:][:s])
		}
	}
}

// mlpScratch is the working memory of a perceptron.
type mlpScratch struct {
	inputs, inputGradients []float32 // by field

	// by unit of all layers
	values    []float32 // inputs of the units, then their outputs
	gradients []float32 // of the inputs
	keep      []float32 // dropout: 0 or 1/(1-share)
}

func (s *mlpScratch) begin(m *mlpPart) {
	resize(m.units, &s.values, &s.gradients, &s.keep)
	resize(len(m.fields.hashes)*m.inputs, &s.inputs, &s.inputGradients)
	clear(s.inputs)
}

// of is a layer's part of what is by unit.
func (l *layer) of(units []float32) []float32 { return units[l.from:][:l.units] }

// forward adds to the logits.
func (m *mlpPart) forward(r *row, s *plainScratch, drop bool) {
	s.mlp.begin(m)
	m.sumInputs(r.tokens, r.present, r.numbers, s)
	values := m.layers[0].of(s.mlp.values)
	copy(values, m.dense[m.layers[0].bias:])
	m.firstLayer(values, r.present, s)
	m.upperLayers(r, s, drop)
}

// firstLayer adds the inputs of the fields to those of the first layer's units.
func (m *mlpPart) firstLayer(values []float32, fields []uint16, s *plainScratch) {
	n := m.inputs
	for _, f := range fields {
		w := m.layerJ.At(uint32(f))
		for d := range n {
			kernel.Axpy(values, w[d*len(values):][:len(values)], s.mlp.inputs[int(f)*n+d])
		}
	}
}

// upperLayers turns the inputs of the first layer's units into what the perceptron adds to the
// logits.
func (m *mlpPart) upperLayers(r *row, s *plainScratch, drop bool) {
	for i := range m.layers {
		l := &m.layers[i]
		values := l.of(s.mlp.values)
		activate(values, l.activation)
		if drop {
			m.drop(r.number, i, values, l.of(s.mlp.keep))
		}
		next := s.logits
		if i+1 < len(m.layers) {
			next = m.layers[i+1].of(s.mlp.values)
			copy(next, m.dense[m.layers[i+1].bias:])
		}
		for j, v := range values {
			kernel.Axpy(next, m.dense[l.weight+j*l.next:][:l.next], v)
		}
	}
}

// sumInputs sums each field's embeddings, or with raw numbers takes its number or the weights of
// its tokens.
func (m *mlpPart) sumInputs(tokens []kernel.Token, fields []uint16, numbers []float32, s *plainScratch) {
	n, inputs := m.inputs, s.mlp.inputs
	if m.raw {
		for _, f := range fields {
			inputs[f] = numbers[f]
		}
		for i := range tokens {
			if t := &tokens[i]; numbers[t.Field] == 0 {
				inputs[t.Field] += t.X // a token's weight; a number is already there
			}
		}
		return
	}
	for i := range tokens {
		if t := &tokens[i]; t.Read != 0 {
			kernel.Axpy(inputs[int(t.Field)*n:][:n], m.tokensJT.Read(t.Read, &s.unpacked)[:n], t.X)
		}
	}
}

// drop leaves units out by the hash of the example's number, and lets the others stand in for them.
func (m *mlpPart) drop(number int64, i int, values, keep []float32) {
	rate := m.cfg.MLP.Dropout
	h := arith.Mix(arith.Mix(m.cfg.Seed^0xD0, uint64(i)), uint64(number))
	for j := range values {
		keep[j] = 0
		if float64(arith.Mix(h, uint64(j))>>11)/(1<<53) >= rate {
			keep[j] = float32(1 / (1 - rate))
		}
		values[j] *= keep[j]
	}
}

func activate(values []float32, kind string) {
	for j, v := range values {
		switch kind {
		case "relu":
			values[j] = max(v, 0)
		case "sigmoid":
			values[j] = float32(arith.Sigmoid(float64(v)))
		case "tanh":
			values[j] = float32(2*arith.Sigmoid(float64(2*float64(v))) - 1)
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

// learn follows forward on the same row. From the last layer to the first, it moves the weights
// behind a layer against the gradients above them, and finds the gradients of the layer's units.
func (m *mlpPart) learn(r *row, s *plainScratch) {
	above := s.gradients
	for i := len(m.layers) - 1; i >= 0; i-- {
		l := &m.layers[i]
		gradients, keep := l.of(s.mlp.gradients), l.of(s.mlp.keep)
		for j, v := range l.of(s.mlp.values) {
			var sum float32
			for k, g := range above {
				w := l.weight + j*l.next + k
				sum += float32(g * m.dense[w])
				m.step(w, float32(g*v))
			}
			if m.cfg.MLP.Dropout > 0 {
				if sum *= keep[j]; keep[j] != 0 {
					v /= keep[j]
				}
			}
			gradients[j] = float32(sum * slope(v, l.activation))
		}
		for j, g := range gradients {
			m.step(l.bias+j, g)
		}
		above = gradients
	}
	m.learnLayer(r, s, above)
	if !m.raw {
		m.learnEmbeddings(r, s)
	}
}

// step moves one dense weight.
func (m *mlpPart) step(at int, g float32) {
	m.rule.step(&m.dense[at], m.denseKept[at*maxState:][:maxState], g)
}

// learnLayer moves the first layer's weights against its units' gradients, and sets the gradients
// of its inputs.
func (m *mlpPart) learnLayer(r *row, s *plainScratch, gradients []float32) {
	n, units, state, quick := m.inputs, len(gradients), m.rule.state, m.rule.isPlainAdaGrad()
	for _, f := range r.present {
		entry := m.layerJ.At(uint32(f))
		kept := entry[m.layerJ.KeptAt:]
		for d := range n {
			w, in := entry[d*units:][:units], int(f)*n+d
			s.mlp.inputGradients[in] = kernel.Dot(gradients, w)
			if quick {
				kernel.AdaGrad(w, kept[d*units:], gradients, s.mlp.inputs[in], m.rule.rate)
				continue
			}
			m.rule.stepAll(w, kept[d*units*state:], gradients, s.mlp.inputs[in])
		}
	}
}

// learnEmbeddings moves the tokens' embeddings against the gradients of the inputs.
func (m *mlpPart) learnEmbeddings(r *row, s *plainScratch) {
	n, quick := m.inputs, m.rule.isPlainAdaGrad()
	for i := range r.tokens {
		t := &r.tokens[i]
		if t.Learn == 0 {
			continue
		}
		v, gradients := m.tokensJT.At(t.Learn), s.mlp.inputGradients[int(t.Field)*n:][:n]
		if quick {
			kernel.AdaGrad(v[:n], v[m.tokensJT.KeptAt:], gradients, t.X, m.rule.rate)
			continue
		}
		m.rule.stepAll(v[:n], v[m.tokensJT.KeptAt:], gradients, t.X)
	}
}
