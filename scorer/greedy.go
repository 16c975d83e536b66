package scorer

import "math/rand/v2"

// greedy chooses the best.
func greedy(*Config) *policy { return &greedyPolicy }

var greedyPolicy = policy{name: "greedy", choose: func(ranked []Scored, k int, _ *rand.Rand) {
	for i := range ranked {
		ranked[i].Propensity = 0
		if i < k {
			ranked[i].Propensity = 1
		}
	}
}, capped: func(c *capping, ranked []Scored, _ *rand.Rand) int { return c.chooseBest(ranked) }}
