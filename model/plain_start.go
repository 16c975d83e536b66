package model

// A plain net of output sigmoid begins its own weights at one half, whatever the prior: that gives
// the first gradients their strength, without which field-aware vectors and perceptrons stay small
// (online-shoppers .2350 for .2293). So what it says is of no use at first, and until startRows
// examples were learned the base answers in its place as far as the labels say:
//
//	p = base + share (own - base)
//
// The share is the probability, by Bayes' rule, that the labels come from the net rather than from
// the base, times the square of reach; in the second half of the examples it goes up to one at
// least as fast as they come. What the net learns does not depend on it.
const (
	startRows  = 5000
	startShare = 0.001 // of the belief goes back to one half at each example
)

// starts says whether the base answers for the net yet.
func (c *core) starts(n int64) bool {
	return n < startRows && c.cfg.Output == "sigmoid"
}

// startOutput is the prediction of an example, the n-th counted from zero, of which the net itself
// says p.
func (c *core) startOutput(r *row, p float64, n int64) float64 {
	if !c.starts(n) {
		return p
	}
	base := sigmoid(r.base)
	share := max(float64(float64(r.reach*r.reach)*c.num[numNet]), float64(2*n)/startRows-1)
	return base + float64(share*(p-base))
}

// startLearn weighs net and base by the label of an example, of which the net itself says p.
func (c *core) startLearn(r *row, p float64) {
	if !c.starts(r.n) || r.w <= 0 {
		return
	}
	base := sigmoid(r.base)
	own, other := float64(r.y*p)+float64((1-r.y)*(1-p)), float64(r.y*base)+float64((1-r.y)*(1-base))
	own = max(own, leastRate)
	if r.w != 1 {
		own, other = exp(float64(min(r.w, 100)*(log(own)-log(other)))), 1
	}
	own, other = float64(c.num[numNet]*own), float64((1-c.num[numNet])*other)
	c.num[numNet] = float64((1-startShare)*(own/(own+other))) + startShare/2
}
