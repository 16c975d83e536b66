package scorer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkPolicy is one choice: its draws and the propensities of the chosen. A tenth of the
// candidates are new, and their scores are as uncertain as can be; in the worst case all are.
func BenchmarkPolicy(b *testing.B) {
	for _, text := range []string{"greedy", "epsilon:0.1", "softmax:0.1", "thompson"} {
		for _, n := range []int{10, 100, 1000} {
			for _, k := range []int{1, 20} {
				if k >= n {
					continue
				}
				b.Run(fmt.Sprintf("%s/candidates=%d/choose=%d", text, n, k), func(b *testing.B) { benchmarkPolicy(b, text, n, k, 10) })
			}
		}
	}
	b.Run("thompson/candidates=1000/choose=32/all-new", func(b *testing.B) { benchmarkPolicy(b, "thompson:1", 1000, 32, 1) })
}

func benchmarkPolicy(b *testing.B, text string, n, k, every int) {
	p, err := parsePolicy(text)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	all := make([]Scored, n)
	for i := range all {
		all[i] = Scored{Index: i, Score: 0.02 * math.Exp(0.6*r.NormFloat64()), Spread: 0.1 + 0.2*r.Float64()}
		if i%every == 0 {
			all[i].Spread = 1
		}
	}
	rank(all)
	var d decision
	var source rand.PCG
	d.random = rand.New(&source)
	ranked := make([]Scored, n)
	for b.Loop() {
		copy(ranked, all)
		d.ranked, d.k = ranked, k
		d.decide(p, 1, &source, "auction-42")
	}
}

// BenchmarkExplore is a request of a hundred candidates from profiles in memory to predictions.
func BenchmarkExplore(b *testing.B) {
	for _, text := range []string{"greedy", "softmax:0.1", "thompson"} {
		b.Run(text, func(b *testing.B) {
			s := newScorer(b, func(u *setup) { u.config.Policy = text })
			trained(b, s, 1000)
			c := read(b, s, bidRequest("r1", 100))
			for b.Loop() {
				c.begin(s.Engine)
				s.score(b.Context(), c, false)
			}
		})
	}
}
