package scorer

import (
	"cmp"
	"slices"
)

// scoreOf is the rule of the ranking: a candidate's score is the value that is expected of it, by
// the probability of the first objective. Policies ask for it with other probabilities than those
// that are served, to learn how uncertain a score is.
func (e *Engine) scoreOf(q *Request, candidate int, p []float64) float64 {
	return p[0] * q.Candidates[candidate].Value
}

// rank sorts candidates by their scores, the best first. Candidates of equal score keep the order
// of the request.
func rank(candidates []Scored) {
	slices.SortStableFunc(candidates, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
}

// rankAgain is rank of candidates that have come in another order.
func rankAgain(candidates []Scored) {
	slices.SortFunc(candidates, func(a, b Scored) int { return cmp.Compare(a.Index, b.Index) })
	rank(candidates)
}
