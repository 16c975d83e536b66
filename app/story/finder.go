package story

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// Finder tells stories from the topics. Any number of goroutines may use it.
type Finder struct {
	Client     *stream.Client
	Objectives []event.Objective
	// Revise is how long after a window a positive still makes a revision, for objectives that ask
	// for it (feedback.Config.Revises).
	Revise time.Duration
	Now    func() event.Time
	// Progress is told the records that were read of a topic; nil: nobody
	Progress func(topic string, records, of int64)

	index *index // nil: none is kept
}

// Question is what a story is told of.
type Question struct {
	ID string
	// At is about when the prediction was written, if that is known: the search begins there.
	At time.Time
	// Brief leaves out what the weights say.
	Brief bool
}

// skew is how much earlier a record may seem to be written than what it follows, by another clock.
const skew = time.Minute

// around is how far from a hint a prediction is looked for, before all of its partition is.
const around = 10 * time.Minute

// search is one story under way.
type search struct {
	*Finder
	Question
	story *Story
	own   event.Prediction // the parsed message
	place Place
}

// Tell tells the story of a prediction. A prediction that is nowhere gives a Story with no
// Prediction, and no error.
func (f *Finder) Tell(ctx context.Context, q Question) (*Story, error) {
	begun := time.Now()
	s := &search{Finder: f, Question: q, story: &Story{
		ID: q.ID, Request: requestOf(q.ID), Features: []Feature{}, Others: []Other{}, Chosen: []string{}, Events: []Event{}, Objectives: []Objective{}, Letters: []Letter{}, Searched: []Search{}, Notes: []string{},
	}}
	if q.ID == "" || len(q.ID) > maxID {
		return nil, &event.Error{Field: "id", Reason: fmt.Sprintf("has %d bytes, want the id of a prediction, such as r1.0", len(q.ID))}
	}
	err := s.tell(ctx)
	s.story.Ms = float64(time.Since(begun).Microseconds()) / 1000
	if err != nil {
		return nil, err
	}
	return s.story, nil
}

const maxID = 512 // bytes

func (s *search) tell(ctx context.Context) error {
	found, err := s.findPrediction(ctx)
	if err != nil {
		return err
	}
	if found {
		s.describe()
		if err := s.findChosen(ctx); err != nil {
			return err
		}
		if err := s.findEvents(ctx); err != nil {
			return err
		}
	}
	for i := range s.Objectives {
		if err := s.tellObjective(ctx, &s.Objectives[i]); err != nil {
			return err
		}
	}
	s.judgeEvents()
	return s.findLetters(ctx)
}

// requestOf is the request of a prediction's id.
func requestOf(id string) string {
	if dot := strings.LastIndexByte(id, '.'); dot > 0 {
		return id[:dot]
	}
	return id
}

// hint is about when the prediction was written: as the question says, or as the request's id does,
// if it is a UUID of version 7. Scorers make such ids for requests without one.
func (s *search) hint() (t time.Time, ok bool) {
	if !s.At.IsZero() {
		return s.At, true
	}
	id, err := uuid.Parse(requestOf(s.ID))
	if err != nil || id.Version() != 7 {
		return t, false
	}
	sec, ns := id.Time().UnixTime()
	return time.Unix(sec, ns), true
}

// findPrediction finds the record of the prediction. All predictions of a request stand in the
// partition of the request's id, so one partition is searched, from its end to its start; the
// others only if it is not there, since the topic may have had fewer partitions.
func (s *search) findPrediction(ctx context.Context) (bool, error) {
	ranges, err := s.offsets(ctx, event.TopicPredictions)
	if err != nil {
		return false, err
	}
	for _, at := range s.index.places(event.TopicPredictions, s.ID) {
		if s.story.Prediction != nil {
			s.story.Prediction.Repeats++
			continue
		}
		if _, err := s.predictionIn(ctx, "index", at.partition, at.offset, at.offset+1); err != nil {
			return false, err
		}
	}
	if s.story.Prediction != nil {
		return true, nil
	}
	home := stream.Partition([]byte(s.story.Request), len(ranges))
	if t, ok := s.hint(); ok {
		from, err := s.Client.OffsetsAt(ctx, event.TopicPredictions, t.Add(-skew))
		if err != nil {
			return false, err
		}
		to, err := s.Client.OffsetsAt(ctx, event.TopicPredictions, t.Add(around))
		if err != nil {
			return false, err
		}
		found, err := s.predictionIn(ctx, "time", home, from[home], to[home])
		if found || err != nil {
			return found, err
		}
	}
	for i := range ranges {
		p := (home + i) % len(ranges)
		how := "key"
		if i > 0 {
			how = "scan"
		}
		if found, err := s.backwards(ctx, how, p, ranges[p]); found || err != nil {
			return found, err
		}
	}
	s.trimmed(event.TopicPredictions, ranges)
	return false, nil
}

// trimmed notes that retention has deleted records of a topic that was searched.
func (s *search) trimmed(topic string, ranges []stream.Range) {
	gone := int64(0)
	for _, r := range ranges {
		gone += r.First
	}
	if gone > 0 && len(s.story.Searched) > 0 {
		s.story.Searched[len(s.story.Searched)-1].Part = fmt.Sprintf("retention has deleted %d records of %s", gone, topic)
	}
}

// backStep is how many records are read at once on the way to the start of a partition.
const backStep = 20_000

// backwards searches a partition from its end: what is asked for is mostly new.
func (s *search) backwards(ctx context.Context, how string, p int, r stream.Range) (bool, error) {
	known := s.index.cover(event.TopicPredictions, p)
	for end := r.End; end > r.First; {
		if end > known.from && end <= known.to { // the index would have it
			end = max(known.from, r.First)
			continue
		}
		from := max(r.First, end-backStep)
		if end > known.to && known.from < known.to {
			from = max(from, known.to)
		}
		if found, err := s.predictionIn(ctx, how, p, from, end); found || err != nil {
			return found, err
		}
		if s.Progress != nil {
			s.Progress(event.TopicPredictions, r.End-from, r.End-r.First)
		}
		end = from
	}
	return false, nil
}

// predictionIn searches a part of a partition for the first record of the id.
func (s *search) predictionIn(ctx context.Context, how string, p int, from, to int64) (bool, error) {
	note := s.searched(event.TopicPredictions, how)
	key, found := []byte(s.ID), 0
	err := s.scan(ctx, event.TopicPredictions, p, from, to, note, func(r *stream.Record) error {
		if !bytes.Equal(r.Key, key) {
			return nil
		}
		if found++; found > 1 {
			s.story.Prediction.Repeats++
			return nil
		}
		if err := s.own.UnmarshalJSON(bytes.Clone(r.Value)); err != nil {
			s.note("the record at %s partition %d offset %d has the id, and is no prediction: %v", event.TopicPredictions, p, r.Offset, err)
			found = 0
			return nil
		}
		s.place = placeOf(event.TopicPredictions, r)
		s.story.Prediction = &Prediction{Place: s.place, Message: bytes.Clone(r.Value)}
		return nil
	})
	note().Found += found
	return found > 0, err
}

// findChosen finds the other predictions of the request, which stand beside it.
func (s *search) findChosen(ctx context.Context) error {
	const beside = 32
	prefix, place := []byte(s.story.Request+"."), s.place
	ranges, err := s.offsets(ctx, event.TopicPredictions)
	if err != nil {
		return err
	}
	from, to := max(ranges[place.Partition].First, place.Offset-beside), min(ranges[place.Partition].End, place.Offset+beside)
	var unused Search
	return s.scan(ctx, event.TopicPredictions, place.Partition, from, to, func() *Search { return &unused }, func(r *stream.Record) error {
		if id := string(r.Key); bytes.HasPrefix(r.Key, prefix) && id != s.ID && requestOf(id) == s.story.Request && !slices.Contains(s.story.Chosen, id) {
			s.story.Chosen = append(s.story.Chosen, id)
		}
		return nil
	})
}

// few records are fetched by themselves, at about so many bytes each.
const few = 1 << 10

// scan calls fn with the records of a part of a partition. What retention has deleted is passed
// over.
func (s *search) scan(ctx context.Context, topic string, p int, from, to int64, note func() *Search, fn func(*stream.Record) error) error {
	if from >= to {
		return nil
	}
	r := s.Client.NewReader(topic, p, from)
	defer r.Close()
	if to-from < few {
		r.Fetch(int(to-from) * few) // what lies behind is not asked for
	}
	records, size := int64(0), int64(0)
	defer func() {
		n := note()
		n.Records += records
		n.Bytes += size
	}()
	for r.Offset() < to {
		batch, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot read topic %s%s partition %d: %w", s.Client.Prefix(), topic, p, err)
		}
		for i := range batch {
			if batch[i].Offset >= to {
				return nil
			}
			records++
			size += int64(len(batch[i].Key) + len(batch[i].Value))
			if err := fn(&batch[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// searched returns the note of a search of a topic in one way, which is made at its first use.
func (s *search) searched(topic, how string) func() *Search {
	all := &s.story.Searched
	for i := range *all {
		if (*all)[i].Topic == topic && (*all)[i].How == how {
			return func() *Search { return &(*all)[i] }
		}
	}
	*all = append(*all, Search{Topic: topic, How: how})
	i := len(*all) - 1
	return func() *Search { return &(*all)[i] }
}

func (s *search) note(format string, args ...any) {
	s.story.Notes = append(s.story.Notes, fmt.Sprintf(format, args...))
}

// offsets returns the ranges of a topic's partitions.
func (s *search) offsets(ctx context.Context, topic string) ([]stream.Range, error) {
	// Offsets waits until a topic exists
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ranges, err := s.Client.Offsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("cannot read topic %s%s: %w", s.Client.Prefix(), topic, err)
	}
	return ranges, nil
}

func placeOf(topic string, r *stream.Record) Place {
	return Place{Topic: topic, Partition: r.Partition, Offset: r.Offset, Written: r.Time.UTC()}
}
