package scorer

import (
	"cmp"
	"slices"
)

// scoreOf is the score of the i-th candidate with the probabilities p. Without a value expression
// it is the value that is expected of the candidate, by the probability of the first objective. An
// expression without a result refuses the request.
func (e *Engine) scoreOf(c *Call, q *Request, i int, p []float64) float64 {
	if q.valuation == nil {
		return p[0] * q.Candidates[i].Value
	}
	score, err := q.valuation.score(&c.run, q, i, p)
	if err != nil && q.Answer.Err == nil {
		q.Answer.Err = err
	}
	return score
}

// rank sorts candidates by their scores, the best first. Candidates of equal score keep the order
// of the request.
func rank(candidates []Scored) {
	slices.SortStableFunc(candidates, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
}
