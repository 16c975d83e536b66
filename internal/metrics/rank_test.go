package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// plain computes metrics of ranking as they are defined, in time that grows with the square of the
// examples.
func plain(all []ofOne) (auc, averagePrecision, lift, ece float64) {
	var positives, negatives, pairs float64
	for _, x := range all {
		positives += x.w * x.y
		negatives += x.w * (1 - x.y)
		for _, o := range all {
			pairs += x.w * x.y * o.w * (1 - o.y) * above(x.p, o.p)
		}
	}
	for _, x := range all { // precision at the threshold of each positive
		var hit, above float64
		for _, o := range all {
			if o.p >= x.p {
				above += o.w
				hit += o.w * o.y
			}
		}
		averagePrecision += x.w * x.y / positives * hit / above
	}
	// each example takes the mean label and probability of its score: so no order of equal scores
	// counts
	byScore := slices.Clone(all)
	slices.SortFunc(byScore, func(a, b ofOne) int { return int(math.Copysign(1, a.p-b.p)) })
	for i := 0; i < len(byScore); {
		k, y, w := i, 0.0, 0.0
		for ; k < len(byScore) && byScore[k].p == byScore[i].p; k++ {
			y, w = y+byScore[k].w*byScore[k].y, w+byScore[k].w
		}
		for ; i < k; i++ {
			byScore[i].y = y / w
		}
	}
	// between takes the examples from one weight to another, counted from the lowest score
	between := func(from, to float64) (predicted, actual float64) {
		at := 0.0
		for _, x := range byScore {
			share := max(0, min(at+x.w, to)-max(at, from))
			predicted, actual = predicted+share*x.p, actual+share*x.y
			at += x.w
		}
		return predicted, actual
	}
	weight := positives + negatives
	_, found := between(0.9*weight, weight)
	for k := range 15 {
		predicted, actual := between(weight*float64(k)/15, weight*float64(k+1)/15)
		ece += math.Abs(predicted-actual) / weight
	}
	return pairs / (positives * negatives), averagePrecision, found / (0.1 * positives), ece
}

func TestRanksAreThoseOfTheirDefinitions(t *testing.T) {
	f := func(examples int, values, maxWeight float64) {
		t.Helper()
		rng := rand.New(rand.NewPCG(uint64(examples), uint64(values)))
		a, often := New(), New()
		all := make([]ofOne, examples)
		for i := range all {
			p := math.Floor(values*rng.Float64()) / values
			all[i] = ofOne{p: p, y: float64(b2i(rng.Float64() < p*p)), w: 1 + math.Floor(maxWeight*rng.Float64())/4}
			a.Add(p, all[i].y, all[i].w)
			if often.Add(p, all[i].y, all[i].w); i%97 == 0 {
				often.Result() // which sorts
			}
		}
		r := a.Result()
		auc, ap, lift, ece := plain(all)
		near(t, "AUC", r.AUC, auc, 1e-12)
		near(t, "average precision", r.AveragePrecision, ap, 1e-12)
		near(t, "lift", r.Lift, lift, 1e-9)
		near(t, "ECE", r.ECE, ece, 1e-12)
		if !r.Exact || r.RankError() != 0 || len(r.Parts) != 15 {
			t.Errorf("exact: %v, error %v, %d parts", r.Exact, r.RankError(), len(r.Parts))
		}
		var sum Part
		for _, p := range r.Parts {
			near(t, "a part's weight", p.Weight, a.weight/15, 1e-9)
			sum = Part{sum.Weight + p.Weight, sum.Predicted + p.Predicted, sum.Actual + p.Actual}
		}
		near(t, "the parts' predictions", sum.Predicted, a.predicted, 1e-9)
		near(t, "the parts' labels", sum.Actual, a.positive, 1e-9)
		if again := often.Result(); again.AUC != r.AUC || again.AveragePrecision != r.AveragePrecision || again.ECE != r.ECE || again.Lift != r.Lift {
			t.Errorf("results in between change the metrics: %+v, want %+v", again, r)
		}
	}
	f(100, 1e9, 0)
	f(2000, 1e9, 0)
	f(2000, 1e9, 8)
	f(2000, 7, 0) // ties
	f(2000, 50, 8)
}

// An example of weight 3 is three examples; one of weight 0 is none.
func TestWeightsAreRepeats(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range []Size{Whole, {Scores: 16, Bins: 1 << 14, Groups: 1}} {
		once, repeated := NewSized(size), NewSized(size)
		for range 3000 {
			p := rng.Float64()
			y, w := float64(b2i(rng.Float64() < p)), rng.IntN(4)
			once.Add(p, y, float64(w))
			for range w {
				repeated.Add(p, y, 1)
			}
		}
		r, want := once.Result(), repeated.Result()
		near(t, "AUC", r.AUC, want.AUC, 1e-12)
		near(t, "average precision", r.AveragePrecision, want.AveragePrecision, 1e-12)
		near(t, "lift", r.Lift, want.Lift, 1e-9)
		near(t, "ECE", r.ECE, want.ECE, 1e-12)
		near(t, "Brier", r.Brier, want.Brier, 1e-12)
		near(t, "log loss", r.LogLoss, want.LogLoss, 1e-12)
	}
}

func TestMetricsOfOneClassAreUndefinedWhereTheyCompareClasses(t *testing.T) {
	f := func(y, averagePrecision, lift float64) {
		t.Helper()
		a := New()
		for i := range 100 {
			a.Add(float64(i)/100, y, 1)
		}
		r := a.Result()
		near(t, "AUC", r.AUC, math.NaN(), 0)
		near(t, "normalized entropy", r.NormalizedEntropy, math.NaN(), 0)
		near(t, "average precision", r.AveragePrecision, averagePrecision, 1e-12)
		near(t, "lift", r.Lift, lift, 1e-9)
		near(t, "Brier", r.Brier, map[float64]float64{0: 0.32835, 1: 0.33835}[y], 1e-12)
		if i := a.Intervals(&r); !math.IsNaN(i.LogLoss[0]) || !math.IsNaN(i.NormalizedEntropy[0]) || !math.IsNaN(i.AUC[0]) || math.IsNaN(i.PredictedOverActual[0]) != (y == 0) {
			t.Errorf("label %v: intervals %v", y, i)
		}
	}
	f(0, math.NaN(), math.NaN())
	f(1, 1, 1)
}

// Predictions of exactly 0 and 1 have ranks as all others do, also in bins.
func TestSurePredictionsAreRanked(t *testing.T) {
	for _, size := range []Size{Whole, {Scores: 2, Bins: 64, Groups: 1}} {
		a := NewSized(size)
		for _, e := range [][2]float64{{0, 0}, {0, 0}, {1e-300, 0}, {0.5, 1}, {0.5, 0}, {1, 1}, {1, 0}, {1, 1}} {
			a.Add(e[0], e[1], 1)
		}
		r := a.Result()
		near(t, "AUC", r.AUC, (3.5+2*4.5)/15, r.AUCError+1e-12)
		near(t, "average precision", r.AveragePrecision, (2.0/3+2.0/3+3.0/5)/3, r.AveragePrecisionError+1e-12)
		if math.IsInf(r.LogLoss, 0) || r.Exact != (size.Scores > 2) {
			t.Errorf("log loss %v, exact: %v", r.LogLoss, r.Exact)
		}
	}
}

// A network that has diverged predicts no number: that is measured as undefined, and ends.
func TestPredictionsThatAreNoNumbersLeaveNoRanks(t *testing.T) {
	for _, size := range []Size{Whole, Small} {
		a := NewSized(size)
		for i := range 2000 {
			a.Add(0.5, float64(i%2), 1)
			a.Add(math.NaN(), float64(i%2), 1)
		}
		if r := a.Result(); !math.IsNaN(r.AUC) || !math.IsNaN(r.LogLoss) || r.Examples != 4000 || r.Parts != nil || !math.IsNaN(a.Intervals(&r).LogLoss[0]) {
			t.Errorf("%+v", r)
		}
	}
}

func TestNegativeWeightsLeaveNoRanks(t *testing.T) {
	a := New()
	for i := range 100 {
		a.Add(float64(i)/100, float64(i%2), 1)
	}
	a.Add(0.5, 1, -1)
	r := a.Result()
	intercept, _ := a.Calibration()
	for name, v := range map[string]float64{"AUC": r.AUC, "average precision": r.AveragePrecision, "ECE": r.ECE, "intercept": intercept, "interval": a.Intervals(&r).PredictedOverActual[0]} {
		near(t, name, v, math.NaN(), 0)
	}
	near(t, "Brier", r.Brier, (32.835+50-0.5*100/2-0.25)/99, 1)
}

func TestAHistogramCountsUpToItsEdges(t *testing.T) {
	edges := []float64{0.0005, 0.001, 0.1, 0.5, 0.9}
	a := NewSized(Size{Scores: 2, Bins: 2, Groups: 1, Edges: edges})
	want := make([]int64, len(edges)+1)
	rng := rand.New(rand.NewPCG(5, 6))
	add := func(p float64) {
		a.Add(p, 0, 1)
		i, _ := slices.BinarySearch(edges, p)
		want[i]++
	}
	for _, e := range append([]float64{0, 1}, edges...) {
		add(e)
		add(math.Nextafter(e, 0))
		add(math.Nextafter(e, 1))
	}
	for range 100_000 {
		add(rng.Float64() * math.Exp(-8*rng.Float64()))
	}
	if got := a.Histogram(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
