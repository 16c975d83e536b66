package dashboard

import (
	"context"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/stream"
)

// rateSpan is the time over which rates are taken.
const rateSpan = 5 * time.Second

// mostMoments bounds what a pace remembers.
const mostMoments = 128

// pace remembers how far a topic was at moments, the newest last: rates and times of records come
// from it without reading any. When it is full, every second moment of its older half leaves. So it
// reaches back ever further, and is fine where it is new.
type pace struct {
	moments []moment
}

type moment struct {
	at   time.Time
	ends []int64 // by partition
	sum  int64
}

func (p *pace) add(at time.Time, ranges []stream.Range) {
	m := moment{at: at, ends: make([]int64, len(ranges))}
	for i, r := range ranges {
		m.ends[i] = r.End
		m.sum += r.End
	}
	if n := len(p.moments); n > 0 && p.moments[n-1].sum > m.sum {
		p.moments = nil // the topic was created again
	}
	if p.moments = append(p.moments, m); len(p.moments) > mostMoments {
		kept := p.moments[:0]
		for i, m := range p.moments {
			if i > mostMoments/2 || i%2 == 0 {
				kept = append(kept, m)
			}
		}
		p.moments = kept
	}
}

// perSecond is the rate over the last rateSpan, nil before there are two moments.
func (p *pace) perSecond() *float64 {
	n := len(p.moments)
	if n < 2 {
		return nil
	}
	last := p.moments[n-1]
	first := p.moments[n-2]
	for i := n - 2; i >= 0 && last.at.Sub(p.moments[i].at) <= rateSpan; i-- {
		first = p.moments[i]
	}
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return nil
	}
	rate := float64(last.sum-first.sum) / seconds
	return &rate
}

// written estimates when the record at offset of a partition was written, on the line between two
// moments. It returns false for an offset before the first moment, or one that is not written.
func (p *pace) written(partition int, offset int64) (time.Time, bool) {
	for i := len(p.moments) - 1; i > 0; i-- {
		before, after := &p.moments[i-1], &p.moments[i]
		if partition >= len(before.ends) || partition >= len(after.ends) {
			return time.Time{}, false
		}
		from, to := before.ends[partition], after.ends[partition]
		switch {
		case offset >= to:
			return time.Time{}, false
		case offset >= from:
			share := float64(offset-from+1) / float64(to-from)
			return before.at.Add(time.Duration(share * float64(after.at.Sub(before.at)))), true
		}
	}
	return time.Time{}, false
}

// mostPartitions is how many partitions of a topic are asked for their newest record at a time.
const mostPartitions = 8

// readNewest reads the last record of each partition that has grown, of topics that no other part
// reads to their end.
func (c *collector) readNewest(ctx context.Context) error {
	for _, t := range c.d.d.Topics {
		if readElsewhere(t.Name) {
			continue
		}
		read := 0
		for p := range c.ranges[t.Name] {
			if !c.grown(t.Name, p) || read >= mostPartitions {
				continue
			}
			read++
			if err := c.tail(ctx, t.Name, p, 1, func(r *stream.Record) { c.see(t.Name, r, c.timeIn(t.Name, r)) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func readElsewhere(topic string) bool {
	switch topic {
	case event.TopicPredictions, event.TopicEvaluations, event.TopicDeadLetter, event.TopicBids:
		return true
	}
	return strings.HasPrefix(topic, event.TopicExamples(""))
}

// see notes a record as the topic's newest, unless a newer one is known.
func (c *collector) see(topic string, r *stream.Record, eventTime event.Time) {
	n := c.newest[topic]
	if r.Time.After(n.produced) {
		n.produced = r.Time
	}
	n.eventTime = max(n.eventTime, eventTime)
	c.newest[topic] = n
}

// timeIn returns the event time in a record that is read for its time alone; 0 where it has none.
func (c *collector) timeIn(topic string, r *stream.Record) event.Time {
	switch {
	case topic == event.TopicEvents:
		e, err := event.ParseEvent(r.Value)
		if err != nil {
			c.skip(topic)
			return 0
		}
		return e.Received
	case strings.HasPrefix(topic, event.TopicModel("")):
		h, err := weights.ParseHead(r.Headers)
		if err != nil {
			c.skip(topic)
			return 0
		}
		c.weights(topic, h.To, r.Time)
	}
	return 0
}

// describeTopics makes the state's topics.
func (c *collector) describeTopics() {
	c.state.Topics = c.state.Topics[:0]
	recorded := c.newest[event.TopicEvents].eventTime
	if c.state.Recorded = 0; c.state.Clock == "recorded" {
		c.state.Recorded = recorded
	}
	for _, t := range c.d.d.Topics {
		ranges, ok := c.ranges[t.Name]
		if !ok {
			continue
		}
		info := TopicInfo{Topic: t.Name, Partitions: len(ranges), PerSecond: c.pace[t.Name].perSecond()}
		for _, r := range ranges {
			info.Records += r.End
			info.Kept += r.End - r.First
		}
		if n := c.newest[t.Name]; !n.produced.IsZero() {
			info.Newest, info.EventTime = event.TimeOf(n.produced), n.eventTime
			age := c.at.Sub(n.produced)
			if c.state.Clock == "recorded" && n.eventTime != 0 && recorded != 0 {
				age = recorded.Sub(n.eventTime)
			}
			seconds := max(age.Seconds(), 0)
			info.AgeSeconds = &seconds
		}
		c.state.Topics = append(c.state.Topics, info)
	}
}
