package model

import "fmt"

// Net learns. It belongs to one goroutine at a time; while nobody learns, any number may Predict,
// each with its own Scratch.
type Net struct {
	core
	batch     *batch
	serveHalf bool // messages carry weights of 16 bits
}

// New makes a net that has learned nothing; the error is that of Config.Validate.
func New(c Config) (*Net, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cannot make a model: %w", err)
	}
	return &Net{core: *newCore(c, true, false)}, nil
}

// Expect says that many examples are about to be learned. The table of hashed weights is touched
// everywhere by the first hundred, and its memory, which the system gives page by page, took most
// of the first batch's time: another goroutine takes it meanwhile.
func (n *Net) Expect() { n.h.expect() }

// NewScratch makes a Scratch. Any Scratch serves any net.
func (n *Net) NewScratch() *Scratch { return &Scratch{} }

// Examples is how many examples were learned.
func (n *Net) Examples() int64 { return n.n }

// Config is what the net was made with.
func (n *Net) Config() Config { return n.cfg }

// Predict is the probability (with output identity: the value; with softmax: the probability of
// class 1) for an example. It changes nothing and allocates nothing once the Scratch has grown.
// Fields and tokens never learned count as absent. NaN and infinite values are the caller's to
// refuse; they give a prediction that means nothing.
func (n *Net) Predict(x []Feature, s *Scratch) float64 { return n.predict(x, s) }

func (c *core) predict(x []Feature, s *Scratch) float64 {
	c.encode(x, &s.row, s, false)
	if c.plain == nil {
		return c.predictMixture(&s.row, s)
	}
	s.row.base, s.row.reach = c.num[numBase], c.reach()
	c.plain.forward(c, &s.row, &s.out, false)
	if c.plain.outputs > 1 {
		return float64(s.out.p[1])
	}
	return c.startOutput(&s.row, float64(s.out.p[0]), c.n)
}

// PredictClasses appends the probability of each class to dst.
func (n *Net) PredictClasses(dst []float64, x []Feature, s *Scratch) []float64 {
	return n.predictClasses(dst, x, s)
}

func (c *core) predictClasses(dst []float64, x []Feature, s *Scratch) []float64 {
	p := c.predict(x, s)
	if c.plain == nil || c.plain.outputs == 1 {
		return append(dst, 1-p, p)
	}
	for _, v := range s.out.p {
		dst = append(dst, float64(v))
	}
	return dst
}

// Learn predicts an example, then learns its label y with weight w, and returns the prediction. A
// negative weight undoes an earlier label as well as can be. ErrInput: the example or label is not
// usable, nothing was learned. ErrDiverged: a weight is no longer finite; only an earlier
// checkpoint helps.
func (n *Net) Learn(x []Feature, y, w float64, s *Scratch) (float64, error) {
	if n.cfg.Output == "softmax" {
		return 0, fmt.Errorf("%w: a softmax learns classes: call LearnClass", ErrInput)
	}
	if err := n.check(x, y, w); err != nil {
		return 0, err
	}
	return n.learn(x, y, w, s)
}

func (n *Net) check(x []Feature, y, w float64) error {
	if n.cfg.Loss == "cross_entropy" && n.cfg.Output != "softmax" && (y < 0 || y > 1) {
		return fmt.Errorf("%w: the label is %v: cross entropy allows 0 to 1", ErrInput, y)
	}
	return checkInput(x, y, w)
}

// LearnClass is Learn for a softmax: class counts from 0. Afterwards PredictClasses gives the new
// probabilities.
func (n *Net) LearnClass(x []Feature, class int, w float64, s *Scratch) error {
	if class < 0 || class >= max(2, n.cfg.Classes) {
		return fmt.Errorf("%w: class %d of %d", ErrInput, class, max(2, n.cfg.Classes))
	}
	if err := n.check(x, float64(class), w); err != nil {
		return err
	}
	_, err := n.learn(x, float64(class), w, s)
	return err
}

func (n *Net) learn(x []Feature, y, w float64, s *Scratch) (float64, error) {
	if n.plain != nil {
		return n.learnPlain(x, y, w, s)
	}
	r := &s.row
	n.take(x, r, s, y, w)
	n.forwardJ(r, &s.j)
	n.forwardT(r, &s.t)
	n.forwardQ(r, s)
	if !r.finite() {
		return 0, r.diverged()
	}
	n.learnJ(r, &s.j)
	n.learnT(r, &s.t)
	n.learnQ(r, s)
	return n.mixRow(r), nil
}

// take encodes an example to be learned and counts it.
func (n *Net) take(x []Feature, r *row, s *Scratch, y, w float64) {
	n.encode(x, r, s, true)
	r.y, r.w, r.n = y, w, n.n
	r.base, r.reach = n.num[numBase], n.reach()
	if n.plain == nil || n.starts(n.n) {
		n.countBase(y, w)
	}
	n.n++
	n.expire()
}

func (n *Net) mixRow(r *row) float64 {
	var p [members + mixers]float64
	r.z[memberJ], r.z[memberT] = r.zJ, r.zT
	out := n.mixForward(&r.z, r.reach, &p)
	n.mixLearn(&r.z, &p, r.y, r.w)
	return out
}

func (r *row) finite() bool {
	for _, z := range r.z {
		if !finite(z) {
			return false
		}
	}
	return finite(r.zJ) && finite(r.zT)
}

func (r *row) diverged() error {
	return fmt.Errorf("%w at example %d", ErrDiverged, r.n+1)
}

func (n *Net) learnPlain(x []Feature, y, w float64, s *Scratch) (float64, error) {
	n.take(x, &s.row, s, y, w)
	return n.stepPlain(&s.row, &s.out)
}

func (n *Net) stepPlain(r *row, s *plainScratch) (float64, error) {
	n.plain.forward(&n.core, r, s, false)
	p := float64(s.p[0])
	for _, z := range s.z {
		if !finite(float64(z)) {
			return 0, r.diverged()
		}
	}
	out := n.startOutput(r, p, r.n)
	n.startLearn(r, p)
	n.plain.learn(&n.core, r, s)
	return out, nil
}
