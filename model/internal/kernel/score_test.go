package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model/internal/half"
)

// The vector form of Score gives the plain bits, for any widths, and the plain form the sum.
func TestScoreGivesThePlainBitsAndTheSum(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	for range 200 {
		relu, n := ScoreLanes*r.IntN(3), 1+r.IntN(40)
		width := relu + ScoreLanes*r.IntN(6)
		if width == 0 {
			continue
		}
		shift, weight, rows := random(relu), random(width), make([]uint16, n*width)
		for i, f := range random(n * width) {
			rows[i] = half.Of(f)
		}
		out := make([]float32, n)
		Score(out, rows, shift, weight)
		for i, got := range out {
			row := rows[i*width:][:width]
			if plain := scoreGo(row, shift, weight); math.Float32bits(plain) != math.Float32bits(got) {
				t.Fatalf("%d of %d, %d: plain %v, vector %v", i, relu, width, plain, got)
			}
			want := 0.0
			for j, w := range weight {
				x := float64(half.Float(row[j]))
				if j < relu {
					x = max(x+float64(shift[j]), 0)
				}
				want += float64(w) * x
			}
			if math.Abs(want-float64(got)) > 1e-4*float64(width) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	}
	Score(nil, nil, nil, random(16))
	out := []float32{3}
	if Score(out, nil, nil, nil); out[0] != 0 {
		t.Error("rows without width have a score")
	}
}
