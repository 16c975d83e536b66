package scorer

import (
	"math"
	"slices"

	"github.com/clickloop/clickloop/model"
)

// doubts are how uncertain the predictions of a request's candidates are: variances of logits by
// field, of one candidate after another, and of each by objective.
type doubts struct {
	objectives int
	variances  []model.FieldVariance
	ends       []int           // of each candidate's objectives
	compared   bool            // alike is of at least one candidate
	alike      []model.Feature // of candidates, in the fields in which none differ
	common     []uint64        // hashes of the names of fields in which no candidates differ
	deviations []float64       // of one candidate's logits, by objective
	high, low  []float64       // one candidate's probabilities a deviation above and below
}

// unknownVariance is that of the logit of a candidate that is scored without weights.
const unknownVariance = 1

func (d *doubts) reset(objectives int) {
	d.objectives, d.variances, d.ends, d.compared = objectives, d.variances[:0], d.ends[:0], false
}

// add adds the variances of what h has predicted last.
func (d *doubts) add(h *heldWeights) {
	if h.replica == nil {
		return
	}
	d.variances = h.replica.weights.Variances(d.variances, h.scratch)
}

// end ends an objective of a candidate. Without weights nothing was added, and its variance is that
// of a field without a name.
func (d *doubts) end() {
	if n := len(d.ends); len(d.variances) == 0 || n > 0 && d.ends[n-1] == len(d.variances) {
		d.variances = append(d.variances, model.FieldVariance{Variance: unknownVariance})
	}
	d.ends = append(d.ends, len(d.variances))
}

// setDeviations sets the deviations of the i-th candidate's logits, without the common fields.
func (d *doubts) setDeviations(i int) {
	d.deviations = d.deviations[:0]
	for j := range d.objectives {
		at, from, sum := i*d.objectives+j, 0, 0.0
		if at > 0 {
			from = d.ends[at-1]
		}
		for _, v := range d.variances[from:d.ends[at]] {
			if !slices.Contains(d.common, v.Field) {
				sum += v.Variance
			}
		}
		d.deviations = append(d.deviations, math.Sqrt(sum))
	}
}

// uncertain says whether all weights of the call can tell how uncertain they are.
func (c *Call) uncertain() bool {
	for i := range c.held {
		if h := &c.held[i]; h.replica != nil && !h.replica.weights.Uncertain() {
			return false
		}
	}
	return true
}

// setSpreads sets how uncertain the score of each candidate of q is, from the deviations of its
// logits: half the distance between the scores of a candidate whose logits lie a deviation higher,
// and a deviation lower, all at once. It is the distance of the scores' logarithms, or of the
// scores themselves where a score of the request is negative. So the rule of the ranking may be any
// function of the probabilities. (Of one objective and a probability that is small, the spread is
// the deviation of its logit.)
//
// Fields in which no candidates differ, such as those of the user, move all candidates alike and
// have no part in it. Fields that some candidates share are taken to be uncertain independently.
func (e *Engine) setSpreads(c *Call, q *Request, ranked []Scored) {
	d := &c.doubts
	d.setCommon(c.shared.Encoded)
	signed := anyNegative(ranked)
	for i := range ranked {
		s := &ranked[i]
		d.setDeviations(i)
		d.high, d.low = moved(d.high[:0], s.P, d.deviations, 1), moved(d.low[:0], s.P, d.deviations, -1)
		high, errHigh := scoreOf(c, q, s.Index, d.high)
		low, errLow := scoreOf(c, q, s.Index, d.low)
		if s.Spread = 0; errHigh == nil && errLow == nil {
			s.Spread = spread(s.Score, high, low, signed)
		}
	}
}

// moved appends probabilities whose logits lie some deviations higher.
func moved(dst, p, deviations []float64, by float64) []float64 {
	for j := range p {
		odds := p[j] / (1 - p[j]) * math.Exp(by*deviations[j])
		if math.IsInf(odds, 1) {
			odds = math.MaxFloat64
		}
		dst = append(dst, odds/(1+odds))
	}
	return dst
}

// spread is half the distance of the scores high and low around a score.
func spread(score, high, low float64, signed bool) float64 {
	largest := max(high, low)
	switch {
	case signed:
		return finite(math.Abs(high-low) / 2)
	case score <= 0 || largest <= 0:
		return 0
	case min(high, low) <= 0: // one side tells nothing
		return finite(math.Abs(math.Log(largest / score)))
	}
	return finite(math.Abs(math.Log(high/low)) / 2)
}

func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

func anyNegative(ranked []Scored) bool {
	return slices.ContainsFunc(ranked, func(s Scored) bool { return s.Score < 0 })
}

// compare notes in which of its own fields a candidate is like those before it.
func (d *doubts) compare(own []model.Feature) {
	if !d.compared {
		d.compared, d.alike = true, append(d.alike[:0], own...)
		return
	}
	for i := 0; i < len(d.alike); {
		if of := d.alike[i].Field; differs(of, d.alike, own) || differs(of, own, d.alike) {
			d.alike = slices.DeleteFunc(d.alike, func(f model.Feature) bool { return f.Field == of })
		} else {
			i++
		}
	}
}

// differs says whether a has a feature of the field that b has not.
func differs(field uint64, a, b []model.Feature) bool {
	return slices.ContainsFunc(a, func(f model.Feature) bool { return f.Field == field && !slices.Contains(b, f) })
}

// setCommon finds the fields in which no candidates differ: those of the shared features, and those
// of their own in which all are alike.
func (d *doubts) setCommon(shared []model.Feature) {
	d.common = d.common[:0]
	for _, features := range [...][]model.Feature{shared, d.alike} {
		for i := range features {
			if of := features[i].Field; !slices.Contains(d.common, of) {
				d.common = append(d.common, of)
			}
		}
	}
}
