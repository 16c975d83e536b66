package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, name string, got, want, within float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > within {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

func TestMetricsOfAHandfulAreThoseByHand(t *testing.T) {
	a := New()
	a.Add(0.9, 1, 1)
	a.Add(0.2, 0, 1)
	a.Add(0.6, 0, 1)
	a.Add(0.4, 1, 1)
	r := a.Result()
	near(t, "log loss", r.LogLoss, -(math.Log(0.9)+math.Log(0.8)+math.Log(0.4)+math.Log(0.4))/4, 1e-12)
	near(t, "normalized entropy", r.NormalizedEntropy, r.LogLoss/math.Ln2, 1e-12)
	near(t, "AUC", r.AUC, 0.75, 1e-12)
	near(t, "predicted over actual", r.PredictedOverActual, 2.1/2, 1e-12)
	near(t, "accuracy", r.Accuracy, 0.5, 0)
	near(t, "recall", r.Recall, 0.5, 0)
}

func TestUndefinedMetricsAreNaN(t *testing.T) {
	r := New().Result()
	near(t, "log loss", r.LogLoss, math.NaN(), 0)
	a := New()
	a.Add(0.1, 0, 1)
	r = a.Result()
	near(t, "AUC", r.AUC, math.NaN(), 0)
	near(t, "normalized entropy", r.NormalizedEntropy, math.NaN(), 0)
	near(t, "predicted over actual", r.PredictedOverActual, math.NaN(), 0)
	near(t, "recall", r.Recall, math.NaN(), 0)
}

func TestASureMistakeCostsAFiniteLoss(t *testing.T) {
	a := New()
	a.Add(0, 1, 1)
	a.Add(1, 0, 1)
	near(t, "log loss", a.Result().LogLoss, -math.Log(clamp), 1e-1)
}

// A positive and a negative with one score are half in order.
func TestTiesCountHalfInTheAUC(t *testing.T) {
	f := func(want float64, scores ...float64) { // a prediction and its label by turns
		t.Helper()
		a := New()
		for i := 0; i < len(scores); i += 2 {
			a.Add(scores[i], scores[i+1], 1)
		}
		near(t, "AUC", a.Result().AUC, want, 1e-12)
	}
	f(0.5, 0.3, 1, 0.3, 0)
	f(0.5, 0.3, 1, 0.3, 0, 0.3, 0, 0.3, 1)
	f(0.75, 0.3, 1, 0.3, 0, 0.1, 0)
	f(0.25, 0.3, 1, 0.3, 0, 0.9, 0)
	f(0.625, 0.3, 1, 0.3, 0, 0.1, 0, 0.2, 1)
}

// The histogram's AUC against all pairs.
func TestAUCIsThatOfAllPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a := New()
	type score struct{ p, y float64 }
	var all []score
	for range 2000 {
		p := rng.Float64()
		y := 0.0
		if rng.Float64() < p*p {
			y = 1
		}
		all = append(all, score{p, y})
		a.Add(p, y, 1)
	}
	pairs, above := 0.0, 0.0
	for _, x := range all {
		for _, z := range all {
			if x.y == 1 && z.y == 0 {
				pairs++
				if x.p > z.p {
					above++
				}
			}
		}
	}
	r := a.Result()
	near(t, "AUC", r.AUC, above/pairs, 1e-3)
	if r.ECE < 0 || r.ECE > 1 {
		t.Errorf("ECE is %v", r.ECE)
	}
}

func TestAddAllocatesNothingOnceItsBinsAreThere(t *testing.T) {
	a := New()
	a.Add(0.3, 1, 1)
	if n := testing.AllocsPerRun(100, func() { a.Add(0.3, 0, 1) }); n != 0 {
		t.Errorf("%v allocations an example", n)
	}
}
