package metrics

import (
	"math"
	"slices"
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
	near(t, "Brier", r.Brier, (0.01+0.04+0.36+0.36)/4, 1e-12)
	near(t, "average precision", r.AveragePrecision, 0.5*1+0.5*2/3, 1e-12)
	near(t, "ECE", r.ECE, (0.1+0.2+0.6+0.6)/4, 1e-12) // a part for each example
	near(t, "lift of fewer than ten examples", r.Lift, math.NaN(), 0)
	near(t, "GAUC without users", r.GAUC, math.NaN(), 0)
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

func TestAddAllocatesNothingOnceThereIsRoom(t *testing.T) {
	f := func(what string, a *Accumulator) {
		t.Helper()
		i := 0.0
		add := func() {
			x := NewPoint(math.Mod(i, 997)/1000, math.Mod(i, 2), 1, uint64(i), 1+uint64(i)%100)
			a.AddPoint(&x)
			i++
		}
		for range 30_000 {
			add()
		}
		a.scores.list = slices.Grow(a.scores.list, 3000)
		if n := testing.AllocsPerRun(1000, add); n != 0 {
			t.Errorf("%s: %v allocations an example", what, n)
		}
	}
	f("scores", New())
	f("bins", NewSized(Small))
	f("users", NewSized(Size{Scores: 100, Bins: 1 << 14, Groups: 256, Users: 1 << 16, Edges: []float64{0.5}}))
}
