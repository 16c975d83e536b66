package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// plain is the engine of a net that is one sum of the parts named in the configuration, for one
// output or for several classes.
//
// The linear part lies in the hashed table, embeddings and field-aware vectors in the entries of
// tokens, the perceptron's first layer in the entries of fields, the rest in core.dense: the
// outputs' biases, then by layer its biases and the weights that lead to the next.
type plain struct {
	*core
	outputs int
	rules   struct{ linear, ffm, mlp rule }
	bias    *rule
	linear  *linearPart // nil: not part of the net; so are the next two
	ffm     *ffmPart
	mlp     *mlpPart
}

func newPlain(c *core) *plain {
	g := &c.cfg
	p := &plain{core: c, outputs: g.Classes}
	p.rules.linear, p.rules.ffm, p.rules.mlp = newRule(g.Linear.Optimizer), newRule(g.FFM.Optimizer), newRule(g.MLP.Optimizer)
	c.dense, c.num = make([]float32, p.outputs), make([]float64, numNet+1)
	c.base.num = c.num
	if g.Output == "sigmoid" {
		c.base = newBase(g.Prior, c.num, startRows)
		c.num[numNet] = 0.5
	}
	if g.has("mlp") {
		p.bias, p.mlp = &p.rules.mlp, newMLPPart(c, &p.rules.mlp)
	}
	if g.has("ffm") {
		p.bias, p.ffm = &p.rules.ffm, &ffmPart{core: c, rule: &p.rules.ffm, k: g.FFM.K}
	}
	if g.has("linear") {
		p.bias, p.linear = &p.rules.linear, newLinearPart(c, &p.rules.linear)
	}
	p.layoutTokens()
	if c.full {
		p.startDense()
	}
	return p
}

// layoutTokens gives a token's entry an embedding and a vector for each field, as the parts need
// them.
func (p *plain) layoutTokens() {
	var weights, kept table.Part
	if p.mlp != nil && !p.mlp.raw {
		weights.Head, kept.Head = p.mlp.inputs, p.mlp.inputs*p.rules.mlp.state
	}
	if p.ffm != nil {
		weights.Piece, kept.Piece = p.ffm.k, p.ffm.k*p.rules.ffm.state
		p.needs.vectorDeviation = p.cfg.FFM.Init
		if p.rules.ffm.Kind == "adagrad" {
			kept.Piece, p.needs.vectorStart = 1, p.rules.ffm.Start
		}
	}
	p.tokensJT = table.NewArena(weights, kept, p.full, p.half)
	p.needs.entries = p.tokensJT.Used()
}

// startDense starts the optimizer state of the dense weights: that of the outputs' biases by the
// rule of the first part, that of the perceptron's weights by its own.
func (p *plain) startDense() {
	p.numKept = []float64{1, 1, 1, 1, 1, 1} // powers of beta for the three rules
	p.denseKept = make([]float32, len(p.dense)*maxState)
	for i := range p.dense {
		r := &p.rules.mlp
		if i < p.outputs {
			r = p.bias
		}
		r.start(p.denseKept[i*maxState:][:maxState])
	}
}

func (p *plain) startToken(e newEntry) {
	v := p.tokensJT.Blank(e.entry)
	if p.mlp != nil && !p.mlp.raw {
		p.mlp.startToken(v, e.key)
	}
	p.startVectors(v, e.key, 0, len(p.fields.hashes), e.field)
}

func (p *plain) startField(field, fields int) { p.mlp.startField(field, fields) }

// plainScratch is the working memory of a plain net. Logits, predictions and gradients of logits
// are by output.
type plainScratch struct {
	logits, predictions, gradients []float32
	vectors                        fieldSums // of the field-aware part
	mlp                            mlpScratch
	unpacked                       []float32 // one entry's weights
}

// forward sets the outputs' logits and predictions. With drop, the dropout mask of the example's
// number applies.
func (p *plain) forward(r *row, s *plainScratch, drop bool) {
	resize(p.outputs, &s.logits, &s.predictions, &s.gradients)
	copy(s.logits, p.dense)
	if p.linear != nil {
		p.linear.forward(r, s.logits)
	}
	if p.ffm != nil {
		s.logits[0] += p.ffm.forward(r, s)
	}
	if p.mlp != nil {
		p.mlp.forward(r, s, drop)
	}
	p.output(s)
}

// output sets the predictions.
func (p *plain) output(s *plainScratch) {
	switch p.cfg.Output {
	case "identity":
		copy(s.predictions, s.logits)
	case "sigmoid":
		s.predictions[0] = float32(arith.Sigmoid(min(max(float64(s.logits[0]), -50), 50)))
	case "softmax":
		top, sum := s.logits[0], 0.0
		for _, z := range s.logits {
			top = max(top, z)
		}
		for i, z := range s.logits {
			e := arith.Exp(float64(z) - float64(top))
			s.predictions[i], sum = float32(e), sum+e
		}
		for i := range s.predictions {
			s.predictions[i] = float32(float64(s.predictions[i]) / sum)
		}
	}
}

func (p *plain) predict(r *row, s *Scratch) float64 {
	p.forward(r, &s.plain, false)
	if p.outputs > 1 {
		return float64(s.plain.predictions[1])
	}
	return p.startOutput(r, float64(s.plain.predictions[0]), p.examples)
}

func (p *plain) learn(r *row, s *Scratch) (float64, error) {
	raw, err := p.learnRaw(r, &s.plain)
	if err != nil {
		return 0, err
	}
	r.raw, r.served = raw, p.calibration.learn(r, raw)
	return r.served, nil
}

// learnRaw is learn without the calibration.
func (p *plain) learnRaw(r *row, s *plainScratch) (float64, error) {
	p.forward(r, s, false)
	for _, z := range s.logits {
		if !arith.Finite(float64(z)) {
			return 0, r.diverged()
		}
	}
	own := float64(s.predictions[0])
	out := p.startOutput(r, own, r.number)
	p.startLearn(r, own)
	p.step(r, s)
	return out, nil
}

// step follows forward on the same row.
func (p *plain) step(r *row, s *plainScratch) {
	p.rules.linear.begin(r.number, p.numKept[0:2])
	p.rules.ffm.begin(r.number, p.numKept[2:4])
	p.rules.mlp.begin(r.number, p.numKept[4:6])
	if p.mlp != nil && p.cfg.MLP.Dropout > 0 {
		p.forward(r, s, true)
	}
	p.setGradients(r, s)
	if p.mlp != nil {
		p.mlp.learn(r, s)
	}
	if p.ffm != nil {
		p.ffm.learn(r, s)
	}
	if p.linear != nil {
		p.linear.learn(r, s.gradients)
	}
	for i, g := range s.gradients {
		p.bias.step(&p.dense[i], p.denseKept[i*maxState:][:maxState], g)
	}
}

// setGradients sets the gradients of the logits. The label is a value, or a class's number.
func (p *plain) setGradients(r *row, s *plainScratch) {
	softmax, mse := p.cfg.Output == "softmax", p.cfg.Loss == "mse"
	for i, v := range s.predictions {
		target := float32(r.label)
		if softmax {
			if target = 0; i == int(r.label) {
				target = 1
			}
		}
		s.gradients[i] = v - target
	}
	if mse && p.cfg.Output == "sigmoid" {
		s.gradients[0] *= slope(s.predictions[0], "sigmoid")
	}
	if mse && softmax {
		var sum float32
		for i, v := range s.predictions {
			sum += float32(s.gradients[i] * v)
		}
		for i, v := range s.predictions {
			s.gradients[i] = float32(v * (s.gradients[i] - sum))
		}
	}
	for i := range s.gradients {
		s.gradients[i] = float32(s.gradients[i] * float32(r.weight))
		if m := float32(p.cfg.Clip); m > 0 {
			s.gradients[i] = min(max(s.gradients[i], -m), m)
		}
	}
}

func (p *plain) learnBatch(n *Net, in examples) (int, error) {
	return n.learnInTurn(in, p.learnBlock)
}

// learnBlock learns the rows of a block, and calls for the memory of later ones.
func (p *plain) learnBlock(t *batch, b *block) {
	rows := b.rows[:b.n]
	b.ok, b.err = 0, nil
	for i := range rows {
		if i+ahead < len(rows) {
			p.prefetch(&rows[i+ahead])
		}
		if b.predictions[i], b.err = p.learnRaw(&rows[i], &t.learn.plain); b.err != nil {
			break
		}
		b.ok++
	}
	p.calibration.learnRows(rows[:b.ok], b.predictions)
}

// prefetch calls for the entries and slots of a row.
func (p *plain) prefetch(r *row) {
	if p.needs.entries {
		kernel.PrefetchEntries(&p.tokensJT, r.tokens)
	}
	kernel.PrefetchHits(&p.hashed, r.slots)
}

// A plain net of output sigmoid begins its own weights at one half, whatever the prior: that gives
// the first gradients their strength, without which field-aware vectors and perceptrons stay small.
// So its first predictions are of no use, and until startRows examples were learned the base
// answers in its place as far as the labels say:
//
//	p = base + share (own - base)
//
// The share is the probability, by Bayes' rule, that the labels come from the net rather than from
// the base, times the square of reach. In the second half of the examples it rises at least as fast
// as they come, up to one. What the net learns does not depend on it.
const (
	startRows  = 5000
	startShare = 0.001 // of the belief goes back to one half at each example
)

// startOutput is the prediction of an example with so many before it, for which the net itself says
// own.
func (p *plain) startOutput(r *row, own float64, before int64) float64 {
	if before >= p.base.until {
		return own
	}
	base := arith.Sigmoid(r.base)
	share := max(float64(float64(r.reach*r.reach)*p.num[numNet]), float64(2*before)/startRows-1)
	return base + float64(share*(own-base))
}

// startLearn weighs net and base by the label of an example, for which the net itself says own.
func (p *plain) startLearn(r *row, own float64) {
	if r.number >= p.base.until || r.weight <= 0 {
		return
	}
	base := arith.Sigmoid(r.base)
	net, other := max(likelihood(r.label, own), leastRate), likelihood(r.label, base)
	if r.weight != 1 {
		net, other = arith.Exp(float64(min(r.weight, 100)*(arith.Log(net)-arith.Log(other)))), 1
	}
	net, other = float64(p.num[numNet]*net), float64((1-p.num[numNet])*other)
	p.num[numNet] = float64((1-startShare)*(net/(net+other))) + startShare/2
}
