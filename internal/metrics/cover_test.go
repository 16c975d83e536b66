package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// stream is a simulated stream: logits of true rates are normal, and predictions are these logits
// times slope plus shift.
type stream struct{ mean, deviation, slope, shift float64 }

func (s stream) example(rng *rand.Rand) (p, q float64) {
	t := s.mean + s.deviation*rng.NormFloat64()
	return sigmoid(s.slope*t + s.shift), sigmoid(t)
}

// truth are the metrics of the stream itself: sums over a fine grid of its logits.
func (s stream) truth() (rate, logLoss, normalizedEntropy, auc float64) {
	const n = 20_000
	a := NewSized(Size{Scores: 4 * n, Bins: 16, Groups: 1})
	for i := range n {
		t := -8 + 16*(float64(i)+0.5)/n
		w := math.Exp(-t * t / 2)
		q := sigmoid(s.mean + s.deviation*t)
		a.Add(sigmoid(s.slope*(s.mean+s.deviation*t)+s.shift), q, w)
	}
	r := a.Result()
	return a.positive / a.weight, r.LogLoss, r.NormalizedEntropy, r.AUC
}

// Of 1,000 streams, 93% to 97% have the stream's own metric in the interval. That of predicted over
// actual is wider where positives are frequent: their number varies less than a Poisson variable.
func TestIntervalsCoverTheTruth(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	f := func(s stream, n, groups int, ratioAtMost int) {
		t.Helper()
		rate, logLoss, entropy, auc := s.truth()
		rng := rand.New(rand.NewPCG(uint64(n), math.Float64bits(s.mean)))
		var covered [4]int
		for k := range 1000 {
			a := NewSized(Size{Scores: 2 * n, Bins: 1 << 12, Groups: groups})
			expected := 0.0
			for i := range n {
				p, q := s.example(rng)
				x := NewPoint(p, float64(b2i(rng.Float64() < q)), 1, uint64(k)<<32|uint64(i), 0)
				a.AddPoint(&x)
				expected += q
			}
			r := a.Result()
			v := a.Intervals(&r)
			truths := [...]float64{logLoss, entropy, auc, a.predicted / expected}
			for i, interval := range []Interval{v.LogLoss, v.NormalizedEntropy, v.AUC, v.PredictedOverActual} {
				if truths[i] >= interval[0] && truths[i] <= interval[1] {
					covered[i]++
				}
			}
		}
		t.Logf("%d examples, rate %.4f: %v", n, rate, covered)
		for i, name := range []string{"log loss", "normalized entropy", "AUC", "predicted over actual"} {
			most := 970
			if i == 3 {
				most = ratioAtMost
			}
			if covered[i] < 930 || covered[i] > most {
				t.Errorf("%d examples, rate %.4f: the interval of %s covers %d times of 1000", n, rate, name, covered[i])
			}
		}
	}
	f(stream{-1, 1, 1, 0}, 1000, 256, 1000)
	f(stream{-1, 1, 1, 0}, 1000, 64, 1000) // as of a segment
	f(stream{-3, 1, 1, 0}, 500, 256, 980)
	f(stream{-3, 1, 1.2, 0.2}, 2000, 256, 980) // too extreme and too high
	f(stream{-5, 1, 0.8, 0}, 8000, 256, 970)   // too timid
	f(stream{-5, 1, 1, 0}, 8000, 64, 970)
}
