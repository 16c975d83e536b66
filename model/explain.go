package model

import "math"

// Contribution is how far one field moves a prediction.
type Contribution struct {
	Field uint64  // hash of its name
	Shift float64 // of the logit, towards the positive or against it
}

// Explain appends the contribution of each field of an example, in the order of their first
// features: the logit of the prediction minus that without the field. It says what the network does
// with the field, whatever parts it is made of. The shifts need not add up to the logit, as fields
// work together. It costs one Predict a field and one more, and allocates nothing once dst and the
// Scratch have grown. The output must be sigmoid or softmax.
func (r *Replica) Explain(dst []Contribution, x []Feature, s *Scratch) []Contribution {
	whole, from := logit(r.Predict(x, s)), len(dst)
next:
	for i := range x {
		for _, c := range dst[from:] {
			if c.Field == x[i].Field {
				continue next
			}
		}
		s.without = s.without[:0]
		for _, f := range x {
			if f.Field != x[i].Field {
				s.without = append(s.without, f)
			}
		}
		dst = append(dst, Contribution{x[i].Field, whole - logit(r.Predict(s.without, s))})
	}
	return dst
}

func logit(p float64) float64 {
	p = min(max(p, 1e-12), 1-1e-12)
	return math.Log(p / (1 - p))
}
