package feedback

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/internal/tracing"
)

// pending is a prediction that waits for its label.
type pending struct {
	partition  int
	offset     int64
	produced   event.Time // of the record, by its producer's clock; 0 when it gave none
	bytes      int        // of the record
	prediction event.Prediction
	trace      tracing.Trace // of the record
}

// written is when the record was produced, or the prediction made if the record has no time.
func (p *pending) written() event.Time {
	if p.produced != 0 {
		return p.produced
	}
	return p.prediction.Time
}

// before is the order in which due predictions of several partitions are labelled.
func (p *pending) before(o *pending) bool {
	a, b := &p.prediction, &o.prediction
	switch {
	case a.Time != b.Time:
		return a.Time < b.Time
	case a.Row != b.Row:
		return a.Row < b.Row
	}
	return p.partition < o.partition
}

// Bounds of a queue. The predictions behind it stay in Kafka.
const (
	queueLength = 4096
	queueBytes  = 4 << 20
)

// queue holds the predictions of one partition that are read and not labelled, in the order of
// their offsets. A batch is added only when it has room.
type queue struct {
	partition int
	choices   repeats.Choices
	waiting   []pending
	bytes     int   // of the waiting records
	next      int64 // offset behind the last record that was read
	done      int64 // offset behind the last record that needs no more work
}

func (q *queue) hasRoom() bool { return len(q.waiting) < queueLength && q.bytes < queueBytes }

// add keeps a prediction if it is fresh.
func (q *queue) add(p pending) repeats.Verdict {
	verdict := q.choices.Seen(&p.prediction, p.offset, p.produced)
	if verdict != repeats.Fresh {
		q.reach(p.offset + 1)
		return verdict
	}
	q.next = p.offset + 1
	p.partition = q.partition
	q.waiting = append(q.waiting, p)
	q.bytes += p.bytes
	return verdict
}

// reach notes that everything before next is read, also where no record stood but a marker of a
// transaction.
func (q *queue) reach(next int64) {
	q.next = max(q.next, next)
	if len(q.waiting) == 0 {
		q.done = q.next
	}
}

// pop takes the first prediction out.
func (q *queue) pop() pending {
	p := q.waiting[0]
	q.waiting[0] = pending{} // frees what it holds
	q.waiting = q.waiting[1:]
	q.bytes -= p.bytes
	if q.done = p.offset + 1; len(q.waiting) == 0 {
		q.done = q.next
	}
	return p
}

// merge pops due predictions from the queues in the order of before, keeping each partition's
// order, until it has limit of them or none is due. It stops at an empty queue that is not at its
// partition's end, since the next prediction of that one may come before those of the others, and
// returns it.
func merge(dst []pending, queues []*queue, due func(predicted event.Time) bool, atEnd func(*queue) bool, limit int) ([]pending, *queue) {
	for len(dst) < limit {
		var first *queue
		for _, q := range queues {
			if len(q.waiting) == 0 {
				if !atEnd(q) {
					return dst, q
				}
				continue
			}
			if due(q.waiting[0].prediction.Time) && (first == nil || q.waiting[0].before(&first.waiting[0])) {
				first = q
			}
		}
		if first == nil {
			return dst, nil
		}
		dst = append(dst, first.pop())
	}
	return dst, nil
}
