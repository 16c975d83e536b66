package scorer

import (
	"cmp"
	"slices"
)

// scoreOf is the score of the i-th candidate with the probabilities p. Without a value expression
// it is the value that is expected of the candidate, by the probability of the first objective. An
// expression may have no result. Policies ask for it with other probabilities than those that are
// served, to learn how uncertain a score is.
func scoreOf(c *Call, q *Request, i int, p []float64) (float64, error) {
	if q.Worth != nil {
		return q.Worth(i, p), nil
	}
	if q.valuation == nil {
		return p[0] * q.Candidates[i].Value, nil
	}
	return q.valuation.score(&c.run, q, i, p)
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
