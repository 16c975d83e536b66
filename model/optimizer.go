package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
)

// rule is the optimizer of a part: how one weight follows its gradient.
//
//	sgd      w -= rate_t g
//	adagrad  n += g^2; w -= rate g / sqrt(n), n from start
//	adam     m, v decaying means of g and g^2; w -= rate m/(1-beta1^t) / (sqrt(v/(1-beta2^t)) + start)
//	ftrl     z += g - (sqrt(n+g^2)-sqrt(n))/rate w; n += g^2; w = -(z -+ l1) / ((beta1+sqrt(n))/rate + l2), 0 where |z| <= l1
//	coin     M = largest |g|; R = max(R - g v, 0); T -= g; G += |g|; v = (start M + R) T / (M max(M+G, 100 M)); w = its start + v
//
// L2 adds l2 w to the gradient; L1 then pulls the weight towards zero by rate l1, and not across
// it. Ftrl has both in its formula, coin betting has neither.
type rule struct {
	Optimizer
	state int // floats kept beside a weight
	rate  float32
	fix   [2]float32 // adam: 1/(1-beta1^t), 1/(1-beta2^t)
}

var optimizerState = map[string]int{"sgd": 0, "adagrad": 1, "adam": 2, "ftrl": 2, "coin": 4}

const maxState = 4

func newRule(o Optimizer) rule {
	return rule{Optimizer: o, state: optimizerState[o.Kind], rate: float32(o.Rate)}
}

// begin makes ready for the example after n; powers holds beta1^t and beta2^t from one example to
// the next.
func (r *rule) begin(n int64, powers []float64) {
	switch r.Kind {
	case "sgd":
		switch t := float64(n); r.Schedule {
		case "inverse":
			r.rate = float32(r.Rate / (1 + float64(r.Decay*t)))
		case "power":
			r.rate = float32(r.Rate * arith.Exp(-float64(r.Decay*arith.Log(1+t))))
		}
	case "adam":
		powers[0], powers[1] = float64(powers[0]*r.Beta1), float64(powers[1]*r.Beta2)
		r.fix = [2]float32{float32(1 / (1 - powers[0])), float32(1 / (1 - powers[1]))}
	}
}

// isPlainAdaGrad says whether the rule is what the vector kernels do.
func (r *rule) isPlainAdaGrad() bool { return r.Kind == "adagrad" && r.L1 == 0 && r.L2 == 0 }

// start sets a weight's state before its first gradient.
func (r *rule) start(state []float32) {
	if r.Kind == "adagrad" {
		state[0] = float32(r.Start)
	}
}

// stepAll moves weights whose gradients are x times those of g. Their states lie one after the
// other.
func (r *rule) stepAll(w, states, g []float32, x float32) {
	for i := range w {
		r.step(&w[i], states[i*r.state:][:r.state], float32(g[i]*x))
	}
}

// step moves the weight w, with its state s, against the gradient g.
func (r *rule) step(w *float32, s []float32, g float32) {
	if r.L2 != 0 && r.Kind != "ftrl" && r.Kind != "coin" {
		g += float32(float32(r.L2) * *w)
	}
	switch r.Kind {
	case "sgd":
		*w -= float32(r.rate * g)
	case "adagrad":
		s[0] += float32(g * g)
		*w -= float32(float32(r.rate*arith.Rsqrt32(s[0])) * g)
	case "adam":
		b1, b2 := float32(r.Beta1), float32(r.Beta2)
		s[0] = float32(b1*s[0]) + float32((1-b1)*g)
		s[1] = float32(b2*s[1]) + float32((1-b2)*float32(g*g))
		*w -= float32(r.rate*float32(s[0]*r.fix[0])) / (arith.Sqrt32(float32(s[1]*r.fix[1])) + float32(r.Start))
	case "ftrl":
		r.ftrl(w, s, g)
		return
	case "coin":
		v := bet(s, float32(r.Start))
		s[0] = max(s[0], arith.Abs32(g))
		s[3] = max(s[3]-float32(g*v), 0)
		s[1] -= g
		s[2] += arith.Abs32(g)
		*w += bet(s, float32(r.Start)) - v
		return
	}
	if r.L1 != 0 {
		pull := float32(r.rate * float32(r.L1))
		*w = max(*w-pull, 0) + min(*w+pull, 0)
	}
}

// bet is the stake of a coin with the state M, T, G, R. Many weights bet on one logit at once, and
// none knows of the others: so wealth never falls below its start, and the first hundred bets are
// small.
func bet(s []float32, start float32) float32 {
	m := s[0]
	if m == 0 {
		return 0
	}
	return float32((start + s[3]/m) * (s[1] / max(m+s[2], float32(100*m))))
}

func (r *rule) ftrl(w *float32, s []float32, g float32) {
	alpha, beta, l1, l2 := float32(r.Rate), float32(r.Beta1), float32(r.L1), float32(r.L2)
	z, n := &s[0], &s[1]
	if *n == 0 && *w != 0 { // a random start is what the formula gives for this z
		*z = -float32(*w * (beta/alpha + l2))
		if *w > 0 {
			*z -= l1
		} else {
			*z += l1
		}
	}
	more := *n + float32(g*g)
	*z += g - float32((arith.Sqrt32(more)-arith.Sqrt32(*n))/alpha**w)
	*n = more
	switch d := (beta+arith.Sqrt32(more))/alpha + l2; {
	case d == 0: // without beta and l2, and gradients so small that their squares are nothing
	case *z > l1:
		*w = -(*z - l1) / d
	case *z < -l1:
		*w = -(*z + l1) / d
	default:
		*w = 0
	}
}
