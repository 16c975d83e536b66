package feedback

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/repeats"
)

// pending is a prediction that waits for its label.
type pending struct {
	partition  int
	offset     int64
	produced   event.Time // of the record, by its producer's clock; 0 when it gave none
	bytes      int        // of the record
	prediction event.Prediction
}

// written is when it was produced, or made if its producer gave the record no time.
func (p *pending) written() event.Time {
	if p.produced != 0 {
		return p.produced
	}
	return p.prediction.Time
}

// queue holds the predictions of one partition that were read and not labelled, in the order of
// their offsets. Its length is bounded by whoever fills it.
type queue struct {
	partition int
	waiting   []pending
	bytes     int // of waiting
	choices   repeats.Choices
	next      int64 // offset behind the last record that was read
	done      int64 // offset behind the last record that needs no more work
}

// add takes a prediction and says what it is; only one that is fresh is kept.
func (q *queue) add(p pending) repeats.Verdict {
	q.next = p.offset + 1
	verdict := q.choices.Seen(&p.prediction, p.offset, p.produced)
	if verdict != repeats.Fresh {
		q.pass()
		return verdict
	}
	p.partition = q.partition
	q.waiting = append(q.waiting, p)
	q.bytes += p.bytes
	return repeats.Fresh
}

// skip passes over a record that is no prediction.
func (q *queue) skip(offset int64) { q.reach(offset + 1) }

// reach notes that all before next was read, also where it was no record but a marker of a
// transaction.
func (q *queue) reach(next int64) {
	q.next = max(q.next, next)
	q.pass()
}

// pass moves done to the end when nothing waits.
func (q *queue) pass() {
	if len(q.waiting) == 0 {
		q.done = q.next
	}
}

// pop takes the first prediction.
func (q *queue) pop() pending {
	p := q.waiting[0]
	q.waiting[0] = pending{} // what it held may go
	q.waiting = q.waiting[1:]
	q.bytes -= p.bytes
	q.done = p.offset + 1
	q.pass()
	return p
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

// merge takes due predictions from the queues' heads in the order of before, keeping each
// partition's order, until limit are taken, no head is due, or a queue runs empty of which whole
// does not know that its partition holds nothing more: what would come next could then be hidden.
// It returns that queue, or nil.
func merge(dst []pending, queues []*queue, due func(event.Time) bool, whole func(*queue) bool, limit int) ([]pending, *queue) {
	for len(dst) < limit {
		var first *queue
		for _, q := range queues {
			if len(q.waiting) == 0 {
				if !whole(q) {
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
