package model

import (
	"math"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/half"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// FieldVariance is how much of a logit's variance is due to one field of an example.
type FieldVariance struct {
	Field    uint64 // hash of its name
	Variance float64
}

// tokenVariance is the variance of what a token that was never learned adds to the logit. Its
// effect is taken to be normal around zero with this variance, as in a logistic regression with a
// ridge of one: two tokens in three change the odds by less than a factor of e.
const tokenVariance = 1

// Uncertain says whether the replica can tell how uncertain its predictions are. A plain net serves
// no counts of its tokens, and a replica of nothing has none.
func (r *Replica) Uncertain() bool { return r.c.uncertain() }

// Uncertain is Replica.Uncertain.
func (n *Net) Uncertain() bool { return n.core.uncertain() }

// Deviation is the standard deviation of the logit that was predicted last with s, from what the
// network has seen of the example's tokens: the root of what Variances sums up to, NaN where the
// replica is not Uncertain. A token that was never learned has a large part in it; n sightings at a
// rate of p bring its part down to about 1/sqrt(n p (1-p)). It changes nothing but the scratch.
//
// It is the posterior of a Bayesian logistic regression over the tokens, by Laplace's approximation
// with a diagonal matrix of curvature (Chapelle and Li, An Empirical Evaluation of Thompson
// Sampling, 2011, algorithm 3): a token's effect has the variance 1/(1/tokenVariance + n p (1-p)).
// The mixture is no such regression, and its logit is its own. But no network knows a token's
// effect better than its labels tell, which is what the curvature measures. What tokens do together
// has no part in it.
func (r *Replica) Deviation(s *Scratch) float64 { return r.c.deviation(s) }

// Deviation is Replica.Deviation.
func (n *Net) Deviation(s *Scratch) float64 { return n.core.deviation(s) }

// Variances appends the parts that the fields of the example that was predicted last with s have in
// the variance of its logit. Fields that the network does not know yet have none, and neither have
// those beyond the first 63, whose labels are not counted. Where no field is known, there is one
// part, that of a token never learned and of no field (0). Where the replica is not Uncertain
// nothing is appended.
func (r *Replica) Variances(dst []FieldVariance, s *Scratch) []FieldVariance {
	return r.c.variances(dst, s)
}

// Variances is Replica.Variances.
func (n *Net) Variances(dst []FieldVariance, s *Scratch) []FieldVariance {
	return n.core.variances(dst, s)
}

func (c *core) uncertain() bool {
	_, ok := c.engine.(*mixture)
	return ok
}

func (c *core) deviation(s *Scratch) float64 {
	if !c.uncertain() {
		return math.NaN()
	}
	s.t.doubts = c.variances(s.t.doubts[:0], s)
	sum := 0.0
	for _, d := range s.t.doubts {
		sum += d.Variance
	}
	return math.Sqrt(sum)
}

func (c *core) variances(dst []FieldVariance, s *Scratch) []FieldVariance {
	m, ok := c.engine.(*mixture)
	if !ok {
		return dst
	}
	if len(s.row.present) == 0 {
		return append(dst, FieldVariance{Variance: tokenVariance})
	}
	return m.t.variances(dst, &s.row, &s.t)
}

// variances appends the parts of the row's fields. A number is three tokens, which say the same
// with different precision. It is known as well as the best known of them.
//
// Whether a field has numbers is told by the field: of one whole token both rules say the same.
func (m *memberT) variances(dst []FieldVariance, r *row, s *tScratch) []FieldVariance {
	s.variance, s.known = [kernel.Dims]float64{}, [kernel.Dims]float64{}
	for i := range r.tokens {
		t := &r.tokens[i]
		if t.Field >= kernel.Dims-1 || t.X == 0 {
			continue
		}
		information, x2 := m.information(t.Read, r.base), float64(t.X)*float64(t.X)
		if m.fields.numbers[t.Field].Len() > 0 {
			s.known[t.Field] = max(s.known[t.Field], information/x2)
		} else {
			s.variance[t.Field] += x2 / (1/tokenVariance + information)
		}
	}
	for _, f := range r.present {
		if f >= kernel.Dims-1 {
			continue
		}
		if m.fields.numbers[f].Len() > 0 {
			s.variance[f] += 1 / (1/tokenVariance + s.known[f])
		}
		dst = append(dst, FieldVariance{m.fields.hashes[f], s.variance[f]})
	}
	return dst
}

// information is what the labels of an entry's token tell of its effect: n p (1-p), where n is the
// number of sightings, each by the square of its weight, and p the rate of positives among them.
func (m *memberT) information(entry uint32, base float64) float64 {
	var encoding, sightings float64
	if v := m.tokensJT.Ptr(entry); m.half {
		h := (*[sightingsAt + 1]uint16)(v)
		encoding, sightings = float64(half.Float(h[targetAt])), float64(half.Float(h[sightingsAt]))
	} else {
		f := (*[sightingsAt + 1]float32)(v)
		encoding, sightings = float64(f[targetAt]), float64(f[sightingsAt])
	}
	if sightings == 0 {
		return 0
	}
	p := arith.Sigmoid(clipLogit(base + encoding))
	return sightings * sightingUnit * p * (1 - p)
}
