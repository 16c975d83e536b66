package quantile

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExactKeysKeepFourDigits(t *testing.T) {
	same := [][2]float64{{1.23449, 1.23441}, {0.99999, 1.00001}, {-5.00004, -5.00001}, {0, math.Copysign(0, -1)}, {1e30, 1.00001e30}, {9.99996e-5, 1.00004e-4}}
	other := [][2]float64{{1.234, 1.235}, {1.5, -1.5}, {123456, 123457}, {1.5, 15.5}, {0.001, 0.0011}, {1e300, 1e301}, {1e-300, 2e-300}}
	for _, p := range same {
		if exact(p[0]) != exact(p[1]) {
			t.Errorf("%v and %v differ", p[0], p[1])
		}
	}
	for _, p := range other {
		if exact(p[0]) == exact(p[1]) {
			t.Errorf("%v and %v are the same", p[0], p[1])
		}
	}
}

func TestAReservoirStaysSortedAndFull(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var q Reservoir
	for i := range 5000 {
		v := math.Floor(r.NormFloat64() * 50)
		if k, kept := q.draw(r.Uint64()); kept {
			q.Put(k, v)
		}
		below, notAbove := q.rank(v)
		a, b := 0, 0
		for j, w := range q.sorted {
			if j > 0 && q.sorted[j-1] > w {
				t.Fatal("not sorted")
			}
			if w < v {
				a++
			}
			if w <= v {
				b++
			}
		}
		if a != below || b != notAbove || len(q.sorted) != min(i+1, Size) {
			t.Fatalf("rank of %v is %d, %d; want %d, %d among %d", v, below, notAbove, a, b, len(q.sorted))
		}
	}
}
