package story

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/stream"
)

// tellObjective tells what an objective predicted, its label, and which weights learned it.
func (s *search) tellObjective(ctx context.Context, o *event.Objective) error {
	told := Objective{Name: o.Name, Trigger: o.Trigger, Positive: o.Positive, WindowMs: o.Window.Milliseconds(), Examples: []Example{}}
	ranges, err := s.offsets(ctx, event.TopicExamples(o.Name))
	if err != nil {
		return err
	}
	decided := false
	if s.story.Prediction == nil {
		err = s.scanExamples(ctx, "scan", ranges[0].First, ranges[0].End, &told)
	} else {
		told.P, told.Model = probability(&s.own, o.Name), version(&s.own, o.Name)
		told.Due = objective.KindOf(*o).Due(s.own.Time)
		decided, err = s.findExample(ctx, o, ranges[0], &told)
	}
	if err != nil {
		return err
	}
	s.setState(o, &told, decided)
	for i := range told.Examples {
		if err := s.findLearned(ctx, o, ranges[0], &told.Examples[i]); err != nil {
			return err
		}
	}
	if s.story.Prediction != nil && !s.Brief {
		if told.Because, err = s.because(ctx, o, &told); err != nil {
			s.note("%s: the weights cannot say why: %v", o.Name, err)
		}
	}
	s.story.Objectives = append(s.story.Objectives, told)
	return nil
}

// findExample finds the example of the prediction, and its revision. Of one partition of
// predictions, examples carry rising offsets, so the place is found by halving. decided says that
// an example of a later prediction of the partition exists: without an example, this one has none.
func (s *search) findExample(ctx context.Context, o *event.Objective, r stream.Range, told *Objective) (decided bool, err error) {
	topic := event.TopicExamples(o.Name)
	h := halving{search: s, reader: s.Client.NewReader(topic, 0, r.First).Fetch(32 << 10), topic: topic, note: s.searched(topic, "order")}
	defer h.reader.Close()
	at, decided, err := h.find(ctx, r.First, r.End)
	if err != nil {
		return false, err
	}
	before := len(told.Examples)
	if decided {
		// a learner's or a feedback's crash may have written some examples twice, in order
		if err := s.scanExamples(ctx, "order", at, min(at+64, r.End), told); err != nil {
			return false, err
		}
	}
	if len(told.Examples) == before || !o.Revisions {
		return decided, nil
	}
	last := told.Examples[len(told.Examples)-1]
	if last.Revision {
		return decided, nil
	}
	return decided, s.scanExamples(ctx, "key", max(at+64, last.Offset+1), r.End, told)
}

// scanExamples adds the examples of the prediction in a part of the topic.
func (s *search) scanExamples(ctx context.Context, how string, from, to int64, told *Objective) error {
	topic := event.TopicExamples(told.Name)
	note := s.searched(topic, how)
	key := []byte(s.ID)
	seen := map[bool]bool{}
	for _, x := range told.Examples {
		seen[x.Revision] = true
	}
	return s.scan(ctx, topic, 0, from, to, note, func(r *stream.Record) error {
		if !bytes.Equal(r.Key, key) {
			return nil
		}
		x, err := event.ParseExample(bytes.Clone(r.Value))
		if err != nil || seen[x.Revision] {
			return nil // a repeat, which learners pass over
		}
		seen[x.Revision] = true
		note().Found++
		told.Examples = append(told.Examples, Example{Place: placeOf(topic, r), Y: x.Y, W: x.W, P: x.P, Revision: x.Revision, Learned: []Learned{}})
		if s.story.Prediction == nil && told.P == nil {
			told.P, told.Model, told.Due = &x.P, x.Model, objective.KindOf(s.objective(told.Name)).Due(x.Time)
			s.note("%s: the prediction is gone, and its example has its features: partition %d offset %d of %s", told.Name, x.Source.Partition, x.Source.Offset, event.TopicPredictions)
		}
		return nil
	})
}

func (s *search) objective(name string) event.Objective {
	for i := range s.Objectives {
		if s.Objectives[i].Name == name {
			return s.Objectives[i]
		}
	}
	panic("BUG: there is no objective " + name)
}

// setState says what has become of the label.
func (s *search) setState(o *event.Objective, told *Objective, decided bool) {
	now := s.Now()
	if n := len(told.Examples); n > 0 {
		last := &told.Examples[n-1]
		told.Label = &last.Y
		told.State, told.Why = Labelled, fmt.Sprintf("its example has the label %v", last.Y)
		if last.Revision {
			told.State, told.Why = Revised, fmt.Sprintf("a revision has corrected the label to %v", last.Y)
		}
		return
	}
	recorded := s.recorded()
	switch {
	case s.story.Prediction == nil:
		told.State, told.Why = NoTrigger, "neither the prediction nor an example of it is on the topics"
	case decided && o.Trigger == event.TriggerPrediction:
		told.State, told.Why = NoTrigger, "later predictions are labelled, and this one is not: it repeats an id, or its request was answered before with another choice"
	case decided:
		told.State, told.Why = NoTrigger, fmt.Sprintf("no %s was received within %s, so it is no example", o.Trigger, o.Window)
	case recorded:
		told.State, told.Why = Waiting, fmt.Sprintf("its label is due at %s of recorded time, and no later prediction is labelled", told.Due)
	case now < told.Due:
		told.State, told.Why = Waiting, fmt.Sprintf("its label is due in %s, at %s", told.Due.Sub(now).Round(time.Second), told.Due)
	default:
		told.State, told.Why = Overdue, fmt.Sprintf("its label was due %s ago: labels wait for the watermark of events, for the guard, or for feedback to run", now.Sub(told.Due).Round(time.Second))
	}
}

// recorded says whether the prediction is of recorded time: then it was written at another time
// than it says.
func (s *search) recorded() bool {
	apart := s.place.Written.Sub(s.own.Time.Std())
	return apart > time.Hour || apart < -time.Hour
}

// halving finds a place in a topic of examples by the rising offsets of their predictions.
type halving struct {
	*search
	reader *stream.Reader
	topic  string
	note   func() *Search
}

// find returns the offset of the first example of the prediction's partition that is not of an
// earlier prediction; ok is false when there is none.
func (h *halving) find(ctx context.Context, first, end int64) (at int64, ok bool, err error) {
	for low, high := first, end; low < high; {
		mid := low + (high-low)/2
		source, offset, found, err := h.probe(ctx, mid, high)
		switch {
		case err != nil:
			return 0, false, err
		case !found:
			high = mid
		case source >= h.place.Offset:
			at, ok, high = offset, true, mid
		default:
			low = offset + 1
		}
	}
	return at, ok, nil
}

// probe returns the first example in [from, to) of the prediction's partition: the offset of its
// prediction, and its own.
func (h *halving) probe(ctx context.Context, from, to int64) (source, offset int64, found bool, err error) {
	r := h.reader
	r.MoveTo(from)
	for r.Offset() < to {
		records, err := r.Next(ctx)
		if err != nil {
			return 0, 0, false, fmt.Errorf("cannot read topic %s%s: %w", h.Client.Prefix(), h.topic, err)
		}
		for i := range records {
			if records[i].Offset >= to {
				return 0, 0, false, nil
			}
			h.note().Records++
			h.note().Bytes += int64(len(records[i].Value))
			x, err := event.ParseExample(records[i].Value)
			if err == nil && !x.Revision && int(x.Source.Partition) == h.place.Partition {
				return x.Source.Offset, records[i].Offset, true, nil
			}
		}
	}
	return 0, 0, false, nil
}
