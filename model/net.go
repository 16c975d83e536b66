package model

import (
	"errors"
	"fmt"
	"math"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/codec"
)

// Net learns. It belongs to one goroutine at a time. While nobody learns, any number of goroutines
// may Predict, each with its own Scratch.
type Net struct {
	*core
	batch     *batch
	serveHalf bool // messages carry weights of 16 bits
}

// New makes a net that has learned nothing; the error is that of Config.Validate.
func New(c Config) (*Net, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cannot make a model: %w", err)
	}
	return &Net{core: newCore(c.resolved(), true, false)}, nil
}

// Expect says that many examples are about to be learned. The first hundred touch the table of
// hashed weights everywhere, and the system gives its memory page by page, which took most of the
// first batch's time. Expect has another goroutine take it meanwhile.
func (n *Net) Expect() { n.hashed.Expect() }

// NewScratch makes a Scratch. Any Scratch serves any net.
func (n *Net) NewScratch() *Scratch { return &Scratch{} }

// Examples is how many examples were learned.
func (n *Net) Examples() int64 { return n.examples }

// Config is what the net was made with.
func (n *Net) Config() Config { return n.cfg }

// Knows says whether a field has come, by the hash of its name.
func (n *Net) Knows(field uint64) bool { return n.fields.find(field) >= 0 }

// Predict is the probability of an example. With output identity it is the value, with softmax the
// probability of class 1. It changes nothing, and allocates nothing once the Scratch has grown.
// Fields and tokens never learned count as absent. The caller must refuse NaN and infinite values:
// their predictions mean nothing.
func (n *Net) Predict(x []Feature, s *Scratch) float64 { return n.predict(x, s) }

// PredictClasses appends the probability of each class to dst.
func (n *Net) PredictClasses(dst []float64, x []Feature, s *Scratch) []float64 {
	p := n.predict(x, s)
	if n.cfg.Output != "softmax" {
		return append(dst, 1-p, p)
	}
	for _, v := range s.plain.predictions {
		dst = append(dst, float64(v))
	}
	return dst
}

// Learn predicts an example, then learns its label y with weight w, and returns the prediction. A
// negative weight undoes an earlier label as well as can be. ErrInput: the example or label is not
// usable, nothing was learned. ErrDiverged: a weight is no longer finite; only an earlier
// checkpoint helps.
func (n *Net) Learn(x []Feature, y, w float64, s *Scratch) (float64, error) {
	if err := n.mustNotBeSoftmax(); err != nil {
		return 0, err
	}
	return n.learn(x, y, w, s)
}

// LearnClass is Learn for a softmax: class counts from 0. Afterwards PredictClasses gives the new
// probabilities.
func (n *Net) LearnClass(x []Feature, class int, w float64, s *Scratch) error {
	if class < 0 || class >= max(2, n.cfg.Classes) {
		return fmt.Errorf("%w: class %d of %d", ErrInput, class, max(2, n.cfg.Classes))
	}
	_, err := n.learn(x, float64(class), w, s)
	return err
}

func (n *Net) learn(x []Feature, y, w float64, s *Scratch) (float64, error) {
	if err := n.check(x, y, w); err != nil {
		return 0, err
	}
	n.take(x, &s.row, s, y, w)
	return n.engine.learn(&s.row, s)
}

// take encodes an example to be learned, and counts it.
func (n *Net) take(x []Feature, r *row, s *Scratch, y, w float64) {
	n.encode(x, r, s, true)
	n.calibration.keys(x, nil, &r.keys)
	r.label, r.weight, r.number = y, w, n.examples
	r.base, r.reach = n.base.num[numBase], n.base.reach()
	n.base.count(r.number, y, w)
	n.examples++
	n.tokens.Expire(n.examples)
}

func (n *Net) mustNotBeSoftmax() error {
	if n.cfg.Output == "softmax" {
		return fmt.Errorf("%w: a softmax learns classes: call LearnClass", ErrInput)
	}
	return nil
}

// check refuses what no weight should ever be multiplied with.
func (n *Net) check(x []Feature, y, w float64) error {
	if n.cfg.Loss == "cross_entropy" && n.cfg.Output != "softmax" && (y < 0 || y > 1) {
		return fmt.Errorf("%w: the label is %v: cross entropy allows 0 to 1", ErrInput, y)
	}
	if !arith.Finite(y) {
		return fmt.Errorf("%w: the label is %v", ErrInput, y)
	}
	if !(math.Abs(w) <= 1e6) {
		return fmt.Errorf("%w: the weight is %v: allowed are -1e6 to 1e6", ErrInput, w)
	}
	for i := range x {
		if !arith.Finite(x[i].Value) {
			return fmt.Errorf("%w: feature %d is %v", ErrInput, i, x[i].Value)
		}
		if x[i].Kind > Missing {
			return fmt.Errorf("%w: feature %d has kind %d", ErrInput, i, x[i].Kind)
		}
	}
	return nil
}

// Occupancy is how full a net's memory is.
type Occupancy struct {
	Fields    int   // known
	MaxFields int   // allowed; later ones share the last
	Tokens    int   // with entries of their own
	MaxTokens int   // allowed
	Pooled    bool  // the table is full: later tokens share the entries of a pool
	Expired   int64 // tokens that lost their entries
	// hashed weights that are in use, as of the last checkpoint; two tokens that fall on one share
	// it
	Slots    int
	MaxSlots int
	// of the calibration: slices, those whose map is in force, and examples whose slice was beyond
	// the bound
	Slices, SlicesInForce int
	SlicesRefused         int64
}

// Occupancy tells how full the net's memory is. Like Learn it belongs to the goroutine that learns.
func (n *Net) Occupancy() Occupancy {
	o := Occupancy{Fields: len(n.fields.hashes), MaxFields: n.cfg.MaxFields, Tokens: n.tokens.Tokens(), MaxTokens: 1 << n.cfg.TableBits,
		Pooled: n.tokens.Pooled, Expired: n.tokens.Expired(), Slots: n.filled, MaxSlots: 1 << n.hashed.Bits}
	if c := n.calibration; c != nil {
		o.Slices, o.SlicesInForce, o.SlicesRefused = len(c.slices), c.forced, c.refused
	}
	return o
}

// Errors that a caller may test with errors.Is; what is returned wraps them and says more.
var (
	// Read: the bytes begin otherwise than a model does
	ErrNotModel = errors.New("not a model file")
	// Read, Apply: the bytes were damaged on the way
	ErrChecksum = errors.New("checksum does not match")
	// Read, Apply: of another version, configuration or layout
	ErrShape = codec.ErrShape
	ErrGap   = errors.New("a delta is missing before this") // Apply: wait for the next snapshot
	// Learn: NaN, infinite or out of range; nothing was learned
	ErrInput = errors.New("input cannot be learned")
	// Learn: a logit is not finite; go back to a checkpoint
	ErrDiverged = errors.New("the network has diverged")
)

// BatchError is returned by LearnBatch when an example cannot be learned: At is its place in the
// batch.
type BatchError struct {
	At  int
	Err error
}

// Error says which example it is, and why it cannot be learned.
func (e *BatchError) Error() string { return fmt.Sprintf("example %d of the batch: %v", e.At, e.Err) }

// Unwrap is why it cannot be learned.
func (e *BatchError) Unwrap() error { return e.Err }
