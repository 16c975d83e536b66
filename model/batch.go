package model

import (
	"fmt"

	"github.com/clickloop/clickloop/model/internal/kernel"
)

const (
	blockRows  = 64
	ahead      = 2  // examples whose memory is called for before it is needed
	blocksMost = 12 // under way: one goroutine goes on while the other waits for a processor
)

// batch is what LearnBatch works in: blocks of encoded examples, which two goroutines pass on, and
// a scratch for each.
type batch struct {
	blocks [blocksMost]block
	encode Scratch     // of the goroutine that encodes, and learns C, Q and P
	learn  Scratch     // of the one that learns J and T, or a plain net
	jobs   chan *block // for the second goroutine; nil ends it
	mixed  chan *block // from it, in order
}

// block is a run of examples that are encoded and not yet learned.
type block struct {
	rows        [blockRows]row
	n           int
	at          int        // of the first one in the batch
	fresh       []newEntry // tokens that came with them, whose entries have no start yet
	predictions []float64  // to be set
	ok          int        // rows learned
	err         error      // why the next one was not

	learnedJT, learnedCQP chan struct{} // those members have learned it; each has room for one
}

func newBatch() *batch {
	t := &batch{jobs: make(chan *block, blocksMost), mixed: make(chan *block, blocksMost)}
	for i := range t.blocks {
		t.blocks[i].learnedJT, t.blocks[i].learnedCQP = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	return t
}

// examples are what LearnBatch was given.
type examples struct {
	xs                           [][]Feature
	labels, weights, predictions []float64
}

// from is the examples from number i on.
func (in examples) from(i int) examples {
	return examples{in.xs[i:], in.labels[i:], in.weights[i:], in.predictions[i:]}
}

// LearnBatch learns examples one after the other, with exactly the result of Learn on each, and
// sets ps to the predictions. On an error, a BatchError, the examples before the one it names were
// learned and no later one (after ErrDiverged the net must not be used again).
//
// With two processors a second goroutine learns a half of the mixture and mixes, while this one
// encodes the next block and learns the other half. The halves share no weight, and what an example
// is encoded to does not depend on weights, so timing changes no result. A plain net is too fast
// for that: it would wait for memory that another processor has just written.
func (n *Net) LearnBatch(xs [][]Feature, ys, ws, ps []float64) error {
	if len(ys) != len(xs) || len(ws) != len(xs) || len(ps) != len(xs) {
		return fmt.Errorf("%w: %d examples with %d labels, %d weights and room for %d predictions", ErrInput, len(xs), len(ys), len(ws), len(ps))
	}
	if err := n.mustNotBeSoftmax(); err != nil {
		return err
	}
	if n.batch == nil {
		n.batch = newBatch()
	}
	if i, err := n.engine.learnBatch(n, examples{xs, ys, ws, ps}); err != nil {
		return &BatchError{i, err}
	}
	return nil
}

// learnInTurn encodes a block and learns all of it before the next. It returns where it stopped.
func (n *Net) learnInTurn(in examples, learn func(*batch, *block)) (int, error) {
	b := &n.batch.blocks[0]
	for at := 0; at < len(in.xs); {
		rest := in.from(at)
		bad := n.encodeBlock(b, rest, false)
		b.predictions = rest.predictions
		learn(n.batch, b)
		if at += b.ok; b.err != nil {
			return at, b.err
		}
		if bad != nil {
			return at, bad
		}
	}
	return len(in.xs), nil
}

// encodeBlock fills b with the first of the examples. While others are being learned (apart), it
// leaves the start of new entries to them, and stops before an example that brings a field. An
// error is of the example behind the last one of b.
func (n *Net) encodeBlock(b *block, in examples, apart bool) (bad error) {
	s := &n.batch.encode
	b.n, b.fresh = 0, b.fresh[:0]
	if apart {
		n.waiting = &b.fresh
		defer func() { n.waiting = nil }()
	}
	for i := range in.xs[:min(len(in.xs), blockRows)] {
		if bad = n.check(in.xs[i], in.labels[i], in.weights[i]); bad != nil {
			return bad
		}
		if apart && !n.knowsAll(in.xs[i], s) {
			return nil
		}
		if i+ahead < len(in.xs) {
			n.prefetchIndex(in.xs[i+ahead])
		}
		n.take(in.xs[i], &b.rows[i], s, in.labels[i], in.weights[i])
		b.n++
	}
	return nil
}

// knowsAll says whether an example brings no field that would be made.
func (n *Net) knowsAll(x []Feature, s *Scratch) bool {
	if len(n.fields.hashes) == n.cfg.MaxFields {
		return true
	}
	for i := range x {
		if s.fieldAt(n.core, i, x[i].Field) < 0 && n.fields.find(x[i].Field) < 0 {
			return false
		}
	}
	return true
}

// prefetchIndex calls for the places where the index will be asked for an example's tokens.
func (n *Net) prefetchIndex(x []Feature) {
	if !n.needs.entries {
		return
	}
	for i := range x {
		if f := &x[i]; f.Kind == Token {
			kernel.Prefetch(n.tokens.Home(tokenKey(f)), 1)
		}
	}
}
