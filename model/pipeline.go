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
		next := p.sendNext(true)
		p.learnCQP(p.batch, block)
		block.learnedCQP <- struct{}{}
		if next == nil && p.more() { // a new field
			<-block.learnedJT
			next = p.sendNext(false)
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

func (p *pipeline) sendNext(apart bool) *block {
	if !p.more() {
		return nil
	}
	return p.send(apart)
}

// send encodes the next block and passes it on to the second goroutine. It returns nil if the block
// would be empty.
func (p *pipeline) send(apart bool) *block {
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
	rows, s := b.rows[:b.n], &t.learn
	for _, e := range b.fresh {
		m.startJT(e)
	}
	apart := m.capture != nil && m.capture.apart
	for i := range min(ahead, len(rows)) {
		kernel.PrefetchEntries(&m.tokensJT, rows[i].tokens)
	}
	for i := range rows {
		r := &rows[i]
		if i+ahead < len(rows) {
			kernel.PrefetchEntries(&m.tokensJT, rows[i+ahead].tokens)
		}
		if apart {
			m.capture.entries.touchJT(r)
		}
		m.j.forward(r, &s.j)
		m.t.forward(r, &s.t)
		if arith.Finite(r.zJT[0]) && arith.Finite(r.zJT[1]) {
			m.j.learn(r, &s.j)
			m.t.learn(r, &s.t)
		}
	}
}

func (m *mixture) learnCQP(t *batch, b *block) {
	rows, s := b.rows[:b.n], &t.encode
	for _, e := range b.fresh {
		m.startCQP(e)
	}
	apart := m.capture != nil && m.capture.apart
	for i := range min(ahead, len(rows)) {
		kernel.PrefetchEntries(&m.tokensCQP, rows[i].tokens)
		m.cqp.prefetchPairs(&rows[i])
	}
	for i := range rows {
		r := &rows[i]
		if i+ahead < len(rows) {
			kernel.PrefetchEntries(&m.tokensCQP, rows[i+ahead].tokens)
			m.cqp.prefetchPairs(&rows[i+ahead])
		}
		if apart {
			m.capture.entries.touchCQP(r)
		}
		m.cqp.forward(r, &s.cqp)
		m.cqp.learn(r, &s.cqp)
	}
}

// mixBlock sets the predictions of a block that all members have learned.
func (m *mixture) mixBlock(b *block) {
	b.ok, b.err = 0, nil
	for i := range b.n {
		if !b.rows[i].finite() {
			b.err = b.rows[i].diverged()
			return
		}
		b.predictions[i] = m.mix(&b.rows[i])
		b.ok++
	}
}
