package scorer

import (
	"math/rand/v2"

	"github.com/cespare/xxhash/v2"
)

// Names of policies.
const (
	policyGreedy  = "greedy"
	policyEpsilon = "epsilon"
)

// choose puts the chosen of q's candidates, which are sorted, in front, notes with which
// probability each one came among them, and returns the policy's name.
//
// With probability 1-epsilon the best are chosen; otherwise the first place goes to one of all,
// each with the same probability, and the places behind it to the best of the others. Randomness
// comes from the seed and the request's id, so a request sent again chooses the same.
func (s *Scorer) choose(q *request) string {
	n := len(q.candidates)
	for i := range q.candidates {
		q.candidates[i].propensity = propensity(i, int(q.choose), n, s.cfg.Epsilon)
	}
	if s.cfg.Epsilon == 0 || n < 2 || q.choose == 0 {
		return policyGreedy
	}
	rng := rand.New(rand.NewPCG(s.cfg.Seed, xxhash.Sum64String(q.id)))
	if rng.Float64() < s.cfg.Epsilon {
		pick := rng.IntN(n)
		explored := q.candidates[pick]
		copy(q.candidates[1:pick+1], q.candidates[:pick])
		q.candidates[0] = explored
	}
	return policyEpsilon
}

// propensity is the probability with which the candidate of a rank (from 0) is among k chosen of n.
// The best k-1 always are: an exploration takes one place of the k, and they are the best of the
// others.
func propensity(rank, k, n int, epsilon float64) float64 {
	switch {
	case rank < k-1:
		return 1
	case rank == k-1:
		return 1 - epsilon + epsilon*float64(k)/float64(n)
	}
	return epsilon / float64(n)
}
