package sequential

import (
	"math"
	"math/rand/v2"
	"testing"
)

// source makes the differences of a stream, one a unit, from a seed.
type source func(rng *rand.Rand) func() float64

func normal(rng *rand.Rand) func() float64 { return rng.NormFloat64 }

// student is Student's t, whose tails are heavy.
func student(freedom int) source {
	return func(rng *rand.Rand) func() float64 {
		return func() float64 {
			z, v := rng.NormFloat64(), 0.
			for range freedom {
				x := rng.NormFloat64()
				v += x * x
			}
			return z / math.Sqrt(v/float64(freedom))
		}
	}
}

// alike is a series whose neighbours have a correlation of phi.
func alike(phi float64) source {
	return func(rng *rand.Rand) func() float64 {
		x := 0.
		return func() float64 {
			x = phi*x + rng.NormFloat64()
			return x
		}
	}
}

// scaled is normal with a standard deviation that changes with the unit's number, from 1.
func scaled(deviation func(t float64) float64) source {
	return func(rng *rand.Rand) func() float64 {
		t := 0.
		return func() float64 {
			t++
			return rng.NormFloat64() * deviation(t)
		}
	}
}

// season is a mean that goes up and down, and is 0 over each period.
func season(height, period float64) source {
	return func(rng *rand.Rand) func() float64 {
		t := rng.Float64() * period
		return func() float64 {
			t++
			return rng.NormFloat64() + height*math.Sin(2*math.Pi*t/period)
		}
	}
}

// watched adds up to n units of a stream and looks after each. It returns after how many the
// interval did not hold 0 for the first time, 0 for never.
func watched(s source, mean float64, seed uint64, n int) int {
	var c Comparison
	next := s(rand.New(rand.NewPCG(seed, 14)))
	for i := range n {
		c.Add(Block{Examples: 500, Positives: 50, Weight: 500, Difference: next() + mean})
		if low, high, ok := c.Interval(0.05); ok && (low > 0 || high < 0) {
			return i + 1
		}
	}
	return 0
}

func TestEqualNetworksAreRarelyToldApartHoweverLongOneWatches(t *testing.T) {
	const units = 1500
	seeds := seedsOfStreams(t)
	f := func(name string, s source, most float64) {
		t.Helper()
		wrong := uint64(0)
		for seed := range seeds {
			if watched(s, 0, seed, units) > 0 {
				wrong++
			}
		}
		t.Logf("%-28s %.1f of 100 seeds", name, 100*float64(wrong)/float64(seeds))
		if float64(wrong) > most*float64(seeds) {
			t.Errorf("%s: %d of %d streams without a difference were told apart, want %.0f at most", name, wrong, seeds, most*float64(seeds))
		}
	}
	f("normal", normal, 0.05)
	f("t, 3 degrees of freedom", student(3), 0.05)
	f("t, 2 degrees of freedom", student(2), 0.05)
	f("variance falls as 1/t", scaled(func(t float64) float64 { return 1 / math.Sqrt(t) }), 0.05)
	f("variance x100 after 100", scaled(func(t float64) float64 {
		if t > 100 {
			return 10
		}
		return 1
	}), 0.06)
	f("variance changes every 50", scaled(func(t float64) float64 { return 1 + 4*float64(int(t/50)%2) }), 0.06)
	f("neighbours' correlation 0.1", alike(0.1), 0.06)
	f("neighbours' correlation 0.3", alike(0.3), 0.08)
	f("a season of 24 units", season(0.5, 24), 0.05)
}

func TestADifferenceIsFound(t *testing.T) {
	seeds := seedsOfStreams(t)
	f := func(mean float64, units int, least float64) {
		t.Helper()
		found := uint64(0)
		for seed := range seeds {
			if watched(normal, mean, seed, units) > 0 {
				found++
			}
		}
		t.Logf("%.2f standard deviations in %d units: %.1f of 100 seeds", mean, units, 100*float64(found)/float64(seeds))
		if float64(found) < least*float64(seeds) {
			t.Errorf("a difference of %v standard deviations was found in %d of %d streams of %d units, want %.0f", mean, found, seeds, units, least*float64(seeds))
		}
	}
	f(0.45, 100, 0.9)
	f(0.62, 60, 0.9)
	f(0.2, 500, 0.9)
}

// One network is better at first and the other later. At each time the interval holds the mean of
// the differences so far.
func TestTheIntervalHoldsTheMeanSoFarOfADriftingDifference(t *testing.T) {
	const units = 1500
	seeds := seedsOfStreams(t)
	missed := uint64(0)
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 16))
		var c Comparison
		sum := 0.
		for i := range units {
			mean := 0.5 - float64(i)/units
			sum += mean / 500
			c.Add(Block{Examples: 500, Positives: 50, Weight: 500, Difference: rng.NormFloat64() + mean})
			if low, high, ok := c.Interval(0.05); ok && !(low <= sum/float64(i+1) && sum/float64(i+1) <= high) {
				missed++
				break
			}
		}
	}
	if missed > seeds*5/100 {
		t.Errorf("in %d of %d streams the interval missed the mean so far", missed, seeds)
	}
}

// The differences of rare positives are skewed: one network predicts more than the truth, the other
// less, and both lose as much by that.
func TestRarePositivesAreNoDifference(t *testing.T) {
	seeds := seedsOfStreams(t)
	f := func(rate float64, blocks int) {
		t.Helper()
		wrong := uint64(0)
		for seed := range seeds {
			var c Comparison
			rng := rand.New(rand.NewPCG(seed, 15))
			for range blocks {
				b := Block{Examples: 500, Weight: 500}
				for p := rng.ExpFloat64(); p < rate*500; p += rng.ExpFloat64() {
					b.Positives++
				}
				b.Difference = 0.6 * (float64(b.Positives) - rate*500)
				c.Add(b)
				if low, high, ok := c.Interval(0.05); ok && (low > 0 || high < 0) {
					wrong++
					break
				}
			}
		}
		t.Logf("rate %g: %.1f of 100 seeds", rate, 100*float64(wrong)/float64(seeds))
		if wrong > seeds*6/100 {
			t.Errorf("at a rate of %v, %d of %d streams without a difference were told apart", rate, wrong, seeds)
		}
	}
	f(0.0002, 30_000)
	f(0.001, 8000)
	f(0.01, 1500)
}

// The interval is the set of all means that the martingale does not refute.
func TestTheIntervalInvertsTheMartingale(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var c Comparison
	var d, w []float64
	for range 60 {
		b := Block{Examples: 500, Positives: 100, Weight: 100 + 400*rng.Float64()}
		b.Difference = 0.01*b.Weight + 3*rng.NormFloat64() - 2*float64(len(d)%2) // neighbours are unlike
		c.Add(b)
		d, w = append(d, b.Difference), append(w, b.Weight)
	}
	evidence := func(m float64) float64 {
		n, sum, squares := float64(len(d)), 0., 0.
		for i := range d {
			r := d[i] - m*w[i]
			sum, squares = sum+r, squares+r*r
		}
		t2 := sum * sum / n / ((squares - sum*sum/n) / (n - 1))
		return math.Pow(1+g*n, -0.5) * math.Pow((1+t2/(n-1))/(1+t2/((n-1)*(1+g*n))), n/2)
	}
	low, high, ok := c.Interval(0.05)
	if !ok || !(low < c.Mean() && c.Mean() < high) {
		t.Fatalf("the interval is %v to %v, %v, about %v", low, high, ok, c.Mean())
	}
	for _, end := range []float64{low, high} {
		if e := evidence(end); math.Abs(e-20) > 1e-6 {
			t.Errorf("at the end %v the martingale is %v, want 20", end, e)
		}
	}
	if narrow, wide, _ := c.Interval(0.2); !(narrow > low && wide < high) {
		t.Errorf("with less confidence the interval is %v to %v, not within %v to %v", narrow, wide, low, high)
	}
}

func TestWhatCannotBeToldHasNoInterval(t *testing.T) {
	f := func(name string, blocks int, b func(i int) Block) {
		t.Helper()
		var c Comparison
		for i := range blocks {
			c.Add(b(i))
		}
		if low, high, ok := c.Interval(0.05); ok {
			t.Errorf("%s: the interval is %v to %v", name, low, high)
		}
	}
	whole := func(difference float64) Block {
		return Block{Examples: 500, Positives: 100, Weight: 500, Difference: difference}
	}
	f("nothing", 0, nil)
	f("few blocks", 10, func(i int) Block { return whole(1 + 0.001*float64(i)) })
	f("no differences", 100, func(int) Block { return whole(0) })
	f("no positives", 100, func(i int) Block { return Block{Examples: 500, Weight: 500, Difference: float64(i)} })
	f("no weights", 100, func(i int) Block { return Block{Examples: 500, Positives: 100, Difference: float64(i)} })
	f("one block has all the weight", 100, func(i int) Block {
		b := whole(float64(i % 3))
		if i == 50 {
			b.Weight = 1e12
		}
		return b
	})
	f("no numbers", 100, func(i int) Block { return whole(math.NaN()) })
	f("too large numbers", 100, func(i int) Block { return whole(math.Pow(-1, float64(i)) * 1e200) })
}

func BenchmarkAdd(b *testing.B) {
	var c Comparison
	rng := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		c.Add(Block{Examples: 500, Positives: 50, Weight: 500, Difference: rng.NormFloat64()})
		c.Interval(0.05)
	}
}
