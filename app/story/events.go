package story

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// findEvents finds the events that name the prediction. They stand in the partition of their user,
// who need not be the prediction's, so all partitions are searched, from the time of the prediction
// on.
func (s *search) findEvents(ctx context.Context) error {
	topic := event.TopicEvents
	ranges, err := s.offsets(ctx, topic)
	if err != nil {
		return err
	}
	indexed, err := s.indexedEvents(ctx, len(ranges))
	if err != nil {
		return err
	}
	from, err := s.Client.OffsetsAt(ctx, topic, s.place.Written.Add(-skew))
	if err != nil {
		return err
	}
	known := len(s.story.Events)
	note := s.searched(topic, "time")
	id := []byte(s.ID)
	var mu sync.Mutex
	total, read := int64(0), int64(0)
	for p, r := range ranges {
		total += r.End - from[p]
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for p, r := range ranges {
		g.Go(func() error {
			var mine Search // merged under the lock: partitions are read at once
			var err error
			for _, part := range without(span{from[p], r.End}, indexed[p]) {
				err = errors.Join(err, s.scan(ctx, topic, p, part.from, part.to, func() *Search { return &mine }, func(r *stream.Record) error {
					// most records do not have the id's bytes; whether one names it, its parsing
					// tells
					if bytes.Contains(r.Value, id) {
						mu.Lock()
						defer mu.Unlock()
						s.addEvent(r)
					}
					return nil
				}))
			}
			mu.Lock()
			defer mu.Unlock()
			n := note()
			n.Records += mine.Records
			n.Bytes += mine.Bytes
			if read += mine.Records; s.Progress != nil {
				s.Progress(topic, read, total)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	note().Found = len(s.story.Events) - known
	s.sortEvents()
	return nil
}

// indexedEvents adds the events that the index knows, and returns what it covers of each partition.
func (s *search) indexedEvents(ctx context.Context, partitions int) ([]span, error) {
	topic := event.TopicEvents
	indexed := make([]span, partitions)
	for p := range indexed { // first, so that what is indexed meanwhile is searched, too
		indexed[p] = s.index.cover(topic, p)
	}
	for _, at := range s.index.places(topic, s.ID) {
		if at.partition >= partitions || at.offset < indexed[at.partition].from || at.offset >= indexed[at.partition].to {
			continue
		}
		note := s.searched(topic, "index")
		before := len(s.story.Events)
		if err := s.scan(ctx, topic, at.partition, at.offset, at.offset+1, note, func(r *stream.Record) error { s.addEvent(r); return nil }); err != nil {
			return nil, err
		}
		note().Found += len(s.story.Events) - before
	}
	return indexed, nil
}

// without returns the parts of a span that another one does not cover.
func without(whole, covered span) (parts []span) {
	if covered.from >= covered.to || covered.to <= whole.from || covered.from >= whole.to {
		return []span{whole}
	}
	if covered.from > whole.from {
		parts = append(parts, span{whole.from, covered.from})
	}
	if covered.to < whole.to {
		parts = append(parts, span{covered.to, whole.to})
	}
	return parts
}

func (s *search) sortEvents() {
	slices.SortFunc(s.story.Events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Received, b.Received), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
}

func (s *search) addEvent(r *stream.Record) {
	e, err := event.ParseEvent(bytes.Clone(r.Value))
	if err != nil || e.Prediction != s.ID || e.Type == event.TypeHeartbeat {
		return
	}
	if err := e.Complete(event.TimeOf(r.Time)); err != nil {
		s.note("the event at partition %d offset %d counts for nothing: %v", r.Partition, r.Offset, err)
	}
	s.story.Events = append(s.story.Events, Event{
		Place: placeOf(event.TopicEvents, r), ID: e.ID, Type: e.Type, Name: e.Name(), Time: e.Time, Received: e.Received,
		AfterMs: int64(e.Received - s.own.Time), Value: e.Value, Verdicts: []Verdict{},
	})
}

// judgeEvents says of each event what it was for each objective. It follows feedback's rule: of
// each type the event that was received first counts, if that was within the window.
func (s *search) judgeEvents() {
	for i := range s.Objectives {
		o := &s.Objectives[i]
		kind := objective.KindOf(*o)
		due := kind.Due(s.own.Time)
		first := map[string]bool{}
		for j := range s.story.Events {
			e := &s.story.Events[j]
			v := Verdict{Objective: o.Name, Why: "the label is not made of " + e.Type}
			name := ""
			for _, n := range []string{e.Type, e.Name} {
				switch {
				case n == "":
				case n == kind.Trigger && slices.Contains(kind.Events, n):
					v.Role, name = "both", n
				case n == kind.Trigger:
					v.Role, name = "trigger", n
				case slices.Contains(kind.Events, n):
					v.Role, name = "positive", n
				}
			}
			switch {
			case name == "":
			case first[name]:
				v.Why = "another " + name + " was received before it"
			case e.Received > due:
				v.Why = fmt.Sprintf("it was received %s after the window had ended", e.Received.Sub(due))
				if o.Revisions && v.Role == "positive" && e.Received <= due.Add(s.Revise) {
					v.Counts = true
					v.Why += ", and revises the label"
				}
			default:
				v.Counts = true
				v.Why = fmt.Sprintf("it was received within the window of %s", o.Window)
			}
			first[name] = true
			e.Verdicts = append(e.Verdicts, v)
		}
		s.checkTrigger(o, kind)
	}
}

// checkTrigger takes back verdicts on positives of a prediction whose trigger did not happen.
func (s *search) checkTrigger(o *event.Objective, kind *objective.Kind) {
	if kind.Trigger == event.TriggerPrediction {
		return
	}
	for i := range s.story.Objectives {
		if told := &s.story.Objectives[i]; told.Name == o.Name && len(told.Examples) > 0 {
			return
		}
	}
	at := slices.IndexFunc(s.Objectives, func(other event.Objective) bool { return other.Name == o.Name })
	for i := range s.story.Events {
		if v := s.story.Events[i].Verdicts[at]; v.Counts && v.Role == "trigger" {
			return
		}
	}
	for i := range s.story.Events {
		if v := &s.story.Events[i].Verdicts[at]; v.Counts {
			v.Counts, v.Why = false, "the trigger "+kind.Trigger+" was not received within the window"
		}
	}
}

// findLetters finds dead letters of the prediction and of its records.
func (s *search) findLetters(ctx context.Context) error {
	topic := event.TopicDeadLetter
	ranges, err := s.offsets(ctx, topic)
	if err != nil {
		s.note("dead letters could not be read: %v", err)
		return nil
	}
	note := s.searched(topic, "scan")
	id := []byte(s.ID)
	for p, r := range ranges {
		from := max(r.First, r.End-maxLetters)
		if from > r.First {
			note().Part = fmt.Sprintf("the newest %d of a partition", maxLetters)
		}
		err := s.scan(ctx, topic, p, from, r.End, note, func(r *stream.Record) error {
			if !bytes.Contains(r.Value, id) {
				return nil
			}
			letter, err := event.ParseDeadLetter(r.Value)
			if err != nil || !names(letter.Payload, s.ID) && string(r.Key) != s.ID {
				return nil
			}
			s.story.Letters = append(s.story.Letters, Letter{
				Place: placeOf(topic, r), Stage: letter.Stage, Reason: letter.Reason, Of: Place{Topic: letter.Topic, Partition: int(letter.Partition), Offset: letter.Offset, Written: letter.Time.Std()},
			})
			return nil
		})
		if err != nil {
			return err
		}
	}
	note().Found = len(s.story.Letters)
	return nil
}

const maxLetters = 100_000 // that are searched, of a partition

// names says whether a payload has the id as a text of its own.
func names(payload []byte, id string) bool { return bytes.Contains(payload, []byte(`"`+id+`"`)) }
