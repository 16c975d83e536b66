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
type publisher struct {
	objective string
	epoch     int64
	metrics   *instruments

	from     int64     // examples in the weights that the last message leads to
	written  int64     // examples in those that Kafka has acknowledged
	deltas   int64     // bytes of deltas since the last snapshot
	snapshot time.Time // when the last one was made; zero: none yet
	busy     bool      // a message is being written, and buffer is in use
	ended    time.Time // when the last one was written
	took     time.Duration
	buffer   []byte

	jobs chan outgoing // room for one
	done chan sent     // room for one
}

// sent is a message that is acknowledged.
type sent struct {
	to   int64
	took time.Duration
}

// outgoing is a message on its way.
type outgoing struct {
	kind    string
	to      int64
	bytes   int
	records []stream.Record
}

func newPublisher(objective string, epoch int64, m *instruments) *publisher {
	return &publisher{objective: objective, epoch: epoch, metrics: m, jobs: make(chan outgoing, 1), done: make(chan sent, 1)}
}

// start makes a message of what changed since the last one, or a snapshot, and hands it to write. There must be none on its way.
func (p *publisher) start(kind string, net *model.Net, now time.Time) {
	if p.busy {
		panic("BUG: a message of weights is made while another is on its way")
	}
	to := net.Examples()
	if kind == weights.Snapshot {
		p.buffer = net.AppendSnapshot(p.buffer[:0])
		p.deltas, p.snapshot = 0, now
	} else {
		p.buffer = net.AppendDelta(p.buffer[:0])
		p.deltas += int64(len(p.buffer))
	}
	p.busy = true
	p.jobs <- outgoing{kind, to, len(p.buffer), p.records(kind, to)}
	p.from = to
}

// records cuts the buffer into parts.
func (p *publisher) records(kind string, to int64) []stream.Record {
	return weights.Cut(weights.Head{Kind: kind, Epoch: p.epoch, From: p.from, To: to}, p.objective, p.buffer,
		stream.Header{Key: event.HeaderContentType, Value: []byte(event.ContentTypeBinary)}, stream.Header{Key: event.HeaderSchema, Value: []byte(event.SchemaModel)})
}

// write writes messages in the order in which they were made until ctx ends.
func (p *publisher) write(ctx context.Context, client *stream.Client) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-p.jobs:
			began := time.Now()
			if err := client.Produce(ctx, event.TopicModel(p.objective), m.records); err != nil {
				return err
			}
			p.metrics.published.WithLabelValues(p.objective, m.kind).Add(float64(m.bytes))
			p.metrics.version.WithLabelValues(p.objective).Set(float64(m.to))
			p.done <- sent{m.to, time.Since(began)}
		}
	}
}

// finished notes that the message on its way was written.
func (p *publisher) finished(m sent, now time.Time) {
	p.busy, p.written, p.took, p.ended = false, m.to, m.took, now
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
