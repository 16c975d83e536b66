package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// What tokens say is the logarithm of their odds by counts that the test keeps in double precision,
// and the weights are where Newton's steps lead with the matrix that gonum adds up and solves.
func TestTargetsAreOddsAndTheirWeightsNewtons(t *testing.T) {
	n, s := mustNew(t, func(c *Config) { c.TableBits = 14 }), &Scratch{}
	type count struct{ yes, no float64 }
	counts := map[uint32]count{}
	said := map[uint32]float64{}
	matrix, weights := mat.NewSymDense(targetDims, nil), mat.NewVecDense(targetDims, nil)
	for i := range targetDims {
		matrix.SetSym(i, i, targetLambda)
	}
	xs, ys := stream(77, 4000)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range xs {
		w := []float64{1, 1, 1, 0.5, 4}[rng.IntN(5)]
		r := &s.row
		n.take(xs[i], r, s, ys[i], w)
		want := mat.NewVecDense(targetDims, nil)
		want.SetVec(0, 1)
		for _, k := range r.toks {
			if k.read != 0 {
				want.SetVec(int(k.field)+1, want.AtVec(int(k.field)+1)+float64(k.x)*said[k.read])
			}
		}
		n.forwardT(r, &s.t)
		at := mat.NewVecDense(targetDims, nil)
		for _, d := range s.t.dims {
			at.SetVec(int(d), s.t.x[d])
		}
		for d := range targetDims {
			if math.Abs(at.AtVec(d)-want.AtVec(d)) > 2e-4 {
				t.Fatalf("example %d, input %d: %v, want %v", i, d, at.AtVec(d), want.AtVec(d))
			}
		}
		z := r.base + mat.Dot(weights, at)
		if math.Abs(r.zT-z) > 1e-9 {
			t.Fatalf("example %d: logit %v, want %v", i, r.zT, z)
		}
		n.learnT(r, &s.t)
		p := sigmoid(clipLogit(z))
		matrix.SymRankOne(matrix, max(p*(1-p), 1e-6)*w, at)
		var c mat.Cholesky
		var step mat.VecDense
		if !c.Factorize(matrix) || c.SolveVecTo(&step, at) != nil {
			t.Fatal("a sum of squares has an inverse")
		}
		weights.AddScaledVec(weights, (ys[i]-p)*w, &step)
		base := sigmoid(r.base)
		for _, k := range r.toks {
			if k.learn == 0 {
				continue
			}
			v := counts[k.learn]
			x2 := float64(k.x) * float64(k.x)
			v.yes, v.no = v.yes+w*ys[i]*x2, v.no+w*(1-ys[i])*x2
			counts[k.learn] = v
			said[k.learn] = math.Log((v.yes+targetPrior*base)/(v.no+targetPrior*(1-base))) - math.Log(base/(1-base))
		}
	}
	for d := range targetDims {
		if got, want := n.num[numT+d], weights.AtVec(d); math.Abs(got-want) > 1e-8 {
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

func TestVectorFormsOfNewtonGiveThePlainBits(t *testing.T) {
	if !vector {
		t.Skip("this machine has no vector instructions that are used")
	}
	defer func() { vector = true }()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var s [2]tScratch
		var inv [2][]float64
		lanes := 8 * (1 + rng.IntN(targetDims/8))
		for range 1 + rng.IntN(lanes) {
			s[0].dims = append(s[0].dims, uint16(rng.IntN(lanes)))
		}
		inv[0] = make([]float64, targetDims*targetDims)
		for i := range inv[0] {
			inv[0][i] = rng.NormFloat64() * math.Exp(3*rng.NormFloat64())
		}
		for i := range s[0].x {
			s[0].x[i] = rng.NormFloat64()
		}
		s[0].lanes = lanes
		s[1], inv[1] = s[0], append([]float64(nil), inv[0]...)
		for i := range s {
			vector = i == 1
			addRows(&s[i], inv[i])
			subtractSquare(&s[i], inv[i])
		}
		for i := range s[0].az {
			if math.Float64bits(s[0].az[i]) != math.Float64bits(s[1].az[i]) {
				t.Fatalf("%d lanes: product %d is %v, plain %v", lanes, i, s[1].az[i], s[0].az[i])
			}
		}
		for i := range inv[0] {
			if math.Float64bits(inv[0][i]) != math.Float64bits(inv[1][i]) {
				t.Fatalf("%d lanes: matrix at %d, %d is %v, plain %v", lanes, i/targetDims, i%targetDims, inv[1][i], inv[0][i])
			}
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
		for f := range targetDims + 40 {
			x = append(x, Feature{Field: FieldHash(fmt.Sprint("f", f)), Hash: TokenHash(fmt.Sprint(rng.IntN(5))), Value: 1})
		}
		all, ys, ws = append(all, x), append(ys, float64(rng.IntN(2))), append(ws, 1)
	}
	s := few.NewScratch()
	for i, x := range all {
		if _, err := few.Learn(x[:targetDims-1], ys[i], 1, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := many.LearnBatch(all, ys, ws, make([]float64, len(all))); err != nil {
		t.Fatal(err)
	}
	for d := range targetDims {
		if few.num[numT+d] != many.num[numT+d] {
			t.Fatalf("weight %d is %v, with more fields %v", d, few.num[numT+d], many.num[numT+d])
		}
	}
	if w := many.num[numT+targetDims-1]; w == 0 {
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
	if k := n.a.at(1)[n.a.serve:]; k[targetYes] != 0 || k[targetNo] != 0 {
		t.Errorf("%v positives, %v negatives are counted", k[targetYes], k[targetNo])
	}
	for range 30 {
		if _, err := n.Learn(x, 0, 1e6, s); err != nil {
			t.Fatal(err)
		}
	}
	if k := n.a.at(1)[n.a.serve:]; k[targetNo] > targetMost || k[targetNo] < targetMost/4 {
		t.Errorf("%v negatives are remembered", k[targetNo])
	}
}
