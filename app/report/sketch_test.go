package report

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantilesOfAgesAreNear(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, top := range []int64{10, 1000, 1e6, 1e12} {
		var a, b ages
		all := make([]int64, 5000)
		for i := range all {
			all[i] = rng.Int64N(top)
			if i%2 == 0 {
				a.add(all[i])
			} else {
				b.add(all[i])
			}
		}
		slices.Sort(all)
		m := merge(&a, &b)
		if m.n != 5000 || m.most != all[4999] {
			t.Errorf("%d ages up to %d, want 5000 up to %d", m.n, m.most, all[4999])
		}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			want := all[min(int(q*5000), 4999)]
			if got := m.quantile(q); got > want || float64(got) < float64(want)*(1-1.0/64)-1 {
				t.Errorf("up to %d: quantile %v is %d, want %d", top, q, got, want)
			}
		}
	}
	var none ages
	if got := none.quantile(0.5); got != 0 {
		t.Errorf("without ages: %d", got)
	}
}

func TestBinsOfAgesRise(t *testing.T) {
	last := -1
	for _, v := range []int64{0, 1, 127, 128, 129, 130, 255, 256, 257, 1 << 20, 1<<62 - 1, 1<<63 - 1} {
		i := ageBin(v)
		if i < last || floorOf(i) > v || (v >= 128 && float64(v-floorOf(i)) > float64(v)/64) || (v < 128 && floorOf(i) != v) {
			t.Errorf("%d is in bin %d, which begins at %d", v, i, floorOf(i))
		}
		last = i
	}
}
