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
