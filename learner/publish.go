package learner

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// publisher makes messages of weights and has them written one after another, while learning goes
// on. Its epoch tells a learner that was deposed, and does not know it yet, from the one that
// follows.
//
// Nothing it does takes long, so that learning hardly stands still: a snapshot is copied in small
// steps between batches, and put together by the goroutine that writes it; a delta is made before
// it is long, and waits its turn. When there are too many that wait, or examples come from far
// behind, where nobody needs every version, deltas are given up, and the next message is a
// snapshot.
type publisher struct {
	key     string // the network's NetworkKey
	epoch   int64
	metrics *instruments

	from      int64   // examples in the weights that the last message leads to
	written   int64   // examples in those that Kafka has acknowledged
	perLearnt float64 // bytes of the last delta by its examples
	givenUp   bool    // the next message is a snapshot
	waiting   int     // messages that are made or being made, and not acknowledged
	bytes     int64   // of the deltas among them
	snapshots int     // among them
	ended     time.Time
	took      time.Duration // writing the last message

	deltas   int64          // bytes since the last snapshot
	snapshot time.Time      // when the last one was begun; zero: none yet
	whole    time.Duration  // how long the last one took from then until it was written
	size     int64          // of the last one
	copying  *model.Capture // the one that is being copied
	head     weights.Head   // of that
	behind   []outgoing     // deltas that follow it
	old      *model.Capture // one that was written, its memory to be used again
	spare    [][]byte       // the same, of deltas
	step     pace           // of copying a snapshot

	current bool // the network may take the place of one that had learned more: said with snapshots

	lost   bool         // the last snapshot is gone from the topic: the next message is another
	begins atomic.Int64 // offset of the last one that this learner wrote, -1 for none

	// offset of the last whole snapshot, -1 for none; it is write's, as the next two are
	last   int64
	kept   int64        // bytes that the topic keeps, as far as known
	logger *slog.Logger // nil for none

	jobs chan outgoing // room for all
	done chan sent     // room for all
}

const (
	// of a delta: with what one more batch brings it would take several milliseconds
	pieceBytes   = 768 << 10
	mostRoom     = 8 << 20         // for a delta, before it is made
	maxWaiting   = 64              // messages
	maxSpare     = 8               // deltas' memory
	waitingBytes = 32 << 20        // of deltas that wait
	farBehind    = 10_000          // examples
	rarely       = 5 * time.Second // between snapshots when far behind
	largestGap   = 64 << 20        // of deltas behind a snapshot: who joins reads them too
)

// outgoing is a message on its way.
type outgoing struct {
	head weights.Head
	body []byte         // of a delta
	copy *model.Capture // of a snapshot
}

// sent is a message that is acknowledged.
type sent struct {
	outgoing
	bytes int
	took  time.Duration
}

func newPublisher(key string, epoch int64, m *instruments) *publisher {
	p := &publisher{
		// a guess that is rather too much
		key: key, epoch: epoch, metrics: m, perLearnt: 4096, step: stepPace, last: -1, kept: event.ModelRetentionBytes,
		jobs: make(chan outgoing, maxWaiting+1), done: make(chan sent, maxWaiting+1),
	}
	p.begins.Store(-1)
	return p
}

// next is the kind of the message that may be made now, empty for none, and how long it is until
// one may be; 0 when something else wakes the loop.
func (p *publisher) next(c *Config, examples, behind int64, now time.Time) (kind string, wait time.Duration) {
	if examples == p.from {
		return "", 0
	}
	piece := p.perLearnt*float64(examples-p.from) >= pieceBytes
	if piece && (behind > farBehind || p.waiting >= maxWaiting || p.bytes >= waitingBytes) {
		p.givenUp = true
	}
	switch {
	case p.givenUp && p.waiting > 0:
		return "", 0
	case p.givenUp && behind > farBehind:
		// at most a fifth of the time, as below
		if wait = p.ended.Add(max(4*p.whole, rarely)).Sub(now); wait > 0 {
			return "", wait
		}
		return weights.Snapshot, 0
	case p.givenUp:
		return weights.Snapshot, 0
	case piece:
		return weights.Delta, 0
	case p.waiting > p.snapshots:
		return "", 0
	}
	if wait = p.wait(c.Publish, now); wait > 0 {
		return "", wait
	}
	if p.deltas > max(c.SnapshotBytes, min(p.size, largestGap)) || now.Sub(p.snapshot) > c.SnapshotEvery {
		return weights.Snapshot, 0 // a scorer that joins would have too much to read
	}
	return weights.Delta, 0
}

// wait is how long until the next message may be made. Writing takes at most a fifth of the time:
// where Kafka is slow there are fewer messages, not later and later ones.
func (p *publisher) wait(interval time.Duration, now time.Time) time.Duration {
	if interval == 0 {
		return 0
	}
	return p.ended.Add(max(interval-p.took, min(4*p.took, time.Second))).Sub(now)
}

// start makes a message of what changed since the last one and hands it to write, or begins to copy
// a snapshot; there may be one snapshot at a time.
func (p *publisher) start(kind string, net *model.Net, now time.Time) {
	if kind == weights.Snapshot && !net.DeltaLost() && !p.givenUp && p.from < net.Examples() {
		p.start(weights.Delta, net, now) // so that those who follow have no use for the snapshot
	}
	head := weights.Head{Kind: kind, Epoch: p.epoch, From: p.from, To: net.Examples()}
	p.from = head.To
	p.waiting++
	if kind == weights.Snapshot {
		if p.snapshots > 0 {
			panic("BUG: a snapshot is begun while another is on its way")
		}
		p.snapshots, p.givenUp, p.lost = 1, false, false
		head.Current = p.current
		p.head, p.deltas, p.snapshot = head, 0, now
		p.copying, p.old = net.StartSnapshot(p.old), nil
		p.copyOn()
		return
	}
	m := outgoing{head: head, body: net.AppendDelta(p.room(head.To - head.From))}
	if n := head.To - head.From; n > 0 {
		p.perLearnt = float64(len(m.body)) / float64(n)
	}
	p.deltas += int64(len(m.body))
	p.bytes += int64(len(m.body))
	if p.copying != nil {
		p.behind = append(p.behind, m)
		return
	}
	p.jobs <- m
}

// room is memory for a delta of so many examples: one that grows as it is made takes eight times as
// much in all, and each page takes its time.
func (p *publisher) room(examples int64) []byte {
	size := min(64<<10+int(1.25*p.perLearnt*float64(examples)), mostRoom)
	if n := len(p.spare); n > 0 {
		body := p.spare[n-1]
		p.spare = p.spare[:n-1]
		if cap(body) >= size {
			return body[:0]
		}
	}
	return make([]byte, 0, size)
}

// copyOn copies more of a snapshot, and hands it to write when all is copied.
func (p *publisher) copyOn() {
	if !p.step.steps(p.copying.Step) {
		return
	}
	p.jobs <- outgoing{head: p.head, copy: p.copying}
	for _, m := range p.behind {
		p.jobs <- m
	}
	p.copying, p.behind = nil, p.behind[:0]
}

// snapshotRecords of a snapshot are written at once; then come the deltas that are waiting.
const snapshotRecords = 2

// write writes messages until ctx ends, in the order in which they were made, but for deltas that
// follow a snapshot: they are written between its records, so that no scorer waits for what it does
// not need.
func (p *publisher) write(ctx context.Context, client *stream.Client) error {
	var snapshot []byte
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-p.jobs:
			if m.copy == nil {
				if err := p.writeDelta(ctx, client, m); err != nil {
					return err
				}
				continue
			}
			began := time.Now()
			snapshot = m.copy.AppendTo(snapshot[:0])
			p.keep(ctx, client, int64(len(snapshot)))
			if err := p.writeSnapshot(ctx, client, m, snapshot); err != nil {
				return err
			}
			p.done <- sent{m, len(snapshot), time.Since(began)}
		}
	}
}

const keepTimeout = 10 * time.Second

// keep makes the topic keep two snapshots of a size and what stands between them: with less, the
// last whole one is deleted while the next one is written, and who joins has none until that is
// there, or never.
func (p *publisher) keep(ctx context.Context, client *stream.Client, size int64) {
	need := 2*size + 4*largestGap
	if need <= p.kept {
		return
	}
	topic := event.TopicModel(p.key)
	// a cluster that does not let it be seen must not hold the snapshot up
	bounded, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	kept, before, err := client.KeepBytes(bounded, topic, need+need/2) // more, as it will grow on
	switch {
	case p.logger == nil || ctx.Err() != nil:
	case err != nil:
		p.logger.Error("the model topic keeps too little for two snapshots: scorers that start may have none to read", "snapshot_bytes", size, "err", err)
	case kept > before:
		p.logger.Info("the model topic keeps more now, since a snapshot has grown", "topic", topic, "retention.bytes", kept, "before", before, "snapshot_bytes", size)
	}
	// also after an error: it is told again when it has grown by half
	p.kept = max(kept, need+need/2)
}

func (p *publisher) writeDelta(ctx context.Context, client *stream.Client, m outgoing) error {
	began := time.Now()
	if err := p.produce(ctx, client, m, p.cut(m.head, m.body)); err != nil {
		return err
	}
	p.done <- sent{m, len(m.body), time.Since(began)}
	return nil
}

func (p *publisher) writeSnapshot(ctx context.Context, client *stream.Client, m outgoing, body []byte) error {
	all := p.cut(m.head, body)
	for at := 0; at < len(all); {
		n := min(snapshotRecords, len(all)-at)
		if at == 0 {
			n = 1 // whose offset the last ones tell
		}
		if at > 0 && at+n == len(all) { // when these can be read the snapshot is whole
			for i := range all[at:] {
				all[at+i].Headers = weights.SetLast(all[at+i].Headers, all[0].Offset)
			}
		}
		if err := p.produce(ctx, client, m, all[at:at+n]); err != nil {
			return err
		}
		at += n
		if at == len(all) {
			p.last = all[0].Offset
			p.begins.Store(p.last)
		}
		if err := p.writeDeltas(ctx, client); err != nil {
			return err
		}
	}
	return nil
}

// writeDeltas writes the messages that wait. They are deltas: there is one snapshot at a time.
func (p *publisher) writeDeltas(ctx context.Context, client *stream.Client) error {
	for {
		select {
		case m := <-p.jobs:
			if err := p.writeDelta(ctx, client, m); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (p *publisher) cut(h weights.Head, body []byte) []stream.Record {
	headers := []stream.Header{{Key: event.HeaderContentType, Value: []byte(event.ContentTypeBinary)}, {Key: event.HeaderSchema, Value: []byte(event.SchemaModel)}}
	if p.last >= 0 {
		headers = weights.SetLast(headers, p.last)
	}
	return weights.Cut(h, p.key, body, headers...)
}

func (p *publisher) produce(ctx context.Context, client *stream.Client, m outgoing, records []stream.Record) error {
	if err := client.Produce(ctx, event.TopicModel(p.key), records); err != nil {
		return err
	}
	for i := range records {
		p.metrics.published.WithLabelValues(p.key, m.head.Kind).Add(float64(len(records[i].Value)))
	}
	return nil
}

// finished notes that a message was written.
func (p *publisher) finished(m sent, now time.Time) {
	p.waiting--
	p.written = max(p.written, m.head.To)
	p.metrics.version.WithLabelValues(p.key).Set(float64(p.written))
	if m.copy != nil {
		p.snapshots--
		p.old, p.whole, p.size = m.copy, now.Sub(p.snapshot), int64(m.bytes)
		return
	}
	p.took, p.ended = m.took, now
	p.bytes -= int64(len(m.body))
	if len(p.spare) < maxSpare {
		p.spare = append(p.spare, m.body)
	}
}
