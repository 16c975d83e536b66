package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// both runs the plain and the vector form of a kernel on copies of the same random memory and compares every bit.
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
	e8 := func(v []float32) *[embed]float32 { return (*[embed]float32)(v) }
	h16 := func(v []float32) *[hidden]float32 { return (*[hidden]float32)(v) }
	w128 := func(v []float32) *[embed * hidden]float32 { return (*[embed * hidden]float32)(v) }
	both(t, "axpy", []int{48, 48}, func(v [][]float32) float32 { axpy(v[0], v[1], -v[1][3]); return 0 })
	both(t, "dot", []int{24, 24}, func(v [][]float32) float32 { v[0][2] = -v[0][2]; return dot(v[0], v[1]) })
	both(t, "adagrad", []int{24, 24, 24}, func(v [][]float32) float32 { adagradAll(v[0], v[1], v[2], -0.3, 0.1); return 0 })
	both(t, "ffmDot", []int{12 * 12 * 4}, func(v [][]float32) float32 { v[0][7] = -v[0][7]; return ffmDot(v[0], 11, 12) })
	both(t, "ffmStep", []int{48, 12, 12 * 12 * 4}, func(v [][]float32) float32 {
		ffmStep(v[0], v[1], v[2], 5, 12, -v[2][0], 0.03)
		return 0
	})
	both(t, "hidden", []int{hidden, embed, embed * hidden}, func(v [][]float32) float32 {
		hiddenAdd(h16(v[0]), e8(v[1]), w128(v[2]))
		return 0
	})
	both(t, "backBlock", []int{embed * hidden, hidden, embed, embed, hidden}, func(v [][]float32) float32 {
		v[4][3] = 0
		backBlock(w128(v[0]), h16(v[1]), e8(v[2]), e8(v[3]), h16(v[4]), 0.05)
		return 0
	})
	both(t, "backEach", []int{embed * hidden, embed * hidden, embed, embed, hidden}, func(v [][]float32) float32 {
		v[4][3] = -v[4][3]
		backEach(w128(v[0]), w128(v[1]), e8(v[2]), e8(v[3]), h16(v[4]), 0.1)
		return 0
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
