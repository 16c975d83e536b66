package tail

import (
	"fmt"
	"io"
	"time"

	"github.com/clickloop/clickloop/stream"
)

// joiner holds predictions until their labels are there. It is used in turns, by one lane at a
// time.
type joiner struct {
	*tailer
	late    bool // conditions are evaluated when a prediction is printed
	open    int  // lanes of predictions that have not ended
	waiting [][]*pending
	held    int // predictions in waiting that are not printed
	bytes   int
	order   []*pending // in the order of reading, to make room
	marks   [][]mark   // by objective and partition
	seen    []int64    // by partition: the highest offset of predictions so far
	early   map[string][]label
	ids     []string // of early, the oldest first

	pushed, toldOpen, revised int64
}

// mark is how far an objective's labels have come in a partition of predictions.
type mark struct {
	offset  int64
	decided int // of the predictions that wait there: so many of the first are decided
}

// label is what an example says.
type label struct {
	objective int
	y         float64
	written   time.Time
	revision  bool
}

// pending is a prediction that waits for its labels.
type pending struct {
	id      string
	record  stream.Record
	labels  []*label // by objective; nil: none yet, or none at all
	decided []bool   // by objective
	printed bool
}

// prediction holds a prediction, or prints it if its labels have come already.
func (j *joiner) prediction(r *stream.Record) error {
	j.seen[r.Partition] = r.Offset
	if !j.late && j.filter != nil && !j.filter.holds(r, r.Value) {
		return nil
	}
	p := &pending{id: string(r.Key), record: *r, labels: make([]*label, len(j.marks)), decided: make([]bool, len(j.marks))}
	for o := range j.marks {
		p.decided[o] = j.marks[o][r.Partition].offset >= r.Offset
	}
	for _, l := range j.early[p.id] {
		p.labels[l.objective], p.decided[l.objective] = &l, true
	}
	delete(j.early, p.id)
	if p.complete() {
		return j.print(p)
	}
	j.waiting[r.Partition] = append(j.waiting[r.Partition], p)
	j.order = append(j.order, p)
	j.held++
	j.bytes += len(r.Value)
	for j.held > maxPending || j.bytes > maxPendingBytes {
		if err := j.push(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pending) complete() bool {
	for _, d := range p.decided {
		if !d {
			return false
		}
	}
	return true
}

// push prints the prediction that has waited longest.
func (j *joiner) push() error {
	for len(j.order) > 0 {
		p := j.order[0]
		j.order = j.order[1:]
		if !p.printed {
			j.pushed++
			err := j.printHeld(p)
			j.trim(p.record.Partition)
			return err
		}
	}
	return nil
}

// example gives a label to its prediction, and decides the predictions before it.
func (j *joiner) example(objective int, r *stream.Record) error {
	x, ok := readExample(r.Value)
	if !ok || x.partition < 0 || x.partition >= len(j.waiting) || j.Partition >= 0 && x.partition != j.Partition {
		return nil
	}
	l := label{objective: objective, y: x.y, written: r.Time, revision: x.revision}
	m := &j.marks[objective][x.partition]
	queue := j.waiting[x.partition]
	if at := find(queue, x.offset); at != nil {
		at.labels[objective], at.decided[objective] = &l, true
		if at.complete() {
			if err := j.printHeld(at); err != nil {
				return err
			}
		}
	} else if x.offset > j.seen[x.partition] {
		j.keepEarly(x.prediction, l)
	} else if x.revision && j.filter == nil {
		j.revised++
	}
	if x.revision || x.offset <= m.offset {
		return nil
	}
	m.offset = x.offset
	for ; m.decided < len(queue) && queue[m.decided].record.Offset <= x.offset; m.decided++ {
		p := queue[m.decided]
		p.decided[objective] = true
		if !p.printed && p.complete() {
			if err := j.printHeld(p); err != nil {
				return err
			}
		}
	}
	j.trim(x.partition)
	return nil
}

// find finds the prediction of an offset that waits: queue is in the order of offsets.
func find(queue []*pending, offset int64) *pending {
	low, high := 0, len(queue)
	for low < high {
		if mid := (low + high) / 2; queue[mid].record.Offset < offset {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low < len(queue) && queue[low].record.Offset == offset && !queue[low].printed {
		return queue[low]
	}
	return nil
}

// trim forgets the printed predictions at the front of a partition's.
func (j *joiner) trim(partition int) {
	queue := j.waiting[partition]
	n := 0
	for n < len(queue) && queue[n].printed {
		n++
	}
	j.waiting[partition] = queue[n:]
	for o := range j.marks {
		m := &j.marks[o][partition]
		m.decided = max(m.decided-n, 0)
	}
}

// keepEarly keeps a label whose prediction is not read yet.
func (j *joiner) keepEarly(id string, l label) {
	if len(j.ids) == maxEarly {
		delete(j.early, j.ids[0])
		j.ids = j.ids[1:]
	}
	j.ids = append(j.ids, id)
	j.early[id] = append(j.early[id], l)
}

// printHeld prints a prediction that has waited.
func (j *joiner) printHeld(p *pending) error {
	j.held--
	j.bytes -= len(p.record.Value)
	if err := j.print(p); err != nil {
		return err
	}
	p.record.Value, p.printed = nil, true
	for len(j.order) > 0 && j.order[0].printed {
		j.order = j.order[1:]
	}
	return nil
}

// print prints a prediction with its outcomes.
func (j *joiner) print(p *pending) error {
	line := j.appendJoined(nil, p)
	if j.late && j.filter != nil && !j.filter.holds(&p.record, line) {
		return nil
	}
	if !p.complete() {
		j.toldOpen++
	}
	return j.out.print(&p.record, line)
}

// flush prints the predictions that still wait, at the end of the topics.
func (j *joiner) flush() error {
	for len(j.order) > 0 {
		p := j.order[0]
		j.order = j.order[1:]
		if !p.printed {
			if err := j.printHeld(p); err != nil {
				return err
			}
		}
	}
	return j.out.flush()
}

// tell says what the output does not show.
func (j *joiner) tell(stderr io.Writer) {
	if j.filter != nil {
		j.filter.tally()
	}
	if j.toldOpen > 0 {
		fmt.Fprintf(stderr, "%d predictions were printed before all their labels were written; their member open names the objectives\n", j.toldOpen)
	}
	if j.pushed > 0 {
		fmt.Fprintf(stderr, "%d of them made room, since at most %d predictions or %d MiB wait\n", j.pushed, maxPending, maxPendingBytes>>20)
	}
	if j.revised > 0 {
		fmt.Fprintf(stderr, "%d revisions came for predictions that were printed already\n", j.revised)
	}
}
