package model

// constant is a member's bet on an input that is one in every example. It also keeps the mean over
// examples of the sum of (x/M)^2, which scales the member's linear part.
type constant struct {
	wealth       float64 // at the start of the bet
	weight, mean *float64

	// of a full core
	bet     []float64 // sum of -g, sum of |g|, winnings
	squares *float64  // sum over examples of the sum of (x/M)^2
	largest *float64  // weight of an example so far
}

// constantPlace says where a constant lies: weight and mean in core.num, the rest in core.numKept.
type constantPlace struct {
	wealth                              float64
	weight, mean, bet, squares, largest int
}

func (c *core) newConstant(at constantPlace) constant {
	k := constant{wealth: at.wealth, weight: &c.num[at.weight], mean: &c.num[at.mean]}
	*k.mean = 1
	if c.full {
		k.bet, k.squares, k.largest = c.numKept[at.bet:][:3], &c.numKept[at.squares], &c.numKept[at.largest]
	}
	return k
}

// logit is the base's logit plus that of a linear part with this constant.
func (k *constant) logit(base float64, linear float32) float64 {
	return base + (float64(linear)+*k.weight) / *k.mean
}

// learn settles the bet, makes the next, and takes in the example's sum of (x/M)^2. g is the
// logit's gradient. Row.lead tells why a heavy example lowers the stake first.
func (k *constant) learn(g, sum float64, r *row) {
	m := max(1, *k.largest)
	if l := max(r.weight, -r.weight); l > m {
		*k.weight = float64(*k.weight * (m / l))
		m, *k.largest = l, l
	}
	bet := k.bet
	bet[2] -= float64(g * *k.weight)
	bet[0] -= g
	bet[1] += max(g, -g)
	*k.weight = float64((k.wealth+bet[2])*bet[0]) / float64(m*(m+bet[1]))
	*k.squares += sum
	*k.mean = *k.squares / float64(r.number+1)
}
