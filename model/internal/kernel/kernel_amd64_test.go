package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model/internal/table"
)

// both runs the plain and the vector form of a kernel on copies of the same random memory and
// compares every bit.
func both(t *testing.T, name string, sizes []int, run func(v [][]float32) float32) {
	t.Helper()
	if !Vector {
		t.Skip("this machine has no vector instructions that are used")
	}
	defer func() { Vector = true }()
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var a, b [][]float32
		for _, n := range sizes {
			v := make([]float32, n)
			for i := range v {
				v[i] = float32(math.Abs(r.NormFloat64()*math.Exp(r.NormFloat64()*3))) + 1e-3
			}
			a, b = append(a, v), append(b, append([]float32(nil), v...))
		}
		Vector = false
		p := run(a)
		Vector = true
		q := run(b)
		if math.Float32bits(p) != math.Float32bits(q) {
			t.Fatalf("%s: plain %v, vector %v", name, p, q)
		}
		for i := range a {
			for j := range a[i] {
				if math.Float32bits(a[i][j]) != math.Float32bits(b[i][j]) {
					t.Fatalf("%s: argument %d at %d: plain %v, vector %v", name, i, j, a[i][j], b[i][j])
				}
			}
		}
	}
}

func TestVectorKernelsGiveThePlainBits(t *testing.T) {
	h16 := func(v []float32) *[Hidden]float32 { return (*[Hidden]float32)(v) }
	both(t, "axpy", []int{48, 48}, func(v [][]float32) float32 { Axpy(v[0], v[1], -v[1][3]); return 0 })
	both(t, "dot", []int{24, 24}, func(v [][]float32) float32 { v[0][2] = -v[0][2]; return Dot(v[0], v[1]) })
	both(t, "adagrad", []int{24, 24, 24}, func(v [][]float32) float32 { AdaGrad(v[0], v[1], v[2], -0.3, 0.1); return 0 })
	both(t, "ffmDot", []int{12 * 12 * 4}, func(v [][]float32) float32 { v[0][7] = -v[0][7]; return FFMDot(v[0], 11, 12) })
	both(t, "ffmStep", []int{48, 12, 12 * 12 * 4}, func(v [][]float32) float32 {
		FFMStep(v[0], v[1], v[2], 5, 12, -v[2][0], 0.03)
		return 0
	})
	// of a field's entry: weights, then accumulators of either kind
	const size = 2 * Embed * Hidden
	present := []uint16{2, 0} // of three fields
	layer := func(v []float32, run func(a *table.Arena)) {
		a := table.NewArena(table.Part{Head: Embed * Hidden}, table.Part{Head: Embed * Hidden}, true, false)
		for i := range uint32(3) {
			copy(a.At(a.Add()), v[i*size:][:size])
		}
		run(&a)
		for i := range uint32(3) {
			copy(v[i*size:], a.At(i))
		}
	}
	both(t, "layer forward", []int{Hidden, 3 * Embed, 3 * size}, func(v [][]float32) float32 {
		layer(v[2], func(a *table.Arena) { LayerForward(h16(v[0]), present, a, v[1]) })
		return 0
	})
	both(t, "layer back of J", []int{3 * size, 3 * Embed, 3 * Embed, 3, Hidden}, func(v [][]float32) float32 {
		v[4][3] = 0
		layer(v[0], func(a *table.Arena) { LayerBackJ(present, a, v[1], v[2], v[3], h16(v[4]), 0.05) })
		return 0
	})
	both(t, "layer back of Q", []int{3 * size, 3 * Embed, 3 * Embed, Hidden}, func(v [][]float32) float32 {
		v[3][3] = -v[3][3]
		layer(v[0], func(a *table.Arena) { LayerBackQ(present, a, v[1], v[2], h16(v[3]), 0.1) })
		return 0
	})
	both(t, "backEach of Hidden units that are silent", []int{3 * size, 3 * Embed, 3 * Embed, Hidden, 64}, func(v [][]float32) float32 {
		for i := range 3 {
			acc := v[0][i*size+Embed*Hidden:][:Embed*Hidden]
			for k := range acc {
				switch choice := v[4][k%len(v[4])] * float32(1+i+k/7); {
				case choice < 1:
					// about 2^-126 as well
					acc[k] = math.Float32frombits(uint32(choice * (1<<23 + 3000)))
				case choice < 1.5:
					acc[k] = math.Float32frombits(uint32(choice*1500) % 2500) // where fading ends
				case choice < 2:
					acc[k] = 0
				}
			}
		}
		for j := range Hidden {
			switch {
			case v[4][j] < 1.3:
				v[3][j] = 0
			case v[4][j] < 1.6:
				v[3][j] = math.Float32frombits(1 << 31)
			case v[4][j] < 2:
				v[3][j] *= 1e-22 // its square is as small
			}
		}
		layer(v[0], func(a *table.Arena) { LayerBackQ(present, a, v[1], v[2], h16(v[3]), 0.1) })
		return 0
	})
	both(t, "output", []int{NetLen, NetLen, Hidden, Hidden}, func(v [][]float32) float32 {
		for i := range 5 {
			v[2][3*i] = -v[2][3*i]
		}
		v[2][4] = 0
		OutputBack(v[0], v[1], h16(v[2]), h16(v[3]), -0.3, 0.05)
		return Output(v[0], h16(v[2]))
	})
}

func TestVectorFormsOfNewtonGiveThePlainBits(t *testing.T) {
	if !Vector {
		t.Skip("this machine has no vector instructions that are used")
	}
	defer func() { Vector = true }()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var az [2][Dims]float64
		var x [Dims]float64
		var dims []uint16
		var inv [2][]float64
		lanes := 8 * (1 + rng.IntN(Dims/8))
		for range 1 + rng.IntN(lanes) {
			dims = append(dims, uint16(rng.IntN(lanes)))
		}
		inv[0] = make([]float64, Dims*Dims)
		for i := range inv[0] {
			inv[0][i] = rng.NormFloat64() * math.Exp(3*rng.NormFloat64())
		}
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		inv[1] = append([]float64(nil), inv[0]...)
		for i := range az {
			Vector = i == 1
			AddRows(&az[i], inv[i], &x, dims, lanes)
			SubtractSquare(inv[i], &az[i], lanes)
		}
		for i := range az[0] {
			if math.Float64bits(az[0][i]) != math.Float64bits(az[1][i]) {
				t.Fatalf("%d lanes: product %d is %v, plain %v", lanes, i, az[1][i], az[0][i])
			}
		}
		for i := range inv[0] {
			if math.Float64bits(inv[0][i]) != math.Float64bits(inv[1][i]) {
				t.Fatalf("%d lanes: matrix at %d, %d is %v, plain %v", lanes, i/Dims, i%Dims, inv[1][i], inv[0][i])
			}
		}
	}
}
