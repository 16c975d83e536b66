package learner

import (
	"time"

	"github.com/clickloop/clickloop/model"
)

// copier copies the network at one moment of it, while learning goes on. It works in short steps
// between two batches, makes one copy at a time, and owns the memory of the copies: one for the
// served weights, one for the whole state. It belongs to the loop.
//
// A copy goes through four states. ready takes its memory, over as many calls as that needs. begin
// fixes the version that is copied. advance copies, and delivers the copy when it is complete.
// release takes the memory back from the goroutine that has used the copy.
type copier struct {
	net    *model.Net
	pace   pace
	served memory
	whole  memory

	want      want           // what the copy under way is for
	copying   *model.Capture // the copy under way, nil for none
	reserving bool           // memory was taken since the last batch, and more is needed
}

// purpose is what a copy is for.
type purpose int

const (
	toPublish purpose = iota // a snapshot on the model topic: the served weights
	toSave                   // a checkpoint: the whole state
	toHash                   // the hash of the weights, to answer a question: the whole state
)

// want is a copy that is needed.
type want struct {
	purpose purpose
	deliver func(*model.Capture) // called once, by the loop, when the copy is complete
}

// memory is what copies of one kind are written to.
type memory struct {
	idle *model.Capture // an earlier copy; nil: none was made, or it is in use
	used bool           // from begin to release
}

func (c *copier) memory(p purpose) *memory {
	if p == toPublish {
		return &c.served
	}
	return &c.whole
}

// ready reports whether a copy can be begun now. When only memory is missing, it takes a step of
// that. A copy without memory would take it as examples touch the table, all of it within a few
// batches: a long pause.
func (c *copier) ready(p purpose) bool {
	m := c.memory(p)
	if c.copying != nil || c.reserving || m.used {
		return false
	}
	enough := c.pace.steps(func(bytes int) (enough bool) {
		m.idle, enough = c.net.Reserve(m.idle, p != toPublish, bytes)
		return enough
	})
	c.reserving = !enough
	return enough
}

// begin begins a copy of the network as it is now. ready must have reported true since the last
// batch.
func (c *copier) begin(w want) {
	m := c.memory(w.purpose)
	if c.copying != nil || m.used {
		panic("BUG: a copy is begun while another is under way, or its memory is in use")
	}
	start := c.net.StartCapture
	if w.purpose == toPublish {
		start = c.net.StartSnapshot
	}
	c.want, c.copying = w, start(m.idle)
	m.idle, m.used = nil, true
}

// advance takes a step of the copy under way when it is for p.
func (c *copier) advance(p purpose) {
	if c.copying == nil || c.want.purpose != p || !c.pace.steps(c.copying.Step) {
		return
	}
	done := c.copying
	c.copying = nil
	c.want.deliver(done)
}

// release takes back the memory of a copy that is not needed any more.
func (c *copier) release(p purpose, done *model.Capture) { *c.memory(p) = memory{idle: done} }

// busy reports whether there is a next step to take.
func (c *copier) busy() bool { return c.copying != nil || c.reserving }

// pace bounds the work between two batches: pieces of so many bytes, until so much time has passed.
// Bytes alone would not bound the time: a piece takes ten times as long when the records do not lie
// side by side and other processes use the processor's caches.
type pace struct {
	bytes int
	time  time.Duration
}

var defaultPace = pace{bytes: 64 << 10, time: 2 * time.Millisecond}

// steps calls step at least once, until it returns true or the time has passed, and returns its
// last result.
func (p pace) steps(step func(bytes int) bool) bool {
	for began := time.Now(); ; {
		if step(p.bytes) {
			return true
		}
		if time.Since(began) >= p.time {
			return false
		}
	}
}
