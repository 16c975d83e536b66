package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
	"gonum.org/v1/gonum/mat"
)

// A mixer's inverse, kept up by rank-one updates through ten thousand examples of several weights,
// is that of the matrix that gonum adds up and inverts; and its weights are where Newton's steps
// with that inverse lead.
func TestAMixersInverseIsThatOfItsMatrix(t *testing.T) {
	net, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	mixer, rng := &mixtureOf(net).mixer, rand.New(rand.NewPCG(8, 9))
	matrices := make([]*mat.SymDense, mixers)
	weights := make([]*mat.VecDense, mixers)
	for m := range matrices {
		matrices[m], weights[m] = mat.NewSymDense(members, nil), mat.NewVecDense(members, nil)
		for i := range members {
			matrices[m].SetSym(i, i, mixPrior[m])
			weights[m].SetVec(i, 1.0/(members-1))
		}
		weights[m].SetVec(atBase, 0)
	}
	for range 10_000 {
		truth := 2 * rng.NormFloat64()
		var z [members]float64
		for i := range z {
			z[i] = truth + rng.NormFloat64()
		}
		reach := rng.Float64()
		seen := [members]float64{atBase: 1}
		for i := 1; i < members; i++ {
			seen[i] = reach * (clipLogit(z[i]) - clipLogit(z[atBase]))
		}
		base := clipLogit(z[atBase])
		at, y, weight := mat.NewVecDense(members, seen[:]), 0.0, []float64{1, 1, 0.25, 3}[rng.IntN(4)]
		if rng.Float64() < arith.Sigmoid(truth) {
			y = 1
		}
		for m := range matrices {
			p := arith.Sigmoid(clipLogit(base + mat.Dot(weights[m], at)))
			matrices[m].SymRankOne(matrices[m], max(p*(1-p), 1e-6)*weight, at)
			var c mat.Cholesky
			var step mat.VecDense
			if !c.Factorize(matrices[m]) || c.SolveVecTo(&step, at) != nil {
				t.Fatal("a sum of squares has an inverse")
			}
			weights[m].AddScaledVec(weights[m], (y-p)*weight, &step)
		}
		var p [members + mixers]float64
		r := row{z: z, zJT: [2]float64{z[atJ], z[atT]}, reach: reach, label: y, weight: weight}
		mixer.forward(&r, &p)
		mixer.learn(&r, &p)
	}
	for m := range matrices {
		var inverse mat.Dense
		if err := inverse.Inverse(matrices[m]); err != nil {
			t.Fatal(err)
		}
		for i := range members {
			if got, want := mixer.weights[m][i], weights[m].AtVec(i); math.Abs(got-want) > 1e-9 {
				t.Errorf("mixer %d, weight %d: %v, want %v", m, i, got, want)
			}
			for j := range members {
				got, want := mixer.inverse[m][i][j], inverse.At(i, j)
				if math.Abs(got-want) > 1e-9*math.Abs(inverse.At(i, i)) {
					t.Errorf("mixer %d, inverse at %d, %d: %v, want %v", m, i, j, got, want)
				}
			}
		}
	}
}
