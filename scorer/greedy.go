package scorer

import "math/rand/v2"

// greedy chooses the best.
func greedy() *policy {
	return &policy{text: "greedy", choose: chooseBest, capped: func(c *capping, ranked []Scored, _ *rand.Rand) int {
		return c.chooseBest(ranked)
	}}
}

func chooseBest(d *decision) {
	for i := range d.ranked {
		d.ranked[i].Propensity = 0
		if i < d.k {
			d.ranked[i].Propensity = 1
		}
	}
}
