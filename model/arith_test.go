package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExpAndLogAreThoseOfMath(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		x := r.NormFloat64() * 40
		if got, want := exp(x), math.Exp(x); math.Abs(got/want-1) > 1e-14 {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
		y := math.Exp(r.NormFloat64() * 30)
		if got, want := log(y), math.Log(y); math.Abs(got-want) > 1e-14*max(1, math.Abs(want)) {
			t.Fatalf("log(%v) = %v, want %v", y, got, want)
		}
	}
	if sigmoid(0) != 0.5 || !finite(exp(1e9)) || exp(-1e9) < 0 {
		t.Fatal("the ends are wrong")
	}
}

func TestNormalNumbersAreAboutNormal(t *testing.T) {
	var sum, square float64
	const n = 100000
	for i := range n {
		v := float64(normal(mix(3, uint64(i)), 2))
		sum, square = sum+v, square+v*v
	}
	if m, d := sum/n, math.Sqrt(square/n); math.Abs(m) > 0.03 || math.Abs(d-2) > 0.03 {
		t.Fatalf("mean %v, deviation %v", m, d)
	}
}

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
	var q reservoir
	for i := range 5000 {
		v := math.Floor(r.NormFloat64() * 50)
		if k := q.victim(r.Uint64()); k > -2 {
			q.put(k, v)
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
		if a != below || b != notAbove || len(q.sorted) != min(i+1, reservoirSize) {
			t.Fatalf("rank of %v is %d, %d; want %d, %d among %d", v, below, notAbove, a, b, len(q.sorted))
		}
	}
}

func TestHashesOfShortTextsDiffer(t *testing.T) {
	seen, low := map[uint64]string{}, map[uint64]bool{}
	add := func(s string) {
		h := TokenHash(s)
		if o, ok := seen[h]; ok && o != s {
			t.Fatalf("%q and %q collide", s, o)
		}
		seen[h], low[h>>40] = s, true
	}
	b := []byte{}
	for i := range 1 << 16 {
		add(string(append(b[:0], byte(i), byte(i>>8))))
		add(string(append(b[:0], 'k', 'e', 'y', byte(i), '-', byte(i>>8))))
		add(string(append(b[:0], "a longer text than that: "[:20+i&3]...)) + string(rune(i)))
	}
	if len(low) < len(seen)*98/100 {
		t.Fatalf("%d texts give only %d upper parts", len(seen), len(low))
	}
}
