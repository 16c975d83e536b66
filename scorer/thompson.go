package scorer

import (
	"math"
	"slices"
)

// thompson draws for each candidate a score that is possible for all that the network knows, and
// chooses the best of these (Thompson, 1933; Chapelle and Li, An Empirical Evaluation of Thompson
// Sampling, 2011; Russo and others, A Tutorial on Thompson Sampling, 2018). What is well known gets
// about its own score, what is new sometimes a far better one, and is chosen then and learned.
//
// A drawn score is the score moved by a standard normal number times its spread, times the scale.
// At a scale of 1 that is the posterior itself; the standard is one half, as the posterior explores
// more than pays (reshaping it lowers the regret in Chapelle and Li, and in our simulation).
// It moves on the logarithm, as the logits of rare events do, so the drawn score is lognormal with
// the score as its median. Candidates of score 0 come last. Where a score of the request is
// negative, scores move as they are. See Engine.setSpreads.
//
// The normal number is drawn from a lattice: 65 values from -4 to 4, each with the probability of
// its surroundings. So a propensity is a finite sum, exact but for rounding:
//
//	P(i) = sum over the values s that i may draw of P(s) P(at most k-1 others draw more)
//
// The others draw independently, so that the number of larger ones follows from one recurrence.
// Candidates that draw the same are ordered by lots, which are drawn before and given to the
// propensity. It costs 65 n k operations for every chosen candidate, less where draws cannot meet.
func thompson(scale float64) *policy {
	return &policy{uncertain: true, most: mostDrawn, choose: func(d *decision) {
		if d.takesAll() {
			chooseBest(d)
			return
		}
		d.drawScores(scale)
		d.takeLargest()
		for i := range d.k {
			d.ranked[i].Propensity = d.inclusion(i)
		}
	}}
}

const (
	latticeSteps  = 8 // in a standard deviation
	latticePoints = 8*latticeSteps + 1
)

// latticeBelow has by point of the lattice the probability of the points below it, and of all at
// its end.
var latticeBelow = func() (below [latticePoints + 1]float64) {
	for i := 1; i < latticePoints; i++ {
		below[i] = math.Erfc(-(latticeNumber(i)-0.5/latticeSteps)/math.Sqrt2) / 2
	}
	below[latticePoints] = 1
	return below
}()

// latticeNumber is the normal number that a point stands for.
func latticeNumber(point int) float64 { return float64(point)/latticeSteps - 4 }

// latticePoint is the point at which a uniform number lies.
func latticePoint(u float64) int {
	point, _ := slices.BinarySearchFunc(latticeBelow[1:], u, func(below, u float64) int {
		if below <= u {
			return -1
		}
		return 1
	})
	return point
}

// at is what is drawn at a point of the lattice.
func (c *drawn) at(point int) float64 {
	if c.spread == 0 {
		return c.mean // it may be infinite
	}
	return c.mean + c.spread*latticeNumber(point)
}

// drawScores draws a score for each candidate.
func (d *decision) drawScores(scale float64) {
	signed := anyNegative(d.ranked)
	d.drawn = d.drawn[:0]
	for i := range d.ranked {
		s := &d.ranked[i]
		s.Propensity = 0
		c := drawn{rank: i, lot: d.lot(s.Index), mean: s.Score, spread: s.Spread * scale}
		switch {
		case signed:
		case s.Score > 0:
			c.mean = math.Log(s.Score)
		default:
			c.mean, c.spread = math.Inf(-1), 0
		}
		c.value = c.at(latticePoint(d.uniform(s.Index)))
		d.drawn = append(d.drawn, c)
	}
}

// inclusion is the propensity of the i-th of the chosen.
func (d *decision) inclusion(i int) float64 {
	k, c := d.k, &d.drawn[i]
	more := d.zeros(latticePoints * k) // by point, the probabilities of numbers of larger draws
	for point := range latticePoints {
		more[point*k] = 1
	}
	from := 0 // at points below it, c is not chosen
	least, most := c.at(0), c.at(latticePoints-1)
	for j := range d.drawn {
		o := &d.drawn[j]
		if j == i || o.at(latticePoints-1) < least {
			continue
		}
		o.beats(c, more, k, from, o.at(0) > most)
		for j%8 == 7 && from < latticePoints && sum(more[from*k:][:k]) < 1e-16 {
			from++
		}
	}
	total := 0.0
	for point := range latticePoints {
		total += (latticeBelow[point+1] - latticeBelow[point]) * sum(more[point*k:][:k])
	}
	return min(total, 1)
}

// beats notes at each point from one on how probable it is that o comes before c. always: it does
// whatever both draw.
func (o *drawn) beats(c *drawn, more []float64, k, from int, always bool) {
	below := 0 // points of o that do not come before c's draw
	for point := from; point < latticePoints; point++ {
		value := c.at(point)
		for !always && below < latticePoints {
			if at := o.at(below); at > value || at == value && o.lot > c.lot {
				break
			}
			below++
		}
		if below == latticePoints {
			return // nor before a larger one
		}
		beaten(more[point*k:][:k], 1-latticeBelow[below])
	}
}
