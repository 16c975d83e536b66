package fold

import (
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
)

// Batch is what the records of one read come to.
type Batch struct {
	Updates []features.Update
	Letters []deadletter.Letter

	partition int
	now       event.Time
	marks     watermark.Marks
	beats     *watermark.Reporter
	clock     clock
}

// clock says whose heartbeats a batch has.
type clock int

const (
	noClock  clock = iota
	live           // a collector's
	recorded       // of the driver of a replay, which has no name
)

// livePace is that of a process's readers while events come as they happen: an event reaches its
// profile, and a prediction its label, up to so much later, and a busy process asks Kafka for
// fewer and larger batches.
const livePace = 20 * time.Millisecond

// pace is that of the readers of this process behind the batch, if it has a heartbeat. The driver
// of a replay may wait for every tick.
func (b *Batch) pace() (d time.Duration, known bool) {
	if b.clock == live {
		d = livePace
	}
	return d, b.clock != noClock
}

// Beat takes the heartbeat e of record r. Heartbeats alone move the watermark: a producer that
// writes next year into an event's receipt must not make a year's labels due.
func (b *Batch) Beat(e *event.Event, r *stream.Record) {
	if b.clock = live; e.Collector == "" {
		b.clock = recorded
	}
	b.beats.Report(e, b.marks.Beat(e, b.clocks(r)), b.partition, r.Offset)
}

// Settle gives the event e of record r the receipt that counts. A Handler calls it before it makes
// updates of e.
func (b *Batch) Settle(e *event.Event, r *stream.Record) { b.marks.Settle(e, b.clocks(r)) }

func (b *Batch) clocks(r *stream.Record) watermark.Clocks {
	if b.now == 0 {
		return watermark.Clocks{}
	}
	return watermark.Clocks{Stamp: event.TimeOf(r.Time), Reader: b.now}
}
