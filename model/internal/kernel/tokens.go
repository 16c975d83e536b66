package kernel

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/half"
	"github.com/clickloop/clickloop/model/internal/table"
)

// Token is one weighted token of an example: the entry to read (0: unknown so far) and the one to
// learn into (0: none). The vector kernels know its layout. Entry 0 is all zero.
type Token struct {
	Read, Learn uint32
	Field       uint32
	X           float32
}

// A token's entry for member J: [linear weight, target encoding, sightings, 1 free][embedding]
// [vectors by field], then the optimizer's [M, T, G, R][accumulator of the embedding, counts of
// positives and of negatives, 1 free][accumulators by field].
const (
	EmbeddingAt = 4
	VectorsAt   = EmbeddingAt + Embed
	// in the optimizer's part
	LargestX       = 0
	EmbeddingAccAt = 4
	VectorAccAt    = 8
)

// EntryCQP is a token's entry for members C, Q and P: their linear weights and Q's embedding, then
// what their optimizers keep.
type EntryCQP struct {
	ServedCQP
	Sum, Size [4]float32 // of the linear weights: sum of -gx, sum of |gx|
	Won       [4]float32 // winnings of each bet; the last one is the largest |x|
	Acc       [Embed]float32
}

// ServedCQP is the part that serving reads.
type ServedCQP struct {
	Linear    [4]float32 // the last is zero
	Embedding [Embed]float32
}

// Step is what a step needs beside the token.
type Step struct {
	// of J: the gradients of its linear part with the perceptron, and of its field-aware part;
	// of the others: those of C, Q and P
	Gradients   [4]float32
	Wealth      [4]float32 // of each bet at its start
	Lead        float32    // how much more than |x| the example can move the sums of a bet
	Rate        float32    // of embeddings
	RateVectors float32    // of field-aware vectors
}

// Coin settles a bet and makes the next: gx is the gradient times the input, m the most that |gx|
// can be. sum, size and won are as in EntryCQP.
func Coin(w, sum, size, won *float32, m, gx, wealth float32) {
	*won -= float32(gx * *w)
	*sum -= gx
	*size += arith.Abs32(gx)
	*w = float32((wealth+*won)**sum) / float32(m*(m+*size))
}

// ReadJ adds the tokens' embeddings to e and their field-aware vectors to sums, by field, and
// returns the sum of their linear weights. It unpacks weights of 16 bits into work.
func ReadJ(tokens []Token, a *table.Arena, e, sums []float32, work *[]float32) (linear float32) {
	if len(tokens) == 0 {
		return 0
	}
	row := a.Room * VectorSize
	if Vector && !a.Half() {
		return readJAVX(&tokens[0], len(tokens), a.Chunks(), a.StrideBytes(), &e[0], &sums[0], row*4)
	}
	if half.Vector && a.Half() {
		return readJHalfAVX(&tokens[0], len(tokens), a.Chunks(), a.StrideBytes(), &e[0], &sums[0], row*4)
	}
	for i := range tokens {
		t := &tokens[i]
		v, f := a.Read(t.Read, work), int(t.Field)
		linear += float32(t.X * v[0])
		Axpy(e[f*Embed:][:Embed], v[EmbeddingAt:][:Embed], t.X)
		Axpy(sums[f*row:][:row], v[VectorsAt:][:row], t.X)
	}
	return linear
}

// ReadCQP adds the tokens' linear weights to linear and their embeddings to e, by field.
func ReadCQP(tokens []Token, a *table.Arena, linear *[4]float32, e []float32, work *[]float32) {
	if len(tokens) == 0 {
		return
	}
	if Vector && !a.Half() {
		readCQPAVX(&tokens[0], len(tokens), a.Chunks(), a.StrideBytes(), &linear[0], &e[0])
		return
	}
	if half.Vector && a.Half() {
		readCQPHalfAVX(&tokens[0], len(tokens), a.Chunks(), a.StrideBytes(), &linear[0], &e[0])
		return
	}
	for i := range tokens {
		t := &tokens[i]
		v, to := (*ServedCQP)(unsafe.Pointer(&a.Read(t.Read, work)[0])), (*[Embed]float32)(e[t.Field*Embed:])
		for k := range 4 {
			linear[k] += float32(t.X * v.Linear[k])
		}
		for d := range Embed {
			to[d] += float32(t.X * v.Embedding[d])
		}
	}
}

// StepJ lets J's tokens bet, moves their embeddings and vectors, and returns the sum of (x/M)^2.
func StepJ(tokens []Token, a *table.Arena, sums, de, square []float32, p *Step) (sum float64) {
	if len(tokens) == 0 {
		return 0
	}
	if p.Lead > 1 {
		raise(tokens, p.Lead, func(i uint32) (*float32, []float32) {
			v := a.At(i)
			return &v[a.KeptAt+LargestX], v[:1]
		})
	}
	if Vector {
		return stepJAVX(&tokens[0], len(tokens), a.Chunks(), a.StrideBytes(), &sums[0], a.Room, &de[0], &square[0], p)
	}
	for i := range tokens {
		if t := &tokens[i]; t.Learn != 0 {
			v, f := a.At(t.Learn), int(t.Field)
			sum += stepJGo(v, v[a.KeptAt:], sums, f, a.Room, (*[Embed]float32)(de[f*Embed:]), square[f], t.X, p)
		}
	}
	return sum
}

func stepJGo(v, kept, sums []float32, f, room int, de *[Embed]float32, square, x float32, p *Step) float64 {
	kept[LargestX] = max(kept[LargestX], arith.Abs32(x)*p.Lead)
	m := kept[LargestX]
	u := x / m
	Coin(&v[0], &kept[1], &kept[2], &kept[3], m, float32(p.Gradients[0]*x), p.Wealth[0])
	acc := &kept[EmbeddingAccAt]
	*acc += float32(float32(x*x) * square)
	Axpy(v[EmbeddingAt:][:Embed], de[:], -float32(float32(p.Rate*arith.Rsqrt32(*acc))*x))
	FFMStep(v[VectorsAt:][:room*VectorSize], kept[VectorAccAt:][:room], sums, f, room, float32(p.Gradients[1]*x), p.RateVectors)
	return float64(float32(u * u))
}

// StepCQP is StepJ for C, Q and P.
func StepCQP(tokens []Token, a *table.Arena, de []float32, p *Step) (sum float64) {
	if len(tokens) == 0 {
		return 0
	}
	if p.Lead > 1 {
		raise(tokens, p.Lead, func(i uint32) (*float32, []float32) {
			v := (*EntryCQP)(a.Ptr(i))
			return &v.Won[3], v.Linear[:]
		})
	}
	if Vector {
		return stepCQPAVX(&tokens[0], len(tokens), a.Chunks(), a.StrideBytes(), &de[0], p)
	}
	for i := range tokens {
		if t := &tokens[i]; t.Learn != 0 {
			sum += stepCQPGo((*EntryCQP)(a.Ptr(t.Learn)), (*[Embed]float32)(de[t.Field*Embed:]), t.X, p)
		}
	}
	return sum
}

func stepCQPGo(v *EntryCQP, de *[Embed]float32, x float32, p *Step) float64 {
	v.Won[3] = max(v.Won[3], arith.Abs32(x)*p.Lead)
	m := v.Won[3]
	for k := range 3 {
		Coin(&v.Linear[k], &v.Sum[k], &v.Size[k], &v.Won[k], m, float32(p.Gradients[k]*x), p.Wealth[k])
	}
	for d := range Embed {
		gd := float32(x * de[d])
		v.Acc[d] = float32(forget*v.Acc[d]) + float32(gd*gd)
		v.Embedding[d] -= float32(float32(p.Rate*arith.Rsqrt32(v.Acc[d])) * gd)
	}
	u := x / m
	return float64(float32(u * u))
}

// raise raises the largest |x| of a heavy example's tokens before they bet, and lowers the stakes
// that were made for the smaller one. bet finds both.
func raise(tokens []Token, lead float32, bet func(entry uint32) (largest *float32, stakes []float32)) {
	for i := range tokens {
		t := &tokens[i]
		if t.Learn == 0 {
			continue
		}
		if m, stakes := bet(t.Learn); float32(arith.Abs32(t.X)*lead) > *m {
			x := float32(arith.Abs32(t.X) * lead)
			for k := range stakes {
				stakes[k] *= *m / x
			}
			*m = x
		}
	}
}
