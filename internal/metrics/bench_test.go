package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkAdd counts examples as a click model predicts them: logits about -2, a seventh of them
// positive.
func BenchmarkAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	p, y := make([]float64, 1<<14), make([]float64, 1<<14)
	for i := range p {
		p[i] = 1 / (1 + math.Exp(2-1.5*rng.NormFloat64()))
		if rng.Float64() < p[i] {
			y[i] = 1
		}
	}
	a := New()
	for i := range p {
		a.Add(p[i], y[i], 1)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := i & (1<<14 - 1)
		a.Add(p[k], y[k], 1)
	}
}

// BenchmarkWindows counts an example in the whole of four windows and in three segments of each, as
// feedback does.
func BenchmarkWindows(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	whole, part := Whole, Small
	whole.Users, whole.Edges = 1<<16, []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
	var wholes [4]*Accumulator
	var parts [4][3][16]*Accumulator
	for i := range wholes {
		wholes[i] = NewSized(whole)
		for k := range parts[i] {
			for n := range parts[i][k] {
				parts[i][k][n] = NewSized(part)
			}
		}
	}
	p, y := make([]float64, 1<<14), make([]float64, 1<<14)
	for i := range p {
		p[i] = 1 / (1 + math.Exp(2-1.5*rng.NormFloat64()))
		if rng.Float64() < p[i] {
			y[i] = 1
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := i & (1<<14 - 1)
		x := NewPoint(p[k], y[k], 1, uint64(i), 1+uint64(rng.IntN(50_000)))
		for w := range wholes {
			wholes[w].AddPoint(&x)
			for s := range parts[w] {
				parts[w][s][(i>>(4*s))&15].AddPoint(&x)
			}
		}
	}
}
