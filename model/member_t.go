package model

import (
	"math"
	"unsafe"
)

// Member T is a logistic regression over target encodings, an input a field: the sum of x times
// what each of the field's tokens says by itself. That is counted, not learned: the logarithm of
// the odds of a positive label among the examples that had the token, against those of all
// examples, drawn to none by a prior. So tokens of a field share one weight, and a few labels tell
// how much the field is worth; Newton's method, as in the mixers, finds that in some dozens of
// examples. (Micci-Barreca, A Preprocessing Scheme for High-Cardinality Categorical Attributes in
// Classification and Prediction Problems, 2001.)
const (
	// a constant, then the first fields; T does not see further ones
	targetDims = 64
	// examples of the base rate that every token is taken to have had
	targetPrior = 5
	// examples that a token's counts remember: float32 counts no further than 2^24
	targetMost   = float32(1 << 20)
	targetLambda = 10 // of the ridge
	targetAt     = 1  // in what serving reads of a record of the first arena
	// in the rest of it: the weights of positive and of negative examples
	targetYes = 5
	targetNo  = 6
)

// tScratch is the working memory of member T.
type tScratch struct {
	x, az [targetDims]float64
	dims  []uint16 // that the example has
	lanes int      // of x and az that may not be zero
}

// forwardT sets the member's logit.
func (c *core) forwardT(r *row, s *tScratch) {
	s.dims = append(s.dims[:0], 0)
	s.x[0] = 1
	for _, f := range r.present {
		if f < targetDims-1 {
			s.dims = append(s.dims, f+1)
			s.x[f+1] = 0
		}
	}
	for i := range r.toks {
		t := &r.toks[i]
		if t.field >= targetDims-1 {
			continue
		}
		v := c.a.ptr(t.read)
		if c.half {
			s.x[t.field+1] += float64(float32(t.x * fromHalf((*[targetAt + 1]uint16)(v)[targetAt])))
		} else {
			s.x[t.field+1] += float64(float32(t.x * (*[targetAt + 1]float32)(v)[targetAt]))
		}
	}
	w, z := c.num[numT:][:targetDims], r.base
	for _, d := range s.dims {
		z += float64(w[d] * s.x[d])
	}
	r.zT = z
}

// learnT follows forwardT on the same row.
func (c *core) learnT(r *row, s *tScratch) {
	if r.w > 0 { // as with the mixers: curvature cannot be undone
		s.lanes = (min(len(c.fields.hashes)+1, targetDims) + 7) &^ 7
		c.newtonT(s, sigmoid(clipLogit(r.zT)), r.y, r.w)
	}
	c.countTargets(r)
}

// newtonT is newton over the inputs that the example has. Those that no example had yet have az =
// 0.
func (c *core) newtonT(s *tScratch, p, y, weight float64) {
	inv, w := c.numO[keptT:][:targetDims*targetDims], c.num[numT:][:targetDims]
	addRows(s, inv)
	var zaz float64
	for _, d := range s.dims {
		zaz += float64(s.az[d] * s.x[d])
	}
	zaz = max(zaz, 0)
	h := float64(max(float64(p*(1-p)), 1e-6) * weight)
	step := float64((p-y)*weight) / (1 + float64(h*zaz))
	root := math.Sqrt(h / (1 + float64(h*zaz))) // t t' is symmetric to the bit
	for i := range s.lanes {
		w[i] -= float64(step * s.az[i])
		s.az[i] = float64(root * s.az[i])
	}
	subtractSquare(s, inv)
}

// countTargets takes the row's label into the counts of its tokens, each by the square of its
// weight: a number's three tokens count as one.
func (c *core) countTargets(r *row) {
	base := float32(sigmoid(r.base))
	yes0, no0 := max(targetPrior*base, 1e-6), max(targetPrior*(1-base), 1e-6)
	none := log2(yes0 / no0)
	yes, no := float32(r.w*r.y), float32(r.w*(1-r.y))
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn == 0 || t.field >= targetDims-1 {
			continue
		}
		v := c.a.ptr(t.learn)
		k := (*[firstKept]float32)(unsafe.Add(v, 4*c.a.serve))
		x2 := float32(t.x * t.x)
		// A label that is undone may find its count faded.
		p, n := max(0, k[targetYes]+float32(yes*x2)), max(0, k[targetNo]+float32(no*x2))
		for p+n > targetMost {
			p, n = p/2, n/2
		}
		k[targetYes], k[targetNo] = p, n
		(*[targetAt + 1]float32)(v)[targetAt] = float32(math.Ln2 * (log2((p+yes0)/(n+no0)) - none))
	}
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

// addRows sets az to inv times x.
func addRows(s *tScratch, inv []float64) {
	if vector {
		addRowsAVX(&s.az[0], &inv[0], &s.x[0], &s.dims[0], len(s.dims), s.lanes)
		return
	}
	clear(s.az[:s.lanes])
	for _, d := range s.dims {
		v, x := inv[int(d)*targetDims:][:targetDims], s.x[d]
		for i := range s.lanes {
			s.az[i] += float64(x * v[i])
		}
	}
}

// subtractSquare takes az az' from inv.
func subtractSquare(s *tScratch, inv []float64) {
	if vector {
		subtractSquareAVX(&inv[0], &s.az[0], s.lanes)
		return
	}
	for i := range s.lanes {
		v, a := inv[i*targetDims:][:targetDims], s.az[i]
		for j := range s.lanes {
			v[j] -= float64(a * s.az[j])
		}
	}
}
