package model

import (
	"math"
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/half"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// memberT is a logistic regression over target encodings, one input a field: the sum of x times the
// encodings of the field's tokens. An encoding is counted, not learned: the logarithm of the odds
// of a positive label among the examples that had the token, against those of all examples, drawn
// to zero by a prior. So tokens of a field share one weight, and a few labels tell how much the
// field is worth. Newton's method, as in the mixers, finds that in some dozens of examples.
// (Micci-Barreca, A Preprocessing Scheme for High-Cardinality Categorical Attributes in
// Classification and Prediction Problems, 2001.)
type memberT struct {
	*core
	coefficients []float64 // of the inputs: a constant, then the first fields
	inverse      []float64 // of the matrix of curvature; of a full core
}

const (
	// examples of the base rate that every token is taken to have had
	targetPrior = 5
	// examples that a token's counts remember: float32 counts no further than 2^24
	targetMost   = float32(1 << 20)
	targetLambda = 10 // of the ridge

	targetAt = 1 // the encoding, among an entry's weights
	// the sum of both counts over sightingUnit, likewise: for Deviation. In 16 bits it must not
	// overflow.
	sightingsAt  = 2
	sightingUnit = 32
	// in the optimizer's part of an entry: the weights of positive and of negative examples
	targetYes = 5
	targetNo  = 6
)

func newMemberT(c *core) memberT {
	m := memberT{core: c, coefficients: c.num[numT:][:kernel.Dims]}
	if c.full {
		m.inverse = c.numKept[keptT:][:kernel.Dims*kernel.Dims]
		for i := range kernel.Dims {
			m.inverse[i*kernel.Dims+i] = 1.0 / targetLambda
		}
	}
	return m
}

// tScratch is the working memory of member T.
type tScratch struct {
	x     [kernel.Dims]float64 // inputs
	step  [kernel.Dims]float64 // the inverse times x
	dims  []uint16             // inputs that the example has
	lanes int                  // of x and step that may not be zero
	// of Variances, by field: its part, and how well its number is known
	variance, known [kernel.Dims]float64
	doubts          []FieldVariance
}

// forward sets the member's logit.
func (m *memberT) forward(r *row, s *tScratch) {
	s.dims = append(s.dims[:0], 0)
	s.x[0] = 1
	for _, f := range r.present {
		if f < kernel.Dims-1 {
			s.dims = append(s.dims, f+1)
			s.x[f+1] = 0
		}
	}
	m.sumEncodings(r.tokens, s)
	z := r.base
	for _, d := range s.dims {
		z += float64(m.coefficients[d] * s.x[d])
	}
	r.zJT[1] = z
}

// sumEncodings adds what the tokens say to the inputs of their fields.
func (m *memberT) sumEncodings(tokens []kernel.Token, s *tScratch) {
	for i := range tokens {
		t := &tokens[i]
		if t.Field >= kernel.Dims-1 {
			continue
		}
		v := m.tokensJT.Ptr(t.Read)
		if m.half {
			s.x[t.Field+1] += float64(float32(t.X * half.Float((*[targetAt + 1]uint16)(v)[targetAt])))
		} else {
			s.x[t.Field+1] += float64(float32(t.X * (*[targetAt + 1]float32)(v)[targetAt]))
		}
	}
}

// learn follows forward on the same row.
func (m *memberT) learn(r *row, s *tScratch) {
	if r.weight > 0 { // as with the mixers: curvature cannot be undone
		s.lanes = (min(len(m.fields.hashes)+1, kernel.Dims) + 7) &^ 7
		m.newton(s, arith.Sigmoid(clipLogit(r.zJT[1])), r.label, r.weight)
	}
	m.count(r)
}

// newton is a mixer's step over the inputs that the example has. Inputs that no example had yet
// have a step of 0.
func (m *memberT) newton(s *tScratch, p, y, weight float64) {
	kernel.AddRows(&s.step, m.inverse, &s.x, s.dims, s.lanes)
	var curvature float64 // x' inverse x
	for _, d := range s.dims {
		curvature += float64(s.step[d] * s.x[d])
	}
	curvature = max(curvature, 0)
	h := float64(max(float64(p*(1-p)), 1e-6) * weight)
	by := float64((p-y)*weight) / (1 + float64(h*curvature))
	root := math.Sqrt(h / (1 + float64(h*curvature))) // a square is symmetric to the bit
	for i := range s.lanes {
		m.coefficients[i] -= float64(by * s.step[i])
		s.step[i] = float64(root * s.step[i])
	}
	kernel.SubtractSquare(m.inverse, &s.step, s.lanes)
}

// count takes the row's label into the counts of its tokens, each by the square of its weight: a
// number's three tokens count as one.
func (m *memberT) count(r *row) {
	base := float32(arith.Sigmoid(r.base))
	yes0, no0 := max(targetPrior*base, 1e-6), max(targetPrior*(1-base), 1e-6)
	none := log2(yes0 / no0)
	yes, no := float32(r.weight*r.label), float32(r.weight*(1-r.label))
	for i := range r.tokens {
		t := &r.tokens[i]
		if t.Learn == 0 || t.Field >= kernel.Dims-1 {
			continue
		}
		v := m.tokensJT.Ptr(t.Learn)
		kept := (*[kernel.VectorAccAt]float32)(unsafe.Add(v, 4*m.tokensJT.KeptAt))
		x2 := float32(t.X * t.X)
		// A label that is undone may find its count faded.
		p, n := max(0, kept[targetYes]+float32(yes*x2)), max(0, kept[targetNo]+float32(no*x2))
		for p+n > targetMost {
			p, n = p/2, n/2
		}
		kept[targetYes], kept[targetNo] = p, n
		served := (*[sightingsAt + 1]float32)(v)
		served[targetAt] = float32(math.Ln2 * (log2((p+yes0)/(n+no0)) - none))
		served[sightingsAt] = (p + n) / sightingUnit
	}
}

// restoreSightings sets what is served of an entry's counts, which checkpoints of former releases
// have not.
func (m *mixture) restoreSightings(entry []float32) {
	kept := entry[m.tokensJT.KeptAt:]
	entry[sightingsAt] = (kept[targetYes] + kept[targetNo]) / sightingUnit
}

// log2 is the binary logarithm of a positive normal number, within 2e-5: a polynomial through the
// Chebyshev nodes.
func log2(x float32) float32 {
	b := math.Float32bits(x)
	m := math.Float32frombits(b&(1<<23-1)|127<<23) - 1
	p := float32(0.0430049577919 * m)
	p = float32((p - 0.18748860458976618) * m)
	p = float32((p + 0.4094702986979868) * m)
	p = float32((p - 0.7064864491338205) * m)
	p = float32((p + 1.441492411761555) * m)
	return float32(int32(b>>23)-127) + (p + 1.6514670883371885e-05)
}
