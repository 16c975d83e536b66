package model

import (
	"fmt"
	"runtime"
)

const (
	blockRows = 128
	ahead     = 2 // examples whose memory is called for before it is needed
)

// batch is what LearnBatch works in: two blocks of encoded examples, one that is learned and one that is encoded meanwhile, and a scratch for each side.
type batch struct {
	blocks [2]block
	a, b   Scratch
	jobs   chan *block   // for the second goroutine; nil ends it
	done   chan struct{} // one for each job
}

// block is a run of examples that are encoded and not yet learned.
type block struct {
	rows  [blockRows]row
	n     int
	fresh []fresh // tokens that came with them and have no records yet
	p     [blockRows]float64
	err   error // of a plain net: why the row behind the last one in p cannot be learned
	ok    int   // rows learned until then
}

// LearnBatch learns examples one after the other, with exactly the result of Learn on each, and sets ps to the predictions. On an
// error the examples before the one it names were learned and no later one (after ErrDiverged the net must not be used again).
//
// With two processors a second goroutine learns one side of the mixture, while this one encodes the next block and learns the other side. The sides share
// no weight, and what an example is encoded to does not depend on weights, so when is no matter. A plain net is too fast for that: it would wait for
// memory that another processor has just written.
func (n *Net) LearnBatch(xs [][]Feature, ys, ws, ps []float64) error {
	if len(ys) != len(xs) || len(ws) != len(xs) || len(ps) != len(xs) {
		return fmt.Errorf("%w: %d examples with %d labels, %d weights and room for %d predictions", ErrInput, len(xs), len(ys), len(ws), len(ps))
	}
	if n.cfg.Output == "softmax" {
		return fmt.Errorf("%w: a softmax learns classes: call LearnClass", ErrInput)
	}
	if n.batch == nil {
		n.batch = &batch{jobs: make(chan *block, 1), done: make(chan struct{}, 2)}
	}
	learn := n.learnApart
	if len(xs) <= 4 || n.plain != nil || n.capture != nil || runtime.GOMAXPROCS(0) < 2 {
		learn = n.learnInTurn
	}
	if i, err := learn(xs, ys, ws, ps); err != nil {
		return fmt.Errorf("example %d of the batch: %w", i, err)
	}
	return nil
}

// learnInTurn does all of a block before the next. It returns where it stopped.
func (n *Net) learnInTurn(xs [][]Feature, ys, ws, ps []float64) (int, error) {
	b := &n.batch.blocks[0]
	for at := 0; at < len(xs); {
		bad := n.encodeBlock(b, xs[at:], ys[at:], ws[at:], false)
		n.firstSide(b)
		n.secondSide(b)
		if i, err := n.finish(b, ps[at:]); err != nil {
			return at + i, err
		}
		if at += b.n; bad != nil {
			return at, bad
		}
	}
	return len(xs), nil
}

// learnApart encodes a block and learns the second side of the one before, while another goroutine learns the first side. An example that brings a new
// field changes how records are laid out: it waits until nothing is under way.
func (n *Net) learnApart(xs [][]Feature, ys, ws, ps []float64) (int, error) {
	t := n.batch
	go n.firstSides()
	defer func() { t.jobs <- nil }()
	cur, next := &t.blocks[0], &t.blocks[1]
	bad := n.encodeBlock(cur, xs, ys, ws, false)
	t.jobs <- cur
	for at := 0; ; cur, next = next, cur {
		end := at + cur.n
		next.n = 0
		if bad == nil && end < len(xs) {
			if bad = n.encodeBlock(next, xs[end:], ys[end:], ws[end:], true); next.n > 0 {
				t.jobs <- next
			}
		}
		n.secondSide(cur)
		<-t.done
		if i, err := n.finish(cur, ps[at:]); err != nil {
			if next.n > 0 {
				<-t.done
			}
			return at + i, err
		}
		at = end
		if next.n == 0 {
			if bad != nil || at == len(xs) {
				return at, bad
			}
			bad = n.encodeBlock(next, xs[at:], ys[at:], ws[at:], false)
			t.jobs <- next
		}
	}
}

// firstSides is the second goroutine.
func (n *Net) firstSides() {
	for b := range n.batch.jobs {
		if b == nil {
			return
		}
		n.firstSide(b)
		n.batch.done <- struct{}{}
	}
}

// encodeBlock fills b with the examples that come first. While others are being learned (apart), it leaves the records of new tokens to them, and stops
// before an example that brings a field. An error is of the example behind the last one of b.
func (n *Net) encodeBlock(b *block, xs [][]Feature, ys, ws []float64, apart bool) (bad error) {
	s := &n.batch.a
	b.n, b.fresh = 0, b.fresh[:0]
	if apart {
		n.waiting = &b.fresh
		defer func() { n.waiting = nil }()
	}
	for i := range xs[:min(len(xs), blockRows)] {
		if bad = n.check(xs[i], ys[i], ws[i]); bad != nil {
			return bad
		}
		if apart && !n.knows(xs[i], s) {
			return nil
		}
		if i+ahead < len(xs) {
			n.prefetchIndex(xs[i+ahead])
		}
		n.take(xs[i], &b.rows[i], s, ys[i], ws[i])
		b.n++
	}
	return nil
}

// knows says whether an example brings no field that would be made.
func (n *Net) knows(x []Feature, s *Scratch) bool {
	if len(n.fields.hashes) == n.cfg.MaxFields {
		return true
	}
	for i := range x {
		if s.fieldOf(&n.core, i, x[i].Field) < 0 && n.fields.find(x[i].Field) < 0 {
			return false
		}
	}
	return true
}

// firstSide learns member J of the mixture, or all of a plain net.
func (n *Net) firstSide(b *block) {
	rows, s := b.rows[:b.n], &n.batch.b
	for _, f := range b.fresh {
		n.addFirst(f)
	}
	if n.plain != nil {
		n.plainSide(b)
		return
	}
	for i := range min(ahead, len(rows)) {
		n.prefetchRecords(&n.a, &rows[i])
	}
	for i := range rows {
		if i+ahead < len(rows) {
			n.prefetchRecords(&n.a, &rows[i+ahead])
		}
		if n.forwardJ(&rows[i], &s.j); finite(rows[i].zJ) {
			n.learnJ(&rows[i], &s.j)
		}
	}
}

func (n *Net) plainSide(b *block) {
	rows, s := b.rows[:b.n], &n.batch.b
	b.ok, b.err = 0, nil
	for i := range rows {
		if i+ahead < len(rows) {
			n.prefetchPlain(&rows[i+ahead])
		}
		if b.p[i], b.err = n.stepPlain(&rows[i], &s.out); b.err != nil {
			return
		}
		b.ok++
	}
}

// secondSide learns the other members of the mixture.
func (n *Net) secondSide(b *block) {
	if n.plain != nil {
		return
	}
	rows, s := b.rows[:b.n], &n.batch.a
	for _, f := range b.fresh {
		n.addSecond(f)
	}
	for i := range min(ahead, len(rows)) {
		n.prefetchRecords(&n.b, &rows[i])
		n.prefetchPairs(&rows[i])
	}
	for i := range rows {
		if i+ahead < len(rows) {
			n.prefetchRecords(&n.b, &rows[i+ahead])
			n.prefetchPairs(&rows[i+ahead])
		}
		n.forwardQ(&rows[i], s)
		n.learnQ(&rows[i], s)
	}
}

// finish mixes a block that both sides have learned, and sets the predictions. It returns where it stopped.
func (n *Net) finish(b *block, ps []float64) (int, error) {
	if n.plain != nil {
		copy(ps[:b.ok], b.p[:b.ok])
		if b.err != nil {
			return b.ok, b.rows[b.ok].diverged()
		}
		return b.n, nil
	}
	for i := range b.n {
		if !b.rows[i].finite() {
			return i, b.rows[i].diverged()
		}
		ps[i] = n.mixRow(&b.rows[i])
	}
	return b.n, nil
}
