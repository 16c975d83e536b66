package report

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/stream"
)

// quality is how good the predictions of one objective were. It measures examples, rather than add
// up what is in evaluations: a period may begin and end at any moment, and evaluations that an
// older version wrote lack members. The measure is the one that evaluations are made with, so a
// period of a whole window gives the window's numbers.
type quality struct {
	period    *period
	objective event.Objective
	kind      *objective.Kind
	water     event.HighWater
	x         event.Example // reused

	whole   objective.Measure        // the period
	parts   [sides]objective.Measure // made when their first example comes, like buckets
	buckets []objective.Measure
	counts  [sides]counts
	split   *segments
	topicID string          // of the predictions that the newest example is of
	decided map[int32]int64 // by partition of these: the highest offset with an example
	delays  delays
	damaged int64 // records that are no example
}

// counts are numbers of examples of one side.
type counts struct {
	examples int64 // without repeats and revisions
	revised  int64 // labels that a late positive corrected
	repeated int64 // examples that stand on the topic again
	foreign  int64 // examples that were predicted for other objectives only
}

func (c counts) plus(o counts) counts {
	return counts{c.examples + o.examples, c.revised + o.revised, c.repeated + o.repeated, c.foreign + o.foreign}
}

func newQuality(p *period, o event.Objective) *quality {
	k := objective.KindOf(o)
	return &quality{period: p, objective: o, kind: k, whole: k.Measure(), buckets: make([]objective.Measure, p.buckets()), split: newSegments(), decided: map[int32]int64{}}
}

// add counts an example. It returns the example's time, and the example if it is a new one of a
// known side; the example is valid until the next call.
func (q *quality) add(r *stream.Record) (event.Time, *event.Example) {
	x := &q.x
	if x.UnmarshalJSON(r.Value) != nil || x.Validate() != nil {
		q.damaged++
		return 0, nil
	}
	fresh, at := q.water.Fresh(x.Source, x.Revision), q.period.side(x.Time)
	q.decide(x)
	if at == outside {
		return x.Time, nil
	}
	c := &q.counts[at]
	switch {
	case !fresh:
		c.repeated++
	case x.Revision:
		c.revised++
	case x.P == 0 && x.Model == "":
		c.foreign++
	default:
		c.examples++
		q.measure(x, at)
		q.delays.add(x.Time.Add(q.objective.Window), event.TimeOf(r.Time), at)
		return x.Time, x
	}
	return x.Time, nil
}

// decide notes up to where predictions are labelled.
func (q *quality) decide(x *event.Example) {
	if x.Source.Topic != q.topicID {
		q.topicID = x.Source.Topic
		clear(q.decided)
	}
	if !x.Revision {
		q.decided[x.Source.Partition] = max(q.decided[x.Source.Partition], x.Source.Offset)
	}
}

// measure adds an example to all measures that it belongs to.
func (q *quality) measure(x *event.Example, at side) {
	point := objective.PointOf(x)
	add(&q.parts[at], q.kind, &point)
	if at != before {
		q.whole.Add(&point)
		add(&q.buckets[q.period.bucket(x.Time)], q.kind, &point)
	}
	q.split.add(x, at)
}

// add counts x, and makes the measure when it is the first.
func add(m *objective.Measure, kind *objective.Kind, x *metrics.Point) {
	if m.Add == nil {
		*m = kind.Measure()
	}
	m.Add(x)
}

// evaluate is the evaluation of a measure, which may have no example yet.
func evaluate(m *objective.Measure) event.Evaluation {
	var v event.Evaluation
	if m.Add != nil {
		m.Fill(&v)
	}
	return v
}

// inPeriod are the counts of the period.
func (q *quality) inPeriod() counts { return q.counts[firstHalf].plus(q.counts[secondHalf]) }
