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

// message is a delta or a snapshot for the model topic.
type message struct {
	head     weights.Head
	delta    []byte
	snapshot *model.Capture // nil for a delta
}

// written is a message that Kafka has acknowledged.
type written struct {
	message
	bytes int64
	took  time.Duration
}

// writer writes messages to a model topic in the order of its queue, with one exception: deltas
// that follow a snapshot are written between its records. So a scorer that follows the deltas does
// not wait for a snapshot that it does not need. Such a delta applies after the snapshot as well as
// after the delta before it.
type writer struct {
	client  *stream.Client
	key     string // the network's NetworkKey
	metrics *instruments
	logger  *slog.Logger

	messages chan message // has room for all that the publisher queues
	done     chan written // the same

	buffer       []byte       // of the snapshot being written
	lastSnapshot int64        // offset of the last whole snapshot on the topic, -1 for none
	ownSnapshot  atomic.Int64 // the same of this writer's own; the watcher reads it
	kept         int64        // bytes that the topic keeps, as far as known
}

func newWriter(o *owner) *writer {
	const room = maxQueued + 2 // a full queue, a snapshot, and the delta before it
	w := &writer{
		client: o.client, key: o.key, metrics: o.metrics, logger: o.logger, lastSnapshot: -1, kept: event.ModelRetentionBytes,
		messages: make(chan message, room), done: make(chan written, room),
	}
	w.ownSnapshot.Store(-1)
	return w
}

// run writes until ctx ends. It returns an error when Kafka refuses a record for good.
func (w *writer) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-w.messages:
			write := w.writeDelta
			if m.snapshot != nil {
				write = w.writeSnapshot
			}
			if err := write(ctx, m); err != nil {
				return err
			}
		}
	}
}

func (w *writer) writeDelta(ctx context.Context, m message) error {
	began := time.Now()
	if err := w.produce(ctx, m, w.cut(m.head, m.delta)); err != nil {
		return err
	}
	w.done <- written{m, int64(len(m.delta)), time.Since(began)}
	return nil
}

// writeQueuedDeltas empties the queue. It holds only deltas: one snapshot is made at a time.
func (w *writer) writeQueuedDeltas(ctx context.Context) error {
	for len(w.messages) > 0 {
		if err := w.writeDelta(ctx, <-w.messages); err != nil {
			return err
		}
	}
	return nil
}

// snapshotRecords is how many records of a snapshot are written before the deltas in the queue.
const snapshotRecords = 2

// writeSnapshot writes a snapshot a few records at a time, and the queued deltas in between.
//
// Every record tells where the last whole snapshot begins, so that a joining replica finds it by
// the record at the end of the topic. With the last records this snapshot becomes whole, so they
// name its own first record. That one is written before them, alone, to learn its offset.
func (w *writer) writeSnapshot(ctx context.Context, m message) error {
	began := time.Now()
	w.buffer = m.snapshot.AppendTo(w.buffer[:0])
	size := int64(len(w.buffer))
	w.raiseRetention(ctx, size)
	records := w.cut(m.head, w.buffer)
	if err := w.produce(ctx, m, records[:1]); err != nil {
		return err
	}
	begins := records[0].Offset
	for rest := records[1:]; len(rest) > 0; {
		if err := w.writeQueuedDeltas(ctx); err != nil {
			return err
		}
		part := rest[:min(snapshotRecords, len(rest))]
		rest = rest[len(part):]
		for i := range part {
			if len(rest) == 0 {
				part[i].Headers = weights.SetLast(part[i].Headers, begins)
			}
		}
		if err := w.produce(ctx, m, part); err != nil {
			return err
		}
	}
	w.lastSnapshot = begins
	w.ownSnapshot.Store(begins)
	if err := w.writeQueuedDeltas(ctx); err != nil {
		return err
	}
	w.done <- written{m, size, time.Since(began)}
	return nil
}

// cut makes the records of a message.
func (w *writer) cut(h weights.Head, body []byte) []stream.Record {
	headers := []stream.Header{{Key: event.HeaderContentType, Value: []byte(event.ContentTypeBinary)}, {Key: event.HeaderSchema, Value: []byte(event.SchemaModel)}}
	if w.lastSnapshot >= 0 {
		headers = weights.SetLast(headers, w.lastSnapshot)
	}
	return weights.Cut(h, w.key, body, headers...)
}

func (w *writer) produce(ctx context.Context, m message, records []stream.Record) error {
	if err := w.client.Produce(ctx, event.TopicModel(w.key), records); err != nil {
		return err
	}
	for i := range records {
		w.metrics.published.WithLabelValues(w.key, m.head.Kind).Add(float64(len(records[i].Value)))
	}
	return nil
}

// raiseRetention makes the topic keep two snapshots of this size, and the deltas between them. With
// less, Kafka deletes the only whole snapshot while the next one is written, and a joining replica
// has nothing to read. A cluster that does not allow it must not hold up the snapshot.
func (w *writer) raiseRetention(ctx context.Context, size int64) {
	need := 2*size + 4*maxDeltasAfterSnapshot
	if need <= w.kept {
		return
	}
	need += need / 2 // a network that has grown grows on
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	kept, before, err := w.client.KeepBytes(bounded, event.TopicModel(w.key), need)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.logger.Error("the model topic keeps too little for two snapshots: scorers that start may have none to read", "snapshot_bytes", size, "err", err)
	case kept > before:
		w.logger.Info("the model topic keeps more now, since a snapshot has grown", "topic", event.TopicModel(w.key), "retention.bytes", kept, "before", before, "snapshot_bytes", size)
	}
	w.kept = max(kept, need) // after an error as well: the next one is logged when this is too little
}
