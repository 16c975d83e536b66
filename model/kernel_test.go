package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// both runs the plain and the vector form of a kernel on copies of the same random memory and
// compares every bit.
func both(t *testing.T, name string, sizes []int, run func(v [][]float32) float32) {
	t.Helper()
	if !vector {
		t.Skip("this machine has no vector instructions that are used")
	}
	defer func() { vector = true }()
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
		vector = false
		p := run(a)
		vector = true
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
	h16 := func(v []float32) *[hidden]float32 { return (*[hidden]float32)(v) }
	both(t, "axpy", []int{48, 48}, func(v [][]float32) float32 { axpy(v[0], v[1], -v[1][3]); return 0 })
	both(t, "dot", []int{24, 24}, func(v [][]float32) float32 { v[0][2] = -v[0][2]; return dot(v[0], v[1]) })
	both(t, "adagrad", []int{24, 24, 24}, func(v [][]float32) float32 { adagradAll(v[0], v[1], v[2], -0.3, 0.1); return 0 })
	both(t, "ffmDot", []int{12 * 12 * 4}, func(v [][]float32) float32 { v[0][7] = -v[0][7]; return ffmDot(v[0], 11, 12) })
	both(t, "ffmStep", []int{48, 12, 12 * 12 * 4}, func(v [][]float32) float32 {
		ffmStep(v[0], v[1], v[2], 5, 12, -v[2][0], 0.03)
		return 0
	})
	// of a field's record: weights, then accumulators of either kind
	const size = 2 * embed * hidden
	layer := func(v []float32) (*core, *arena, *row) { // three fields, of which the example has two
		a := &arena{serve: embed * hidden, stride: size, len: 3, chunks: [][]float32{v}}
		return &core{}, a, &row{present: []uint16{2, 0}}
	}
	both(t, "hidden", []int{hidden, 3 * embed, 3 * size}, func(v [][]float32) float32 {
		c, a, r := layer(v[2])
		c.hiddenAdd(h16(v[0]), r, a, v[1])
		return 0
	})
	both(t, "backBlock", []int{3 * size, 3 * embed, 3 * embed, 3, hidden}, func(v [][]float32) float32 {
		v[4][3] = 0
		c, a, r := layer(v[0])
		c.backBlock(r, a, v[1], v[2], v[3], h16(v[4]), 0.05)
		return 0
	})
	both(t, "backEach", []int{3 * size, 3 * embed, 3 * embed, hidden}, func(v [][]float32) float32 {
		v[3][3] = -v[3][3]
		c, a, r := layer(v[0])
		c.backEach(r, a, v[1], v[2], h16(v[3]), 0.1)
		return 0
	})
	both(t, "backEach of hidden units that are silent", []int{3 * size, 3 * embed, 3 * embed, hidden, 64}, func(v [][]float32) float32 {
		c, a, r := layer(v[0])
		for i := range a.len {
			acc := a.at(uint32(i))[a.serve:]
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
		for j := range hidden {
			switch {
			case v[4][j] < 1.3:
				v[3][j] = 0
			case v[4][j] < 1.6:
				v[3][j] = math.Float32frombits(1 << 31)
			case v[4][j] < 2:
				v[3][j] *= 1e-22 // its square is as small
			}
		}
		c.backEach(r, a, v[1], v[2], h16(v[3]), 0.1)
		return 0
	})
	both(t, "output", []int{netLen, netLen, hidden, hidden}, func(v [][]float32) float32 {
		for i := range 5 {
			v[2][3*i] = -v[2][3*i]
		}
		v[2][4] = 0
		c := &core{dense: v[0], denseO: v[1]}
		c.backNet(0, h16(v[2]), h16(v[3]), -0.3, 0.05)
		return c.outputNet(0, h16(v[2]))
	})
}

func TestTheWholeNetIsTheSameWithoutVectors(t *testing.T) {
	if !vector {
		t.Skip("this machine has no vector instructions that are used")
	}
	defer func() { vector = true }()
	xs, ys := stream(30, sized(1500))
	for name, change := range shapes {
		with := mustNew(t, change)
		mustLearn(t, with, xs, ys)
		vector = false
		without := mustNew(t, change)
		mustLearn(t, without, xs, ys)
		vector = true
		if with.Hash() != without.Hash() {
			t.Fatalf("%s: the weights differ", name)
		}
	}
}
