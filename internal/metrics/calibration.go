package metrics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Calibration returns the intercept and slope of the logistic regression of labels on the logits of
// predictions (Cox 1958). Calibrated predictions have 0 and 1. A slope below 1 says that they are
// too extreme, above 1 that they are too timid. Both are NaN where no regression fits: without
// examples, with one class or one prediction only, and when a threshold separates the classes.
func (a *Accumulator) Calibration() (intercept, slope float64) {
	if a.unranked {
		return math.NaN(), math.NaN()
	}
	f := &recalibration{cells: slices.Collect(a.cells()), weight: a.weight}
	if !f.mixed() {
		return math.NaN(), math.NaN()
	}
	x := []float64{0, 1}
	for range 100 { // Newton's method; five or ten steps do
		step, gain, ok := f.newton(x)
		if !ok {
			break
		}
		if gain < 1e-13 {
			return x[0], x[1]
		}
		// the loss is convex, but a full step may go too far
		for before, t := f.loss(x), 1.0; ; t /= 2 {
			next := []float64{x[0] - t*step[0], x[1] - t*step[1]}
			if f.loss(next) < before || t < 1e-6 {
				x = next
				break
			}
		}
	}
	return math.NaN(), math.NaN()
}

// recalibration is the mean log loss of cells as a function x of intercept and slope.
type recalibration struct {
	cells  []cell
	weight float64
}

// logit is the logit of the mean probability.
func (c *cell) logit() float64 {
	q := min(max(c.score, clamp), 1-clamp)
	return math.Log(q / (1 - q))
}

func (f *recalibration) loss(x []float64) float64 {
	var sum float64
	for i := range f.cells {
		b := &f.cells[i]
		z := x[0] + x[1]*b.logit()
		// log(1+exp(-z)) of positives and log(1+exp(z)) of negatives, in a form that cannot
		// overflow
		sum += b.positive*max(-z, 0) + b.negative*max(z, 0) + (b.positive+b.negative)*math.Log1p(math.Exp(-math.Abs(z)))
	}
	return sum / f.weight
}

// mixed says that no threshold separates the classes: some negatives lie above positives, and some
// below.
func (f *recalibration) mixed() bool {
	var positive, negative []int
	for i := range f.cells {
		if b := &f.cells[i]; b.positive > 0 {
			positive = append(positive, i)
		}
		if b := &f.cells[i]; b.negative > 0 {
			negative = append(negative, i)
		}
	}
	if len(positive) == 0 || len(negative) == 0 {
		return false
	}
	return positive[0] < negative[len(negative)-1] && negative[0] < positive[len(positive)-1]
}

// newton returns the step to the minimum of the parabola that fits the loss at x, and twice what
// the step gains; ok is false where none fits.
func (f *recalibration) newton(x []float64) (step []float64, gain float64, ok bool) {
	var g0, g1, h00, h01, h11 float64
	for i := range f.cells {
		b := &f.cells[i]
		z, mass := b.logit(), b.positive+b.negative
		p := 1 / (1 + math.Exp(-x[0]-x[1]*z))
		g, c := p*mass-b.positive, p*(1-p)*mass
		g0, g1 = g0+g, g1+g*z
		h00, h01, h11 = h00+c, h01+c*z, h11+c*z*z
	}
	grad, hess := mat.NewVecDense(2, []float64{g0, g1}), mat.NewSymDense(2, []float64{h00, h01, h01, h11})
	var c mat.Cholesky
	var s mat.VecDense
	if !c.Factorize(hess) || c.SolveVecTo(&s, grad) != nil {
		return nil, 0, false
	}
	return s.RawVector().Data, mat.Dot(&s, grad) / f.weight, true
}
