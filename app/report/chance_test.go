package report

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, want %v within %v", what, got, want, within)
	}
}

// The exact intervals are those of Garwood (1936), from tables.
func TestPoissonIsNearTheExactInterval(t *testing.T) {
	f := func(k, wantLow, wantHigh float64) {
		t.Helper()
		low, high := poisson(k, z95)
		near(t, "low", low, wantLow, 0.001*max(wantLow, 1))
		near(t, "high", high, wantHigh, 0.001*wantHigh)
	}
	f(0, 0, 3.689)
	f(1, 0.0253, 5.572)
	f(5, 1.623, 11.668)
	f(10, 4.795, 18.390)
	f(29, 19.42, 41.65)
	f(30, 20.24, 42.83)
	f(100, 81.36, 121.63)
}

func TestWilsonsIntervalHoldsTheRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	held, all := 0, 0
	for range 4000 {
		p, n, k := 0.02+0.2*rng.Float64(), 500, 0
		for range n {
			k += b2i(rng.Float64() < p)
		}
		f := rate(float64(k), float64(n))
		held, all = held+b2i(f.low <= p && p <= f.high), all+1
	}
	near(t, "coverage", float64(held)/float64(all), 0.95, 0.012)
	if none := rate(0, 0); none.known() {
		t.Errorf("the rate of nothing is %v", none)
	}
}

// Two figures that are equal are called different in one of twenty, one by one; all of a table
// together, too, after Holm.
func TestEqualSidesSeldomDifferByMoreThanChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	count := func(p float64, n int) figure {
		k := 0
		for range n {
			k += b2i(rng.Float64() < p)
		}
		return rate(float64(k), float64(n))
	}
	const tables, rows = 1000, 6
	single, tablesWrong := 0, 0
	for range tables {
		chances := make([]float64, rows)
		for i := range chances {
			p := 0.05 + 0.3*rng.Float64()
			chances[i] = difference(count(p, 300), count(p, 700)).chance()
			single += b2i(chances[i] < alpha)
		}
		wrong := false
		for _, more := range holm(chances) {
			wrong = wrong || more
		}
		tablesWrong += b2i(wrong)
	}
	near(t, "share of single differences", float64(single)/(tables*rows), 0.05, 0.015)
	if share := float64(tablesWrong) / tables; share > 0.07 {
		t.Errorf("%v of the tables call some difference more than chance, want at most 0.05", share)
	}
}

func TestALargeDifferenceIsMoreThanChance(t *testing.T) {
	d := difference(rate(500, 10_000), rate(650, 10_000))
	near(t, "difference", d.value, 0.015, 1e-12)
	if d.low <= 0 || d.chance() > 1e-4 {
		t.Errorf("a difference of %v has the chance %v", d, d.chance())
	}
	if unbounded := difference(certain(1), certain(2)); unbounded.chance() != 1 {
		t.Errorf("without intervals the chance is %v", unbounded.chance())
	}
}

func TestHolmStopsAtTheFirstThatMayBeChance(t *testing.T) {
	got := holm([]float64{0.04, 0.001, 0.02, 0.5})
	want := []bool{false, true, false, false} // 0.02 > 0.05/3
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestQuantilesOfChance(t *testing.T) {
	near(t, "z", normalQuantile(0.025), z95, 1e-9)
	near(t, "chi-squared of 1", chiSquared(1, 0.05), 3.841, 0.15)
	near(t, "chi-squared of 9", chiSquared(9, 0.05), 16.919, 0.03)
	near(t, "chi-squared of 20", chiSquared(20, 0.001), 45.315, 0.2)
}

func TestCostsOfRareThings(t *testing.T) {
	f := perCount(10, 4)
	near(t, "cost", f.value, 2.5, 1e-12)
	if f.low > 2 || f.high < 4 || f.low < 0.9 || f.high > 10 {
		t.Errorf("%+v", f)
	}
	if none := perCount(10, 0); none.known() || none.text(amount) != "–" {
		t.Errorf("what never came costs %v", none.text(amount))
	}
	if r := ratio(12, 10, 10, z95); math.Abs(r.value-1.2) > 1e-12 || r.low > 0.8 || r.high < 2 {
		t.Errorf("%+v", r)
	}
	if r := ratio(12, 0, 0, z95); r.known() {
		t.Errorf("over nothing: %+v", r)
	}
}
