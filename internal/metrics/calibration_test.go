package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"
)

func TestCalibrationFindsTheLineThatWasDrawn(t *testing.T) {
	f := func(intercept, slope float64) {
		t.Helper()
		rng := rand.New(rand.NewPCG(3, 4))
		a := New()
		for range 300_000 {
			z := 1.5 * rng.NormFloat64() // the prediction's logit
			p, actual := 1/(1+math.Exp(-z)), 1/(1+math.Exp(-intercept-slope*z))
			a.Add(p, float64(b2i(rng.Float64() < actual)), 1)
		}
		gotIntercept, gotSlope := a.Calibration()
		near(t, "intercept", gotIntercept, intercept, 0.02)
		near(t, "slope", gotSlope, slope, 0.02)
	}
	f(0, 1)
	f(-1, 1)     // too high
	f(0, 0.5)    // too extreme
	f(0.3, 1.7)  // too timid
	f(-0.2, -.4) // the wrong way round
}

func TestCalibrationIsUndefinedWithoutALine(t *testing.T) {
	f := func(what string, examples ...[2]float64) {
		t.Helper()
		a := New()
		for _, e := range examples {
			a.Add(e[0], e[1], 1)
		}
		if intercept, slope := a.Calibration(); !math.IsNaN(intercept) || !math.IsNaN(slope) {
			t.Errorf("%s: intercept %v, slope %v", what, intercept, slope)
		}
	}
	f("nothing")
	f("no positive", [2]float64{0.3, 0}, [2]float64{0.6, 0})
	f("no negative", [2]float64{0.3, 1}, [2]float64{0.6, 1})
	f("one score", [2]float64{0.3, 1}, [2]float64{0.3, 0})
	f("a score parts the classes", [2]float64{0.3, 0}, [2]float64{0.4, 0}, [2]float64{0.6, 1}, [2]float64{0.9, 1})
}

// What the accumulator counts in bins is what gonum computes of all examples.
func TestMetricsAreThoseOfGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	type example struct{ p, y, w float64 }
	all := make([]example, 20_000)
	a := New()
	var losses, ws []float64
	for i := range all {
		p := 1 / (1 + math.Exp(2-1.5*rng.NormFloat64()))
		all[i] = example{p, float64(b2i(rng.Float64() < p*p)), float64(1 + rng.IntN(3))}
		a.Add(p, all[i].y, all[i].w)
		losses, ws = append(losses, -all[i].y*math.Log(p)-(1-all[i].y)*math.Log1p(-p)), append(ws, all[i].w)
	}
	r := a.Result()
	near(t, "log loss", r.LogLoss, stat.Mean(losses, ws), 1e-12)
	slices.SortFunc(all, func(a, b example) int { return int(math.Copysign(1, a.p-b.p)) })
	var score, weight []float64
	var class []bool
	for _, e := range all {
		score, class, weight = append(score, e.p), append(class, e.y == 1), append(weight, e.w)
	}
	tpr, fpr, _ := stat.ROC(nil, score, class, weight)
	near(t, "AUC", r.AUC, integrate.Trapezoidal(fpr, tpr), 1e-12)
	share := a.positive / a.weight
	near(t, "normalized entropy", r.NormalizedEntropy, r.LogLoss/stat.Entropy([]float64{share, 1 - share}), 1e-12)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
