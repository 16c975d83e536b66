package report

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// source reads topics up to the ends that they had when it was opened, and notes what of them is in
// the period.
type source struct {
	client   *stream.Client
	cfg      Config
	topics   []string // that exist, in the order of reading
	ranges   map[string][]stream.Range
	denied   *stream.AccessError // topics that this client may not read; nil: none
	within   *period
	since    time.Time // of production: nothing older is in the period; zero: read everything
	used     map[string][]use
	oldest   event.Time // of the data, as far as the ends of partitions tell
	newest   event.Time
	earliest map[string]event.Time // event time of the first record of each topic
}

// use is which records of a partition lie in the period.
type use struct{ first, last, records int64 }

// metadataTime bounds the calls that ask Kafka for topics and offsets.
const metadataTime = 10 * time.Second

// open finds the topics and their ends.
func open(ctx context.Context, client *stream.Client, cfg Config) (*source, error) {
	s := &source{client: client, cfg: cfg, used: map[string][]use{}, earliest: map[string]event.Time{}}
	all := []string{event.TopicBids}
	for _, o := range cfg.Objectives {
		all = append(all, event.TopicExamples(o.Name))
	}
	all = append(all, event.TopicPredictions, event.TopicDeadLetter, event.TopicEvaluations)
	ctx, cancel := context.WithTimeout(ctx, metadataTime)
	defer cancel()
	found, err := survey(ctx, client, all)
	var denied *stream.AccessError
	if errors.As(err, &denied) && len(found) > 0 {
		s.denied, err = denied, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask Kafka for the topics to report on (is the address right? `clickloop doctor` checks it): %w", err)
	}
	s.ranges = found
	for _, name := range all {
		if s.has(name) {
			s.topics = append(s.topics, name)
		}
	}
	return s, nil
}

// survey waits for Kafka, and returns the offsets of the topics that exist.
func survey(ctx context.Context, client *stream.Client, topics []string) (map[string][]stream.Range, error) {
	if err := client.Await(ctx); err != nil {
		return nil, err
	}
	s := client.NewSurvey()
	found, err := s.Ranges(ctx, topics...)
	return found, errors.Join(err, s.Close())
}

// has tells whether a topic exists.
func (s *source) has(topic string) bool { return s.ranges[topic] != nil }

// edges is how many records at each end of a partition are looked at for the oldest and the newest
// time. Partitions are nearly in the order of time.
const edges = 200

// period finds the period that from and to mean, between the oldest and the newest prediction,
// example or bid.
func (s *source) period(ctx context.Context, from, to string) (*period, error) {
	var oldest, newest event.Time
	ahead := false // some record's event time lies behind its production: no clock tells where it is
	seen := func(r *stream.Record, t event.Time) {
		if t == 0 {
			return
		}
		if oldest == 0 || t < oldest {
			oldest = t
		}
		newest = max(newest, t)
		ahead = ahead || t.Std().After(r.Time.Add(skew))
	}
	for _, topic := range s.topics {
		if topic == event.TopicDeadLetter || topic == event.TopicEvaluations {
			continue
		}
		for p, rg := range s.ranges[topic] {
			look := func(from, to int64) error {
				return s.client.ReadRange(ctx, topic, p, from, to, func(r *stream.Record) error {
					seen(r, timeOf(topic, r.Value))
					return nil
				})
			}
			head := min(rg.First+edges, rg.End)
			if err := look(rg.First, head); err != nil {
				return nil, s.cannot(topic, p, err)
			}
			if err := look(max(head, rg.End-edges), rg.End); err != nil {
				return nil, s.cannot(topic, p, err)
			}
		}
	}
	if newest == 0 {
		return nil, fmt.Errorf("%w: Kafka holds no prediction, example or bid under the prefix %q; is the prefix right (--prefix), and has anything been scored?", ErrNothing, s.client.Prefix())
	}
	p, err := bounds(from, to, oldest, newest)
	if err != nil {
		return nil, err
	}
	s.within, s.oldest, s.newest = p, oldest, newest
	if !ahead {
		s.since = p.earliest().Add(-skew).Std()
	}
	return p, nil
}

// coverage tells where data covers only a part of the period, or of the span before it. Counts and
// sums of such a span are not those of a whole one.
func (s *source) coverage() (notes []string) {
	p := s.within
	switch {
	case s.oldest == 0: // nothing was looked for
	case s.oldest > p.from+p.width:
		notes = append(notes, fmt.Sprintf("The data begins at %s, within the period.", moment(s.oldest)))
	case s.oldest > p.earliest()+p.width && s.oldest < p.from-p.width:
		notes = append(notes, fmt.Sprintf("The data begins at %s, within the span before the period: its counts and sums are not those of a whole span.", moment(s.oldest)))
	}
	if s.newest != 0 && s.newest < p.to-p.width {
		notes = append(notes, fmt.Sprintf("The data ends at %s, before the period does.", moment(s.newest)))
	}
	return notes
}

// skew is how far clocks of scorers and of Kafka's producers may differ.
const skew = time.Hour

func (s *source) cannot(topic string, partition int, err error) error {
	return fmt.Errorf("cannot read topic %s%s, partition %d: %w", s.client.Prefix(), topic, partition, err)
}

// timeOf is the event time of a record, or 0 where it cannot be read.
func timeOf(topic string, value []byte) event.Time {
	switch {
	case topic == event.TopicBids:
		b, err := event.ParseBidStep(value)
		if err == nil && b.Step == event.StepBid {
			return b.Time
		}
	case topic == event.TopicPredictions:
		if p, err := event.ParsePrediction(value); err == nil {
			return p.Time
		}
	case strings.HasPrefix(topic, event.TopicExamples("")):
		if x, err := event.ParseExample(value); err == nil {
			return x.Time
		}
	}
	return 0
}

// each calls fn for the records of a topic, partition after partition, and notes those whose event
// time is in the period. fn returns that time, or 0. A topic that does not exist has no records.
//
// A record is never produced long before its event time, so those that were produced before the
// span before the period are passed over, by Kafka's index of times. That does not hold for
// simulated times that are ahead of the clock; then each topic is read from its first record.
func (s *source) each(ctx context.Context, topic string, fn func(*stream.Record) (event.Time, error)) error {
	ranges := s.ranges[topic]
	if ranges == nil {
		return nil
	}
	starts, total := make([]int64, len(ranges)), int64(0)
	for p, r := range ranges {
		starts[p] = r.First
	}
	if !s.since.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, metadataTime)
		found, err := s.client.OffsetsAt(ctx, topic, s.since)
		cancel()
		if err != nil {
			return fmt.Errorf("cannot find the first offset of topic %s%s: %w", s.client.Prefix(), topic, err)
		}
		copy(starts, found)
	}
	for p, r := range ranges {
		total += max(r.End-starts[p], 0)
	}
	used, read := make([]use, len(ranges)), int64(0)
	for p, r := range ranges {
		err := s.client.ReadRange(ctx, topic, p, starts[p], r.End, func(rec *stream.Record) error {
			t, err := fn(rec)
			if err != nil {
				return err
			}
			s.note(topic, &used[p], rec.Offset, t)
			if read++; s.cfg.Progress != nil && read%1000 == 0 {
				s.cfg.Progress(topic, read, total)
			}
			return nil
		})
		if err != nil {
			return s.cannot(topic, p, err)
		}
	}
	if s.cfg.Progress != nil {
		s.cfg.Progress(topic, total, total)
	}
	s.used[topic] = used
	return nil
}

func (s *source) note(topic string, u *use, offset int64, t event.Time) {
	if t == 0 {
		return
	}
	if e := s.earliest[topic]; e == 0 || t < e {
		s.earliest[topic] = t
	}
	if t < s.within.from || t >= s.within.to {
		return
	}
	if u.records == 0 {
		u.first = offset
	}
	u.last = offset
	u.records++
}

// gaps names what retention has deleted of the period, and topics that do not exist.
func (s *source) gaps(p *period) (notes []string) {
	if s.denied != nil {
		notes = append(notes, fmt.Sprintf("What a topic holds that may not be read: %v.", s.denied))
	}
	for _, topic := range s.topics {
		first := int64(0)
		for _, r := range s.ranges[topic] {
			first = max(first, r.First)
		}
		if e := s.earliest[topic]; first > 0 && e > p.from {
			notes = append(notes, fmt.Sprintf("What topic %s%s held before %s: retention has deleted it.", s.client.Prefix(), topic, moment(e)))
		}
	}
	return notes
}

// section tells which records the report is made of.
func (s *source) section() *Section {
	t := &Table{ID: "sources", Title: "Records in the period", Columns: []Column{
		text("Topic", "topic"), number("Partition", "partition"), number("Records in the period", "records"), number("First offset", "first_offset"), number("Last offset", "last_offset"),
	}}
	for _, topic := range s.topics {
		for p, u := range s.used[topic] {
			if u.records > 0 {
				t.add(label(s.client.Prefix()+topic), count(int64(p)), count(u.records), plainCount(u.first), plainCount(u.last))
			}
		}
	}
	out := &Section{ID: "sources", Title: "What was read"}
	out.say("The report is made of these records of Kafka topics and of nothing else. It reads no clock, so the same records give the same report, byte for byte. Records of the span before the period are read for comparison and not listed.")
	out.show(t)
	return out
}

// plainCount is a cell of a number that people look up, such as an offset.
func plainCount(n int64) Cell {
	s := fmt.Sprint(n)
	return Cell{Text: s, Values: []string{s}}
}
