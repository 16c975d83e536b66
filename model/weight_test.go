package model

import "testing"

// mustKeepWealth fails if a coin has lost more than it had: its bets would be on the wrong side
// from there on.
func mustKeepWealth(t *testing.T, n *Net, about string) {
	t.Helper()
	for i := 1; i < n.b.len; i++ {
		v := (*second)(n.b.ptr(uint32(i)))
		for k, bank := range [3]float64{wealth[0], wealth[2], wealth[3]} {
			if bank+float64(v.r[k]) < 0 {
				t.Fatalf("%s: token %d has wealth %v", about, i, bank+float64(v.r[k]))
			}
		}
	}
	for i := 1; i < n.a.len; i++ {
		if r := n.a.at(uint32(i))[n.a.serve+3]; wealth[1]+float64(r) < 0 {
			t.Fatalf("%s: token %d has wealth %v in J", about, i, wealth[1]+float64(r))
		}
	}
	for i := range 4 {
		if r := n.numO[coinAt[i]+2]; wealth[i]+r < 0 {
			t.Fatalf("%s: the constant of member %d has wealth %v", about, i, wealth[i]+r)
		}
	}
}

func TestHeavyExamplesAmongLightOnesAreLearned(t *testing.T) {
	xs, ys := stream(3, sized(3000))
	f := func(w float64, every int) {
		t.Helper()
		n := mustNew(t, nil)
		s := n.NewScratch()
		for i, x := range xs {
			weight := 1.0
			if i%every == 0 {
				weight = w
			}
			if p, err := n.Learn(x, ys[i], weight, s); err != nil || !(p >= 0 && p <= 1) {
				t.Fatalf("weight %v every %d: example %d gives %v, %v", w, every, i, p, err)
			}
		}
		mustKeepWealth(t, n, "heavy")
	}
	f(10, 2)
	f(10, 50)
	f(100, 3)
	f(1000, 2)
	f(1e6, 2)
	f(1e6, 50)
	f(0.001, 2)
	f(-1, 3)
}

// A positive that comes late undoes the negative that was learned in its place.
func TestLabelsOfAnyWeightCanBeUndone(t *testing.T) {
	xs, ys := stream(3, sized(3000))
	for _, w := range []float64{1, 10, 1e6} {
		n := mustNew(t, nil)
		s := n.NewScratch()
		learn := func(i int, y, w float64) {
			if p, err := n.Learn(xs[i], y, w, s); err != nil || !(p >= 0 && p <= 1) {
				t.Fatalf("weight %v: example %d gives %v, %v", w, i, p, err)
			}
		}
		for i := range xs {
			learn(i, ys[i], w)
			if late := i - 20; late >= 0 && late%3 == 0 {
				learn(late, ys[late], -w)
				learn(late, 1-ys[late], w)
			}
		}
		mustKeepWealth(t, n, "undone")
	}
}
