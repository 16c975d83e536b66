package learner

import (
	"time"

	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
)

// publisher decides when the weights are published, and in which form. A snapshot holds all served
// weights; a delta holds those that changed since the message before. It belongs to the loop; the
// writer writes its messages to the model topic.
//
// Publishing must not hold up learning, however slow Kafka is or large the network:
//   - A delta is made before it is large, and waits in the queue.
//   - A snapshot is copied in steps, between batches. Deltas that are made meanwhile are held, and
//     follow it into the queue.
//   - When too much waits, or the learner is so far behind that no scorer needs every version,
//     the publisher makes no deltas until the queue is empty, and then a snapshot.
type publisher struct {
	epoch   int64 // of this learner's messages: a deposed learner's are lower
	current bool  // the network may replace one that had learned more; see takeover

	version   int64 // examples in the weights after the last message made
	published int64 // examples in the weights after the last message acknowledged

	snapshotNext bool // no deltas are made until the next snapshot
	snapshotLost bool // the topic has no snapshot any more: another is needed

	queue    queue
	delta    lastDelta
	snapshot lastSnapshot
	held     []message // deltas made while a snapshot is copied
	spare    [][]byte  // memory of deltas that were written
	messages chan<- message
}

// queue counts the messages that are made, or being copied, and not acknowledged.
type queue struct {
	deltas     int
	deltaBytes int64
	snapshots  int // 0 or 1
}

func (q queue) len() int { return q.deltas + q.snapshots }

func (q queue) full() bool { return q.len() >= maxQueued || q.deltaBytes >= maxQueuedBytes }

type lastDelta struct {
	perExample float64       // bytes by examples: an estimate for the next one
	took       time.Duration // to write
	written    time.Time     // when it was acknowledged; zero: none was
}

type lastSnapshot struct {
	begun      time.Time // zero: none was
	copying    bool
	took       time.Duration // from its begin until it was acknowledged
	bytes      int64
	deltaBytes int64 // in deltas made since
}

const (
	largeDelta     = 768 << 10 // with one more batch it would take several milliseconds to make
	maxReserved    = 8 << 20   // bytes reserved for a delta before it is made
	maxQueued      = 64        // messages
	maxQueuedBytes = 32 << 20  // of deltas
	maxSpare       = 8         // buffers
	farBehind      = 10_000    // examples
	// while far behind: shortest time from the last delta to a snapshot
	minGapFarBehind = 5 * time.Second
	// bytes of deltas after a snapshot, however large it is: a joining replica reads them as well
	maxDeltasAfterSnapshot = 64 << 20
)

func newPublisher(epoch int64, messages chan<- message) *publisher {
	// before the first delta, more bytes than most networks need
	return &publisher{epoch: epoch, delta: lastDelta{perExample: 4096}, messages: messages}
}

// next decides which kind of message is due, empty for none. wait is how long to wait before asking
// again; 0: until something changes.
func (p *publisher) next(c *Config, examples, behind int64, now time.Time) (kind string, wait time.Duration) {
	if examples == p.version {
		return "", 0
	}
	large := p.delta.perExample*float64(examples-p.version) >= largeDelta
	if large && (behind > farBehind || p.queue.full()) {
		p.snapshotNext = true
	}
	switch {
	case p.snapshotNext:
		return p.nextSnapshot(behind, now)
	case large:
		return weights.Delta, 0
	case p.queue.deltas > 0:
		return "", 0 // what changes meanwhile goes into one delta
	}
	if wait = p.untilDelta(c.Publish, now); wait > 0 {
		return "", wait
	}
	tooMuch := max(c.SnapshotBytes, min(p.snapshot.bytes, maxDeltasAfterSnapshot))
	if p.snapshot.deltaBytes > tooMuch || now.Sub(p.snapshot.begun) > c.SnapshotEvery {
		return weights.Snapshot, 0
	}
	return weights.Delta, 0
}

// nextSnapshot is next while no deltas are made.
func (p *publisher) nextSnapshot(behind int64, now time.Time) (kind string, wait time.Duration) {
	if p.queue.len() > 0 {
		return "", 0
	}
	if behind > farBehind {
		wait = p.delta.written.Add(max(4*p.snapshot.took, minGapFarBehind)).Sub(now)
	}
	if wait > 0 {
		return "", wait
	}
	return weights.Snapshot, 0
}

// untilDelta is how long to wait for the next small delta. Writing takes at most a fifth of the
// time: when Kafka is slow there are fewer messages, and not a growing delay.
func (p *publisher) untilDelta(interval time.Duration, now time.Time) time.Duration {
	if interval == 0 {
		return 0
	}
	pause := max(interval-p.delta.took, min(4*p.delta.took, time.Second))
	return p.delta.written.Add(pause).Sub(now)
}

// head is the head of a message that leads to the weights of net as they are.
func (p *publisher) head(kind string, net *model.Net) weights.Head {
	h := weights.Head{Kind: kind, Epoch: p.epoch, From: p.version, To: net.Examples()}
	p.version = h.To
	return h
}

// makeDelta queues what has changed since the last message.
func (p *publisher) makeDelta(net *model.Net) {
	examples := net.Examples() - p.version
	m := message{head: p.head(weights.Delta, net), delta: net.AppendDelta(p.buffer(examples))}
	size := int64(len(m.delta))
	if examples > 0 {
		p.delta.perExample = float64(size) / float64(examples)
	}
	p.snapshot.deltaBytes += size
	p.queue.deltas++
	p.queue.deltaBytes += size
	if p.snapshot.copying {
		p.held = append(p.held, m)
		return
	}
	p.messages <- m
}

// beginSnapshot begins to copy a snapshot; c must be ready. A delta to the same version goes first,
// so that scorers that follow the deltas need not read the snapshot.
func (p *publisher) beginSnapshot(c *copier, now time.Time) {
	if p.version < c.net.Examples() && p.deltasLead(c.net) {
		p.makeDelta(c.net)
	}
	head := p.head(weights.Snapshot, c.net)
	head.Current = p.current
	p.queue.snapshots++
	p.snapshotNext, p.snapshotLost = false, false
	p.snapshot.begun, p.snapshot.copying, p.snapshot.deltaBytes = now, true, 0
	c.begin(want{toPublish, func(done *model.Capture) {
		p.messages <- message{head: head, snapshot: done}
		for _, m := range p.held {
			p.messages <- m
		}
		p.held, p.snapshot.copying = p.held[:0], false
	}})
}

// deltasLead reports whether a delta can lead from the last message to the present weights.
func (p *publisher) deltasLead(net *model.Net) bool { return !p.snapshotNext && !net.DeltaLost() }

// buffer returns memory for a delta of so many examples. A slice that grows while a delta is made
// takes eight times the memory in all, and touching each new page takes time.
func (p *publisher) buffer(examples int64) []byte {
	size := min(64<<10+int(1.25*p.delta.perExample*float64(examples)), maxReserved)
	if n := len(p.spare); n > 0 {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		if cap(b) >= size {
			return b[:0]
		}
	}
	return make([]byte, 0, size)
}

// acknowledged notes that Kafka has a message.
func (p *publisher) acknowledged(m written, now time.Time) {
	p.published = max(p.published, m.head.To)
	if m.snapshot != nil {
		p.queue.snapshots--
		p.snapshot.took, p.snapshot.bytes = now.Sub(p.snapshot.begun), m.bytes
		return
	}
	p.queue.deltas--
	p.queue.deltaBytes -= m.bytes
	p.delta.took, p.delta.written = m.took, now
	if len(p.spare) < maxSpare {
		p.spare = append(p.spare, m.delta)
	}
}
