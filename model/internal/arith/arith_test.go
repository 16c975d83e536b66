package arith

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExpAndLogAreThoseOfMath(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		x := r.NormFloat64() * 40
		if got, want := Exp(x), math.Exp(x); math.Abs(got/want-1) > 1e-14 {
			t.Fatalf("Exp(%v) = %v, want %v", x, got, want)
		}
		y := math.Exp(r.NormFloat64() * 30)
		if got, want := Log(y), math.Log(y); math.Abs(got-want) > 1e-14*max(1, math.Abs(want)) {
			t.Fatalf("Log(%v) = %v, want %v", y, got, want)
		}
	}
	for range 100000 {
		x := min(max(r.NormFloat64()*80, -699), 699)
		if got, want := QuickExp(x), math.Exp(x); math.Abs(got/want-1) > 1e-13 {
			t.Fatalf("QuickExp(%v) = %v, want %v", x, got, want)
		}
		y := math.Exp(-20 * r.Float64())
		for _, y := range []float64{y, 1 - y} {
			if got, want := QuickLog(y), math.Log(y); math.Abs(got-want) > 1e-14 {
				t.Fatalf("QuickLog(%v) = %v, want %v", y, got, want)
			}
		}
	}
	if QuickExp(0) != 1 {
		t.Fatal("QuickExp(0) is not 1")
	}
	if Sigmoid(0) != 0.5 || !Finite(Exp(1e9)) || Exp(-1e9) < 0 {
		t.Fatal("the ends are wrong")
	}
}

func TestNormalNumbersAreAboutNormal(t *testing.T) {
	var sum, square float64
	const n = 100000
	for i := range n {
		v := float64(Normal(Mix(3, uint64(i)), 2))
		sum, square = sum+v, square+v*v
	}
	if m, d := sum/n, math.Sqrt(square/n); math.Abs(m) > 0.03 || math.Abs(d-2) > 0.03 {
		t.Fatalf("mean %v, deviation %v", m, d)
	}
}

func TestHashesOfShortTextsDiffer(t *testing.T) {
	seen, low := map[uint64]string{}, map[uint64]bool{}
	add := func(s string) {
		h := Hash([]byte(s))
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
