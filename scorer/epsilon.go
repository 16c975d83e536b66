package scorer

import "math/rand/v2"

// epsilon chooses the best with probability 1 - share. Otherwise it explores: the first place goes
// to any candidate, each with the same probability, and the places behind it to the best of the
// others.
func epsilon(share float64) *policy {
	return &policy{choose: func(d *decision) {
		n := len(d.ranked)
		for i := range d.ranked {
			d.ranked[i].Propensity = epsilonPropensity(i, d.k, n, share)
		}
		if d.random.Float64() < share {
			pick := d.random.IntN(n)
			explored := d.ranked[pick]
			copy(d.ranked[1:pick+1], d.ranked[:pick])
			d.ranked[0] = explored
		}
	}, capped: func(c *capping, ranked []Scored, random *rand.Rand) int {
		return c.explore(ranked, share, random)
	}}
}

// epsilonPropensity is the probability with which the candidate of a rank (from 0) is among k
// chosen of n. The best k-1 always are: an exploration takes one of the k places, and the best of
// the others get the rest.
func epsilonPropensity(rank, k, n int, epsilon float64) float64 {
	switch {
	case rank < k-1:
		return 1
	case rank == k-1:
		return 1 - epsilon + epsilon*float64(k)/float64(n)
	}
	return epsilon / float64(n)
}
