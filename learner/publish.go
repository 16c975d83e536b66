package learner

import (
	"context"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// publisher makes messages of weights and has them written one after another, while learning goes on. Its epoch tells a learner that was deposed, and does not
// know it yet, from the one that follows.
//
// A delta is made at once. A snapshot is copied in small steps between batches, and put together by the goroutine that writes it.
type publisher struct {
	objective string
	epoch     int64
	metrics   *instruments

	from     int64          // examples in the weights that the last message leads to
	written  int64          // examples in those that Kafka has acknowledged
	deltas   int64          // bytes of deltas since the last snapshot
	snapshot time.Time      // when the last one was begun; zero: none yet
	busy     bool           // a message is being made or written, and its memory is in use
	copying  *model.Capture // the snapshot that is being copied
	head     weights.Head   // of that
	old      *model.Capture // one that was written, its memory to be used again
	ended    time.Time      // when the last one was written
	took     time.Duration
	buffer   []byte

	jobs chan outgoing // room for one
	done chan sent     // room for one
}

// sent is a message that is acknowledged.
type sent struct {
	to   int64
	took time.Duration
	copy *model.Capture // of a snapshot
}

// outgoing is a message on its way.
type outgoing struct {
	head weights.Head
	body []byte         // of a delta
	copy *model.Capture // of a snapshot
}

func newPublisher(objective string, epoch int64, m *instruments) *publisher {
	return &publisher{objective: objective, epoch: epoch, metrics: m, jobs: make(chan outgoing, 1), done: make(chan sent, 1)}
}

// start makes a message of what changed since the last one and hands it to write, or begins to copy a snapshot. There must be none on its way.
func (p *publisher) start(kind string, net *model.Net, now time.Time) {
	if p.busy {
		panic("BUG: a message of weights is made while another is on its way")
	}
	p.busy = true
	head := weights.Head{Kind: kind, Epoch: p.epoch, From: p.from, To: net.Examples()}
	p.from = head.To
	if kind == weights.Snapshot {
		p.head, p.deltas, p.snapshot = head, 0, now
		p.copying, p.old = net.StartSnapshot(p.old), nil
		p.step()
		return
	}
	p.buffer = net.AppendDelta(p.buffer[:0])
	p.deltas += int64(len(p.buffer))
	p.jobs <- outgoing{head: head, body: p.buffer}
}

// step copies more of a snapshot, and hands it to write when all is copied.
func (p *publisher) step() {
	began := time.Now()
	done := p.copying.Step(stepBytes)
	p.metrics.pause.Observe(time.Since(began).Seconds())
	if done {
		p.jobs <- outgoing{head: p.head, copy: p.copying}
		p.copying = nil
	}
}

// write writes messages in the order in which they were made until ctx ends.
func (p *publisher) write(ctx context.Context, client *stream.Client) error {
	var snapshot []byte
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-p.jobs:
			began := time.Now()
			if m.copy != nil {
				snapshot = m.copy.AppendTo(snapshot[:0])
				m.body = snapshot
			}
			records := weights.Cut(m.head, p.objective, m.body,
				stream.Header{Key: event.HeaderContentType, Value: []byte(event.ContentTypeBinary)}, stream.Header{Key: event.HeaderSchema, Value: []byte(event.SchemaModel)})
			if err := client.Produce(ctx, event.TopicModel(p.objective), records); err != nil {
				return err
			}
			p.metrics.published.WithLabelValues(p.objective, m.head.Kind).Add(float64(len(m.body)))
			p.metrics.version.WithLabelValues(p.objective).Set(float64(m.head.To))
			p.done <- sent{m.head.To, time.Since(began), m.copy}
		}
	}
}

// finished notes that the message on its way was written.
func (p *publisher) finished(m sent, now time.Time) {
	p.busy, p.written, p.took, p.ended = false, m.to, m.took, now
	if m.copy != nil {
		p.old = m.copy
	}
}

// wait is how long until the next message may be made. Writing takes at most a fifth of the time: where Kafka is slow there are fewer messages, not
// later and later ones.
func (p *publisher) wait(interval time.Duration, now time.Time) time.Duration {
	if interval == 0 {
		return 0
	}
	return p.ended.Add(max(interval-p.took, min(4*p.took, time.Second))).Sub(now)
}

// next is the kind of the next message: a snapshot when the deltas since the last one would take a scorer that joins too long.
func (p *publisher) next(c *Config, now time.Time) string {
	if p.snapshot.IsZero() || p.deltas > c.SnapshotBytes || now.Sub(p.snapshot) > c.SnapshotEvery {
		return weights.Snapshot
	}
	return weights.Delta
}
