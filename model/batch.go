package model

import (
	"fmt"
	"runtime"
)

const (
	blockRows = 64
	ahead     = 2  // examples whose memory is called for before it is needed
	underWay  = 12 // blocks: so many that a goroutine goes on while another waits for a processor
)

// batch is what LearnBatch works in: blocks of encoded examples on their way from one goroutine to
// the other and back, and a scratch for each side.
type batch struct {
	blocks [underWay]block
	a, b   Scratch
	jobs   chan *block // for the second goroutine; nil ends it
	mixed  chan *block // from it, in order
}

func newBatch() *batch {
	t := &batch{jobs: make(chan *block, underWay), mixed: make(chan *block, underWay)}
	for i := range t.blocks {
		t.blocks[i].first, t.blocks[i].second = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	return t
}

// block is a run of examples that are encoded and not yet learned.
type block struct {
	rows  [blockRows]row
	n     int
	at    int       // of the first one in the batch
	fresh []fresh   // tokens that came with them and have no records yet
	ps    []float64 // where the predictions go
	ok    int       // rows learned
	err   error     // why the next one was not

	first, second chan struct{} // that side has learned it; each has room
}

// LearnBatch learns examples one after the other, with exactly the result of Learn on each, and
// sets ps to the predictions. On an error, a BatchError, the examples before the one it names were
// learned and no later one (after ErrDiverged the net must not be used again).
//
// With two processors a second goroutine learns one side of the mixture and mixes, while this one
// encodes the next block and learns the other side. The sides share no weight, and what an example
// is encoded to does not depend on weights, so when is no matter. A plain net is too fast for that:
// it would wait for memory that another processor has just written.
func (n *Net) LearnBatch(xs [][]Feature, ys, ws, ps []float64) error {
	if len(ys) != len(xs) || len(ws) != len(xs) || len(ps) != len(xs) {
		return fmt.Errorf("%w: %d examples with %d labels, %d weights and room for %d predictions", ErrInput, len(xs), len(ys), len(ws), len(ps))
	}
	if n.cfg.Output == "softmax" {
		return fmt.Errorf("%w: a softmax learns classes: call LearnClass", ErrInput)
	}
	if n.batch == nil {
		n.batch = newBatch()
	}
	learn := n.learnApart
	if len(xs) <= 4 || n.plain != nil || n.capture != nil && n.index.exact || runtime.GOMAXPROCS(0) < 2 {
		// with expiry, a key that is to be copied may change before its records are
		learn = n.learnInTurn
	} else if n.capture != nil {
		n.capture.apart = true
		defer func() { n.capture.apart = false }()
	}
	if i, err := learn(xs, ys, ws, ps); err != nil {
		return &BatchError{i, err}
	}
	return nil
}

// learnInTurn does all of a block before the next. It returns where it stopped.
func (n *Net) learnInTurn(xs [][]Feature, ys, ws, ps []float64) (int, error) {
	b := &n.batch.blocks[0]
	for at := 0; at < len(xs); {
		bad := n.encodeBlock(b, xs[at:], ys[at:], ws[at:], false)
		b.ps = ps[at:]
		n.firstSide(b)
		n.secondSide(b)
		n.finish(b)
		if at += b.ok; b.err != nil {
			return at, b.err
		}
		if bad != nil {
			return at, bad
		}
	}
	return len(xs), nil
}

// learnApart encodes a block and learns the second side of the one before, while another goroutine
// learns the first side and mixes what both have learned. An example that brings a new field
// changes how records are laid out: it waits until neither side learns.
func (n *Net) learnApart(xs [][]Feature, ys, ws, ps []float64) (int, error) {
	t := n.batch
	go n.firstSides()
	sent, mixed, end := 0, 0, 0
	var bad, failed error
	stopped := 0
	take := func() {
		b := <-t.mixed
		if mixed++; b.err != nil && failed == nil {
			stopped, failed = b.at+b.ok, b.err
		}
	}
	encode := func(apart bool) *block {
		for sent-mixed == underWay-1 {
			take()
		}
		b := &t.blocks[sent%underWay]
		select {
		case <-b.first: // nobody waited for it
		default:
		}
		b.at, b.ps = end, ps[end:]
		bad = n.encodeBlock(b, xs[end:], ys[end:], ws[end:], apart)
		if b.n == 0 {
			return nil
		}
		end += b.n
		sent++
		t.jobs <- b
		return b
	}
	cur := encode(false)
	for cur != nil && failed == nil {
		var next *block
		if bad == nil && end < len(xs) {
			next = encode(true)
		}
		n.secondSide(cur)
		cur.second <- struct{}{}
		if next == nil && bad == nil && end < len(xs) { // a new field
			<-cur.first
			next = encode(false)
		}
		cur = next
	}
	if cur != nil { // the network diverged; the other goroutine must not wait for this side
		cur.second <- struct{}{}
	}
	t.jobs <- nil
	for mixed < sent {
		take()
	}
	if failed != nil {
		return stopped, failed
	}
	return end, bad
}

// firstSides is the second goroutine. It mixes a block when it has learned its side of the next
// one: until then the other side is likely to be learned too.
func (n *Net) firstSides() {
	var last *block
	for b := range n.batch.jobs {
		if b != nil {
			n.firstSide(b)
			b.first <- struct{}{}
		}
		if last != nil {
			<-last.second
			n.finish(last)
			n.batch.mixed <- last
		}
		if last = b; b == nil {
			return
		}
	}
}

// encodeBlock fills b with the examples that come first. While others are being learned (apart), it
// leaves the records of new tokens to them, and stops before an example that brings a field. An
// error is of the example behind the last one of b.
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

// firstSide learns members J and T of the mixture, or all of a plain net.
func (n *Net) firstSide(b *block) {
	rows, s := b.rows[:b.n], &n.batch.b
	for _, f := range b.fresh {
		n.addFirst(f)
	}
	if n.plain != nil {
		n.plainSide(b)
		return
	}
	apart := n.capture != nil && n.capture.apart
	for i := range min(ahead, len(rows)) {
		n.prefetchRecords(&n.a, &rows[i])
	}
	for i := range rows {
		if i+ahead < len(rows) {
			n.prefetchRecords(&n.a, &rows[i+ahead])
		}
		if apart {
			n.capture.touchFirst(&rows[i])
		}
		n.forwardJ(&rows[i], &s.j)
		n.forwardT(&rows[i], &s.t)
		if finite(rows[i].zJ) && finite(rows[i].zT) {
			n.learnJ(&rows[i], &s.j)
			n.learnT(&rows[i], &s.t)
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
		if b.ps[i], b.err = n.stepPlain(&rows[i], &s.out); b.err != nil {
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
	apart := n.capture != nil && n.capture.apart
	for i := range min(ahead, len(rows)) {
		n.prefetchRecords(&n.b, &rows[i])
		n.prefetchPairs(&rows[i])
	}
	for i := range rows {
		if i+ahead < len(rows) {
			n.prefetchRecords(&n.b, &rows[i+ahead])
			n.prefetchPairs(&rows[i+ahead])
		}
		if apart {
			n.capture.touchSecond(&rows[i])
		}
		n.forwardQ(&rows[i], s)
		n.learnQ(&rows[i], s)
	}
}

// finish mixes a block that both sides have learned, and sets the predictions.
func (n *Net) finish(b *block) {
	if n.plain != nil {
		return
	}
	b.ok, b.err = 0, nil
	for i := range b.n {
		if !b.rows[i].finite() {
			b.err = b.rows[i].diverged()
			return
		}
		b.ps[i] = n.mixRow(&b.rows[i])
		b.ok++
	}
}
