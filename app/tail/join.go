package tail

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// Bounds of a join. A prediction that must make room is printed with what is not known yet as open.
const (
	maxPending      = 100_000
	maxPendingBytes = 64 << 20
	maxEarly        = 100_000 // labels whose predictions are not read yet; the oldest are forgotten
)

// skew is how much earlier than its prediction an example may seem to be written, by another clock.
const skew = time.Minute

// joinsOutcomes says whether a condition asks for outcomes. All are then evaluated once a
// prediction's outcomes are known, else as it is read.
func joinsOutcomes(o *Options) bool {
	f, err := newFilter(o.Where, o.names())
	return err == nil && f != nil && f.root.find(outcomesGroup) != nil
}

// join prints predictions with the labels of their examples, by objective. Examples of a
// partition's predictions are written in the order of these. So an example also tells that earlier
// predictions of its partition are decided: one without an example is none, since its trigger has
// not happened in time, or it repeats another.
func (t *tailer) join(ctx context.Context, ranges []stream.Range, starts []int64, stderr io.Writer) error {
	j := &joiner{tailer: t, late: joinsOutcomes(t.Options), waiting: make([][]*pending, len(ranges)), seen: make([]int64, len(ranges)), early: map[string][]label{}}
	for range t.Objectives {
		j.marks = append(j.marks, make([]mark, len(ranges)))
	}
	for p := range ranges {
		j.seen[p] = starts[p] - 1
		for o := range j.marks {
			j.marks[o][p].offset = -1
		}
	}
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	since, err := t.firstTime(bounded, ranges, starts)
	if err != nil {
		return err
	}
	var lanes []lane
	for p, r := range ranges {
		if t.Partition < 0 || p == t.Partition {
			lanes = append(lanes, lane{topic: t.Topic, partition: p, from: starts[p], end: r.End, handle: j.prediction})
			j.open++
		}
	}
	for o := range t.Objectives {
		l := lane{topic: event.TopicExamples(t.Objectives[o].Name), handle: func(r *stream.Record) error { return j.example(o, r) }}
		found, err := t.client.Offsets(bounded, l.topic)
		if err != nil {
			return &TopicError{Topic: l.topic, Err: fmt.Errorf("cannot read topic %s: %w", t.client.Prefix()+l.topic, err)}
		}
		l.from, l.end = found[0].End, found[0].End
		if !since.IsZero() {
			at, err := t.client.OffsetsAt(bounded, l.topic, since.Add(-skew))
			if err != nil {
				return err
			}
			l.from = at[0]
		}
		lanes = append(lanes, l)
	}
	err = j.run(ctx, lanes)
	if err == nil {
		err = j.flush()
	}
	j.tell(stderr)
	return err
}

// firstTime returns when the first record was written that is read; zero when there is none yet.
func (t *tailer) firstTime(ctx context.Context, ranges []stream.Range, starts []int64) (first time.Time, err error) {
	for p, r := range ranges {
		if starts[p] >= r.End || t.Partition >= 0 && p != t.Partition {
			continue
		}
		err := t.client.ReadRange(ctx, t.Topic, p, starts[p], starts[p]+1, func(r *stream.Record) error {
			if first.IsZero() || r.Time.Before(first) {
				first = r.Time
			}
			return nil
		})
		if err != nil {
			return first, err
		}
	}
	return first, nil
}

// lane is a partition that a join reads.
type lane struct {
	topic     string
	partition int
	from, end int64
	handle    func(*stream.Record) error
}

// run reads all lanes, in turns by time.
func (j *joiner) run(ctx context.Context, lanes []lane) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	turns := newTurns(len(lanes))
	for i := range lanes {
		l := &lanes[i]
		if l.from >= l.end {
			turns.set(i, none)
		}
		g.Go(func() error {
			defer turns.set(i, none)
			read := l.from
			err := j.read(ctx, l.topic, l.partition, l.from, l.end, func(records []stream.Record) error {
				if len(records) == 0 { // transactions that were aborted, perhaps up to the end
					turns.set(i, none)
					return nil
				}
				err := turns.take(ctx, i, records, func() error { return j.handle(records, l) })
				if read = records[len(records)-1].Offset + 1; read < l.end {
					turns.set(i, unknown)
				} else {
					turns.set(i, none)
				}
				return err
			})
			if err == nil && l.topic == j.Topic {
				turns.mu.Lock()
				defer turns.mu.Unlock()
				j.open--
			}
			return err
		})
	}
	return g.Wait()
}

// handle handles the records of a lane, and shows what is complete.
func (j *joiner) handle(records []stream.Record, l *lane) error {
	for i := range records {
		if err := l.handle(&records[i]); err != nil {
			return err
		}
	}
	if err := j.out.flush(); err != nil {
		return err
	}
	if j.open == 0 && j.held == 0 && !j.Exit { // -o e@ has ended the predictions
		return errDone
	}
	return nil
}
