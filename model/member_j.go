package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// memberJ is a coin-betting linear part, a perceptron and a field-aware part.
type memberJ struct {
	*core
	constant constant
	perceptron
}

// perceptron is the dense weights of a perceptron, and their accumulators.
type perceptron struct{ net, netKept []float32 }

// perceptron is the i-th perceptron of the mixture.
func (c *core) perceptron(i int) (p perceptron) {
	p.net = c.dense[i*kernel.NetLen:][:kernel.NetLen]
	if c.full {
		p.netKept = c.denseKept[i*kernel.NetLen:][:kernel.NetLen]
	}
	return p
}

// jScratch is the working memory of member J.
type jScratch struct {
	vectors    fieldSums
	embeddings []float32 // by field: the summed embedding
	gradients  []float32 // of embeddings
	squares    []float32 // by field: the mean square of gradients
	hidden     [kernel.Hidden]float32
	own        float64   // the logit without the field-aware part
	unpacked   []float32 // one entry's weights
}

func (s *jScratch) begin(room int, present []uint16) {
	resize(room*kernel.Embed, &s.embeddings, &s.gradients)
	resize(room, &s.squares)
	s.vectors.begin(room, kernel.VectorSize, present)
	clearEmbeddings(s.embeddings, present)
}

func clearEmbeddings(e []float32, present []uint16) {
	for _, f := range present {
		*(*[kernel.Embed]float32)(e[int(f)*kernel.Embed:]) = [kernel.Embed]float32{}
	}
}

// forward sets the member's logit; the scratch keeps what learning needs.
func (m *memberJ) forward(r *row, s *jScratch) {
	s.begin(m.tokensJT.Room, r.present)
	linear := kernel.ReadJ(r.tokens, &m.tokensJT, s.embeddings, s.vectors.sums, &s.unpacked)
	m.closeVectors(r, s.vectors.sums, kernel.VectorSize)
	m.closeEmbeddings(r, s.embeddings)
	s.hidden = *(*[kernel.Hidden]float32)(m.net[kernel.NetBias:])
	kernel.LayerForward(&s.hidden, r.present, &m.layerJ, s.embeddings)
	net := kernel.Output(m.net, &s.hidden)
	s.own = m.constant.logit(r.base, linear) + float64(net)
	r.zJT[0] = s.own + float64(kernel.FFMDot(s.vectors.sums, len(m.fields.hashes), m.tokensJT.Room))
}

// learn follows forward on the same row.
//
// The field-aware part follows the gradient of the whole. The rest follows a blend of that and of
// its own: otherwise the field-aware part, once it knows the training pairs by heart, leaves the
// perceptron no reason to learn what the pairs have in common.
func (m *memberJ) learn(r *row, s *jScratch) {
	whole := float64((arith.Sigmoid(r.zJT[0]) - r.label) * r.weight)
	own := float64((arith.Sigmoid(s.own) - r.label) * r.weight)
	share := 0.5 * float64(r.number) / (float64(r.number) + 100000)
	g := float32(float64((1-share)*whole) + float64(share*own))

	var hidden [kernel.Hidden]float32
	kernel.OutputBack(m.net, m.netKept, &s.hidden, &hidden, g, rateJ)
	kernel.LayerBackJ(r.present, &m.layerJ, s.embeddings, s.gradients, s.squares, &hidden, rateJ)
	step := kernel.Step{Gradients: [4]float32{g, float32(whole)}, Wealth: [4]float32{float32(m.constant.wealth)},
		Lead: r.lead(), Rate: rateJEmbed, RateVectors: rateVectors}
	sum := kernel.StepJ(r.tokens, &m.tokensJT, s.vectors.sums, s.gradients, s.squares, &step)
	m.constant.learn(float64(g), 1+sum, r)
}
