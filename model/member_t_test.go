package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"gonum.org/v1/gonum/mat"
)

// What tokens say is the logarithm of their odds by counts that the test keeps in double precision,
// and the weights are where Newton's steps lead with the matrix that gonum adds up and solves.
func TestTargetsAreOddsAndTheirWeightsNewtons(t *testing.T) {
	n, s := mustNew(t, func(c *Config) { c.TableBits = 14 }), &Scratch{}
	member := &mixtureOf(n).t
	type count struct{ yes, no float64 }
	counts := map[uint32]count{}
	said := map[uint32]float64{}
	matrix, weights := mat.NewSymDense(kernel.Dims, nil), mat.NewVecDense(kernel.Dims, nil)
	for i := range kernel.Dims {
		matrix.SetSym(i, i, targetLambda)
	}
	xs, ys := stream(77, 4000)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range xs {
		w := []float64{1, 1, 1, 0.5, 4}[rng.IntN(5)]
		r := &s.row
		n.take(xs[i], r, s, ys[i], w)
		want := mat.NewVecDense(kernel.Dims, nil)
		want.SetVec(0, 1)
		for _, k := range r.tokens {
			if k.Read != 0 {
				want.SetVec(int(k.Field)+1, want.AtVec(int(k.Field)+1)+float64(k.X)*said[k.Read])
			}
		}
		member.forward(r, &s.t)
		at := mat.NewVecDense(kernel.Dims, nil)
		for _, d := range s.t.dims {
			at.SetVec(int(d), s.t.x[d])
		}
		for d := range kernel.Dims {
			if math.Abs(at.AtVec(d)-want.AtVec(d)) > 2e-4 {
				t.Fatalf("example %d, input %d: %v, want %v", i, d, at.AtVec(d), want.AtVec(d))
			}
		}
		z := r.base + mat.Dot(weights, at)
		if math.Abs(r.zJT[1]-z) > 1e-9 {
			t.Fatalf("example %d: logit %v, want %v", i, r.zJT[1], z)
		}
		member.learn(r, &s.t)
		p := arith.Sigmoid(clipLogit(z))
		matrix.SymRankOne(matrix, max(p*(1-p), 1e-6)*w, at)
		var c mat.Cholesky
		var step mat.VecDense
		if !c.Factorize(matrix) || c.SolveVecTo(&step, at) != nil {
			t.Fatal("a sum of squares has an inverse")
		}
		weights.AddScaledVec(weights, (ys[i]-p)*w, &step)
		base := arith.Sigmoid(r.base)
		for _, k := range r.tokens {
			if k.Learn == 0 {
				continue
			}
			v := counts[k.Learn]
			x2 := float64(k.X) * float64(k.X)
			v.yes, v.no = v.yes+w*ys[i]*x2, v.no+w*(1-ys[i])*x2
			counts[k.Learn] = v
			said[k.Learn] = math.Log((v.yes+targetPrior*base)/(v.no+targetPrior*(1-base))) - math.Log(base/(1-base))
		}
	}
	for d := range kernel.Dims {
		if got, want := member.coefficients[d], weights.AtVec(d); math.Abs(got-want) > 1e-8 {
			t.Errorf("weight %d is %v, want %v", d, got, want)
		}
	}
	if math.Abs(weights.AtVec(1)) < 0.01 {
		t.Errorf("the first field weighs %v: nothing was learned", weights.AtVec(1))
	}
}

func TestLog2(t *testing.T) {
	for _, x := range []float32{1, 2, 0x1p-126, 0x1p127, 1.9999999, 0.70710678} {
		if got := log2(x); math.Abs(float64(got)-math.Log2(float64(x))) > 2e-5 {
			t.Errorf("log2(%v) = %v, want %v", x, got, math.Log2(float64(x)))
		}
	}
	for x := float32(1); x < 2; x += 1.0 / 4096 {
		if got := log2(x); math.Abs(float64(got)-math.Log2(float64(x))) > 2e-5 {
			t.Fatalf("log2(%v) = %v, want %v", x, got, math.Log2(float64(x)))
		}
	}
}

// Fields beyond those that T sees change nothing for it, and nothing else goes wrong.
func TestMoreFieldsThanTSees(t *testing.T) {
	few, many := mustNew(t, nil), mustNew(t, nil)
	rng := rand.New(rand.NewPCG(7, 8))
	var all [][]Feature
	var ys, ws []float64
	for range 600 {
		var x []Feature
		for f := range kernel.Dims + 40 {
			x = append(x, Feature{Field: FieldHash(fmt.Sprint("f", f)), Hash: TokenHash(fmt.Sprint(rng.IntN(5))), Value: 1})
		}
		all, ys, ws = append(all, x), append(ys, float64(rng.IntN(2))), append(ws, 1)
	}
	s := few.NewScratch()
	for i, x := range all {
		if _, err := few.Learn(x[:kernel.Dims-1], ys[i], 1, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := many.LearnBatch(all, ys, ws, make([]float64, len(all))); err != nil {
		t.Fatal(err)
	}
	for d := range kernel.Dims {
		if few.num[numT+d] != many.num[numT+d] {
			t.Fatalf("weight %d is %v, with more fields %v", d, few.num[numT+d], many.num[numT+d])
		}
	}
	if w := many.num[numT+kernel.Dims-1]; w == 0 {
		t.Error("the last field that T sees has no weight")
	}
}

func TestAnUndoneLabelLeavesNoCounts(t *testing.T) {
	n, s := mustNew(t, nil), &Scratch{}
	x := []Feature{{Field: FieldHash("a"), Hash: TokenHash("b"), Value: 1}}
	for _, w := range []float64{1, 5, -5, 2, -2, -9} { // the last undoes what never was
		if _, err := n.Learn(x, 1, w, s); err != nil {
			t.Fatal(err)
		}
	}
	if k := n.tokensJT.At(1)[n.tokensJT.KeptAt:]; k[targetYes] != 0 || k[targetNo] != 0 {
		t.Errorf("%v positives, %v negatives are counted", k[targetYes], k[targetNo])
	}
	for range 30 {
		if _, err := n.Learn(x, 0, 1e6, s); err != nil {
			t.Fatal(err)
		}
	}
	if k := n.tokensJT.At(1)[n.tokensJT.KeptAt:]; k[targetNo] > targetMost || k[targetNo] < targetMost/4 {
		t.Errorf("%v negatives are remembered", k[targetNo])
	}
}
