package model

import (
	"testing"

	"github.com/clickloop/clickloop/model/internal/kernel"
)

// mustKeepWealth fails if a coin has lost more than it had: its bets would be on the wrong side
// from there on.
func mustKeepWealth(t *testing.T, n *Net, about string) {
	t.Helper()
	for i := 1; i < n.tokensCQP.Len; i++ {
		v := (*kernel.EntryCQP)(n.tokensCQP.Ptr(uint32(i)))
		for k, bank := range [3]float64{constantC.wealth, constantQ.wealth, constantP.wealth} {
			if bank+float64(v.Won[k]) < 0 {
				t.Fatalf("%s: token %d has wealth %v", about, i, bank+float64(v.Won[k]))
			}
		}
	}
	for i := 1; i < n.tokensJT.Len; i++ {
		if r := n.tokensJT.At(uint32(i))[n.tokensJT.KeptAt+3]; constantJ.wealth+float64(r) < 0 {
			t.Fatalf("%s: token %d has wealth %v in J", about, i, constantJ.wealth+float64(r))
		}
	}
	m := mixtureOf(n)
	for i, k := range []constant{m.cqp.constantC, m.j.constant, m.cqp.constantQ, m.cqp.constantP} {
		if wealth := k.wealth + k.bet[2]; wealth < 0 {
			t.Fatalf("%s: the constant of member %d has wealth %v", about, i, wealth)
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
