package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The bin by the table is that of the logarithm, also beside the edges of bins.
func TestABinIsThatOfTheLogarithm(t *testing.T) {
	f := func(q float64) {
		t.Helper()
		q = min(max(q, clamp), 1-clamp)
		if got, want := binOf(q), exactBin(q); got != want {
			t.Errorf("%v is in bin %d, want %d", q, got, want)
		}
	}
	for _, q := range []float64{0, 1, 0.5, 0.25, 0.75, math.Nextafter(0.5, 0), math.Nextafter(0.5, 1)} {
		f(q)
	}
	for k := -36 * binsPerUnit; k <= 36*binsPerUnit; k += 1021 {
		edge := 1 / (1 + math.Exp(-float64(k)/binsPerUnit))
		for _, q := range []float64{edge, math.Nextafter(edge, 0), math.Nextafter(edge, 1), edge * (1 - 1e-12), edge * (1 + 1e-12), edge * (1 - 1e-10), edge * (1 + 1e-10), edge * (1 - 1e-9), edge * (1 + 1e-9)} {
			f(q)
		}
	}
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300_000 {
		f(rng.Float64())
		f(math.Exp(-35 * rng.Float64()))
		f(1 - math.Exp(-35*rng.Float64()))
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

// The hash table counts what a map counts.
func TestBinsAreAMapInOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	var s bins
	want := map[int32]float64{}
	for range 100_000 {
		key := int32(rng.IntN(40_000)) - 20_000
		if rng.IntN(2) == 0 {
			key /= 64
		}
		s.of(key).positive += 3
		want[key] += 3
	}
	last := int32(math.MinInt32)
	list := s.sorted()
	for _, b := range list {
		if b.key <= last || b.positive != want[b.key] {
			t.Fatalf("seed %d: after bin %d comes %d with %v, want %v", seed, last, b.key, b.positive, want[b.key])
		}
		last = b.key
	}
	if len(list) != len(want) {
		t.Errorf("seed %d: %d bins, want %d", seed, len(list), len(want))
	}
}
