package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The ends of the exact interval of a Poisson count are in every table (Garwood 1936).
func TestTheIntervalOfACountIsTheTablesOne(t *testing.T) {
	f := func(positives int, low, high float64) {
		t.Helper()
		a := New()
		for range positives {
			a.Add(0.5, 1, 1)
		}
		a.Add(0.5, 0, 1)
		i := a.ratioInterval()
		near(t, "upper end", i[1], a.predicted/low, 1e-3*i[1])
		near(t, "lower end", i[0], a.predicted/high, 1e-3*i[0])
	}
	f(1, 0.0253, 5.572)
	f(5, 1.623, 11.668)
	f(10, 4.795, 18.39)
	f(100, 81.36, 121.63)
	if i := New().ratioInterval(); !math.IsNaN(i[0]) {
		t.Errorf("without positives: %v", i)
	}
}

// Large counts have the quantiles of a formula that meets those of the function.
func TestQuantilesOfGammaMeet(t *testing.T) {
	for _, q := range []float64{tail, 1 - tail} {
		for _, shape := range []float64{1e5, 1e5 + 1} {
			x := 1 - 1/(9*shape) + math.Copysign(z, q-0.5)*math.Sqrt(1/(9*shape))
			near(t, "quantile", gamma(shape, q)/(shape*x*x*x), 1, 1e-8)
		}
	}
}

// Equal weights scale the count and change no interval, but for the rest that Fay and Feuer add.
func TestWeightsWidenIntervals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	one, same, uneven := New(), New(), New()
	for i := range 4000 {
		p := 0.2 + 0.2*rng.Float64()
		y := float64(b2i(rng.Float64() < p))
		one.Add(p, y, 1)
		same.Add(p, y, 3)
		uneven.Add(p, y, 0.2+9.8*float64(b2i(i%10 == 0)))
	}
	r, s, u := one.Result(), same.Result(), uneven.Result()
	a, b, c := one.Intervals(&r), same.Intervals(&s), uneven.Intervals(&u)
	for k := range 2 {
		near(t, "log loss", b.LogLoss[k], a.LogLoss[k], 1e-12)
		near(t, "AUC", b.AUC[k], a.AUC[k], 1e-12)
		near(t, "predicted over actual", b.PredictedOverActual[k], a.PredictedOverActual[k], 1e-9)
	}
	for name, pair := range map[string][2]Interval{"log loss": {a.LogLoss, c.LogLoss}, "AUC": {a.AUC, c.AUC}, "predicted over actual": {a.PredictedOverActual, c.PredictedOverActual}} {
		if pair[1][1]-pair[1][0] < 1.5*(pair[0][1]-pair[0][0]) {
			t.Errorf("%s: %v with uneven weights, %v without weights", name, pair[1], pair[0])
		}
	}
}

// A replicate counts an example as often on every process: its identity decides, not its place.
func TestIdentitySeedsTheBootstrap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	points := make([]Point, 3000)
	for i := range points {
		p := rng.Float64()
		points[i] = NewPoint(p, float64(b2i(rng.Float64() < p)), 1, rng.Uint64(), 0)
	}
	fold := func(points []Point) Intervals {
		a := New()
		for i := range points {
			a.AddPoint(&points[i])
		}
		r := a.Result()
		return a.Intervals(&r)
	}
	first := fold(points)
	if again := fold(points); again != first {
		t.Errorf("%v, then %v", first, again)
	}
	rng.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	shuffled := fold(points)
	near(t, "lower end", shuffled.LogLoss[0], first.LogLoss[0], 1e-12)
	near(t, "upper end", shuffled.NormalizedEntropy[1], first.NormalizedEntropy[1], 1e-12)
}

func TestCountsOfReplicatesArePoisson(t *testing.T) {
	var seen [8]float64
	for _, replicate := range counts() {
		for _, k := range replicate {
			seen[int(min(k, 7))]++
		}
	}
	p := math.Exp(-1)
	for k := range 5 {
		near(t, "share of a count", seen[k]/(replicates*256), p, 0.005)
		p /= float64(k + 1)
	}
}
