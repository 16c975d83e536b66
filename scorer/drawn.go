package scorer

import "slices"

// mostDrawn is how many candidates the policies that draw a number for each choose of a request:
// the work for their propensities grows with the square of it.
const mostDrawn = 32

// drawn is a candidate for which a number was drawn. The largest numbers are chosen.
type drawn struct {
	rank         int     // by score, from 0
	value        float64 // that was drawn
	lot          uint64  // of candidates with equal values, the larger one goes first
	mean, spread float64 // of the law of the value, as the policy has it
}

// takeLargest puts the candidates that drew the k largest numbers in front, the largest first, and
// so it does in d.drawn. The others keep their order in the ranking.
func (d *decision) takeLargest() {
	for i := range d.k {
		largest := i
		for j := i + 1; j < len(d.drawn); j++ {
			if d.drawn[j].before(&d.drawn[largest]) {
				largest = j
			}
		}
		d.drawn[i], d.drawn[largest] = d.drawn[largest], d.drawn[i]
		rank := d.drawn[i].rank // now some places further on, for those that were taken from behind it
		for _, before := range d.drawn[:i] {
			if before.rank > d.drawn[i].rank {
				rank++
			}
		}
		taken := d.ranked[rank]
		copy(d.ranked[i+1:rank+1], d.ranked[i:rank])
		d.ranked[i] = taken
	}
}

// before says whether c is chosen before o.
func (c *drawn) before(o *drawn) bool {
	if c.value != o.value {
		return c.value > o.value
	}
	return c.lot > o.lot || c.lot == o.lot && c.rank < o.rank
}

// takesAll says that there is nothing to choose.
func (d *decision) takesAll() bool { return d.k == len(d.ranked) }

// beaten notes that a further candidate comes first with probability p. of[m] is the probability
// that m of the candidates so far do, for m below the number of places. The rest has no place: what
// is beaten more often than that is not chosen.
func beaten(of []float64, p float64) {
	switch p {
	case 0:
		return
	case 1:
		copy(of[1:], of)
		of[0] = 0
		return
	}
	for m := len(of) - 1; m > 0; m-- {
		of[m] += p * (of[m-1] - of[m])
	}
	of[0] -= p * of[0]
}

// zeros returns n zeros in the decision's memory.
func (d *decision) zeros(n int) []float64 {
	d.work = slices.Grow(d.work[:0], n)[:n]
	clear(d.work)
	return d.work
}

func sum(of []float64) (total float64) {
	for _, v := range of {
		total += v
	}
	return total
}
