package metrics

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// manyScores is how many scores the sketch is tested on.
func manyScores(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("CLICKLOOP_TEST_SCORES"))
	if err != nil && os.Getenv("CLICKLOOP_TEST_SCORES") != "" {
		t.Fatal(err)
	}
	if n == 0 {
		n = 300_000
	}
	return n
}

// What bins make of many scores is as close to the truth as they say.
func TestBinsAreOffByNoMoreThanTheySay(t *testing.T) {
	n := manyScores(t)
	f := func(shape string, size Size, within float64, example func(*rand.Rand) (p, q float64)) {
		t.Helper()
		rng := rand.New(rand.NewPCG(7, 8))
		whole := size
		whole.Scores = n + 2
		exact, bins := NewSized(whole), NewSized(size)
		for range n {
			p, q := example(rng)
			x := NewPoint(p, float64(b2i(rng.Float64() < q)), 1, rng.Uint64(), 0)
			exact.AddPoint(&x)
			bins.AddPoint(&x)
		}
		want, got := exact.Result(), bins.Result()
		if !want.Exact || got.Exact {
			t.Fatalf("%s: exact %v, bins %v", shape, want.Exact, !got.Exact)
		}
		g := func(name string, got, want, says float64) {
			t.Helper()
			if off := math.Abs(got - want); off > says+1e-12 || math.IsNaN(got) {
				t.Errorf("%s: %s is %v, want %v: off by %.3g, more than %.3g", shape, name, got, want, off, says)
			}
		}
		g("AUC", got.AUC, want.AUC, got.AUCError)
		g("average precision", got.AveragePrecision, want.AveragePrecision, got.AveragePrecisionError)
		g("lift", got.Lift, want.Lift, got.LiftError)
		g("ECE", got.ECE, want.ECE, got.ECEError)
		if e := got.RankError(); e > within || n > 1e6 && e > within/2 {
			t.Errorf("%s: the error is up to %.3g, want %.3g at most", shape, e, within)
		}
		t.Logf("%s: %d positives of %d, %d bins: AUC %.5f off by %.2g (says %.2g), AP %.5f off by %.2g (%.2g), lift %.4f off by %.2g (%.2g), ECE %.5f off by %.2g (%.2g)",
			shape, got.Positives, n, bins.sketch.n, got.AUC, math.Abs(got.AUC-want.AUC), got.AUCError, got.AveragePrecision, math.Abs(got.AveragePrecision-want.AveragePrecision),
			got.AveragePrecisionError, got.Lift, math.Abs(got.Lift-want.Lift), got.LiftError, got.ECE, math.Abs(got.ECE-want.ECE), got.ECEError)
	}
	normal := func(mean, deviation, noise float64) func(*rand.Rand) (p, q float64) {
		return func(rng *rand.Rand) (p, q float64) {
			v := mean + deviation*rng.NormFloat64()
			return sigmoid(v + noise*rng.NormFloat64()), sigmoid(v)
		}
	}
	ties := func(values float64) func(*rand.Rand) (p, q float64) {
		return func(rng *rand.Rand) (p, q float64) {
			p = (0.5 + math.Floor(values*rng.Float64())) / values
			return p, p * p
		}
	}
	half := Whole
	half.Scores = 1000
	small := Small
	f("normal logits", half, 0.005, normal(-2, 1.5, 0.5))
	f("a rate of 0.0001", half, 0.05, normal(-11, 1.8, 0.5))
	f("a rate of 0.9999", half, 0.01, normal(11, 1.8, 0.5))
	f("even probabilities", half, 0.005, func(rng *rand.Rand) (p, q float64) { p = rng.Float64(); return p, p })
	f("20 values", half, 0, ties(20))
	f("4,000 values", half, 0.005, ties(4000))
	// its bin has other values too
	f("half of one value", half, 0.3, func(rng *rand.Rand) (p, q float64) {
		if p, q = normal(-3, 1, 0)(rng); rng.IntN(2) == 0 {
			p = 0.05
		}
		return p, q
	})
	f("nearly one value", half, 0.01, func(rng *rand.Rand) (p, q float64) {
		u := rng.NormFloat64()
		return sigmoid(-3 + 1e-3*u), sigmoid(-3 + u)
	})
	f("0, 1 and between", half, 0.01, func(rng *rand.Rand) (p, q float64) {
		p = min(max(1.2*rng.Float64()-0.1, 0), 1)
		return p, 0.1 + 0.8*p
	})
	f("normal logits, small", small, 0.1, normal(-2, 1.5, 0.5))
	f("a rate of 0.001, small", small, 0.2, normal(-8, 1.5, 0.5))
}
