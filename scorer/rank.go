package scorer

import (
	"cmp"
	"slices"
)

// scoreOf is the rule of the ranking: a candidate's score is the value that is expected of it, by
// the probability of the first objective.
func scoreOf(p []float64, value float64) float64 { return p[0] * value }

// rank sorts candidates by their scores, the best first. Candidates of equal score keep the order
// of the request.
func rank(candidates []Scored) {
	slices.SortStableFunc(candidates, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
}
