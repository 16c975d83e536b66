package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// pipeline learns a batch by two goroutines. The caller's encodes a block and learns C, Q and P on
// the block before. The second one learns J and T, and mixes a block when it has learned the next:
// until then C, Q and P are likely to be learned too.
//
// An example that brings a new field changes how entries are laid out. It waits until neither
// goroutine learns.
type pipeline struct {
	*mixture
	n     *Net
	batch *batch
	in    examples

	sent, mixed int   // blocks
	end         int   // examples that were encoded
	bad         error // of the example at end: it is not usable
	stopped     int   // examples learned when the net diverged
	diverged    error
}

// run returns how many examples were learned, and why no more were.
func (p *pipeline) run() (int, error) {
	go p.learnBlocks(p.batch)
	block := p.send(false)
	for block != nil && p.diverged == nil {
		next := p.send(true)
		p.learnCQP(p.batch, block)
		block.learnedCQP <- struct{}{}
		if next == nil && p.more() { // a new field
			<-block.learnedJT
			next = p.send(false)
		}
		block = next
	}
	if block != nil { // the net diverged; the second goroutine must not wait for C, Q and P
		block.learnedCQP <- struct{}{}
	}
	p.batch.jobs <- nil
	for p.mixed < p.sent {
		p.receive()
	}
	if p.diverged != nil {
		return p.stopped, p.diverged
	}
	return p.end, p.bad
}

func (p *pipeline) more() bool { return p.bad == nil && p.end < len(p.in.xs) }

// send encodes the next block and passes it on to the second goroutine. It returns nil if the block
// would be empty.
func (p *pipeline) send(apart bool) *block {
	if !p.more() {
		return nil
	}
	for p.sent-p.mixed == blocksMost-1 {
		p.receive()
	}
	b := &p.batch.blocks[p.sent%blocksMost]
	select {
	case <-b.learnedJT: // nobody waited for it
	default:
	}
	rest := p.in.from(p.end)
	b.at, b.predictions = p.end, rest.predictions
	p.bad = p.n.encodeBlock(b, rest, apart)
	if b.n == 0 {
		return nil
	}
	p.end += b.n
	p.sent++
	p.batch.jobs <- b
	return b
}

// receive waits for a mixed block.
func (p *pipeline) receive() {
	b := <-p.batch.mixed
	if p.mixed++; b.err != nil && p.diverged == nil {
		p.stopped, p.diverged = b.at+b.ok, b.err
	}
}

// learnBlocks is the second goroutine.
func (m *mixture) learnBlocks(t *batch) {
	var last *block
	for b := range t.jobs {
		if b != nil {
			m.learnJT(t, b)
			b.learnedJT <- struct{}{}
		}
		if last != nil {
			<-last.learnedCQP
			m.mixBlock(last)
			t.mixed <- last
		}
		if last = b; b == nil {
			return
		}
	}
}

// learnBlock learns all of a block by one goroutine.
func (m *mixture) learnBlock(t *batch, b *block) {
	m.learnJT(t, b)
	m.learnCQP(t, b)
	m.mixBlock(b)
}

func (m *mixture) learnJT(t *batch, b *block) {
	s := &t.learn
	prefetch := func(r *row) { kernel.PrefetchEntries(&m.tokensJT, r.tokens) }
	m.learnRows(b, ofJT, m.startJT, prefetch, func(r *row) {
		m.j.forward(r, &s.j)
		m.t.forward(r, &s.t)
		if arith.Finite(r.zJT[0]) && arith.Finite(r.zJT[1]) {
			m.j.learn(r, &s.j)
			m.t.learn(r, &s.t)
		}
	})
}

func (m *mixture) learnCQP(t *batch, b *block) {
	s := &t.encode.cqp
	prefetch := func(r *row) {
		kernel.PrefetchEntries(&m.tokensCQP, r.tokens)
		m.cqp.prefetchPairs(r)
	}
	m.learnRows(b, ofCQP, m.startCQP, prefetch, func(r *row) {
		m.cqp.forward(r, s)
		m.cqp.learn(r, s)
	})
}

// learnRows gives a block's new entries their start in one arena, then learns its rows, each after
// the capture under way has copied the entries that the row is about to change.
func (m *mixture) learnRows(b *block, arena int, start func(newEntry), prefetch, learn func(*row)) {
	for _, e := range b.fresh {
		start(e)
	}
	rows := b.rows[:b.n]
	apart := m.capture != nil && m.capture.apart
	for i := -ahead; i < len(rows); i++ {
		if i+ahead < len(rows) {
			prefetch(&rows[i+ahead])
		}
		if i < 0 {
			continue
		}
		if apart {
			m.capture.entries.touch(&rows[i], arena)
		}
		learn(&rows[i])
	}
}

// mixBlock sets the predictions of a block that all members have learned.
func (m *mixture) mixBlock(b *block) {
	b.ok, b.err = 0, nil
	for b.ok < b.n && b.rows[b.ok].finite() {
		b.predictions[b.ok] = m.mix(&b.rows[b.ok])
		b.ok++
	}
	if b.ok < b.n {
		b.err = b.rows[b.ok].diverged()
	}
	m.calibration.learnRows(b.rows[:b.ok], b.predictions)
}
