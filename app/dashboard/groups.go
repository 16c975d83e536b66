package dashboard

import (
	"context"
	"errors"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Groups are the consumer groups of a loop, for its own rights too.
func Groups(objectives []event.Objective) []string {
	var names []string
	for _, g := range groupsOf(objectives) {
		names = append(names, g.Group)
	}
	return names
}

// groupsOf lists the groups with what they read.
func groupsOf(objectives []event.Objective) []ConsumerInfo {
	all := []ConsumerInfo{
		{Group: "profiles", Stage: "ingest", Topic: event.TopicEvents},
		{Group: "outcomes", Stage: "feedback", Topic: event.TopicEvents},
	}
	for _, o := range objectives {
		all = append(all, ConsumerInfo{Group: "labels." + o.Name, Stage: "feedback", Topic: event.TopicPredictions, Objective: o.Name, WindowMs: o.Window.Milliseconds()})
		if o.Revisions {
			all = append(all, ConsumerInfo{Group: "revisions." + o.Name, Stage: "feedback", Topic: event.TopicExamples(o.Name), Objective: o.Name})
		}
		for _, network := range o.NetworkNames() {
			all = append(all, ConsumerInfo{Group: "learner." + event.NetworkKey(o.Name, network), Stage: "learner", Topic: event.TopicExamples(o.Name), Objective: o.Name, Network: network})
		}
	}
	return all
}

// lag is what is known of the first record that a group has not read in a partition.
type lag struct {
	offset  int64
	written time.Time
	read    time.Time // when it was read from the topic; zero: it was estimated
}

// lookEvery is the least time between two records that are read for a lag.
const lookEvery = 5 * time.Second

// readGroups asks how far the groups are.
func (c *collector) readGroups(ctx context.Context) error {
	var faults error
	var all []ConsumerInfo
	for _, g := range groupsOf(c.d.d.Objectives) {
		ranges, ok := c.ranges[g.Topic]
		if !ok {
			continue
		}
		committed, err := c.survey.Committed(ctx, g.Group, g.Topic, len(ranges))
		if err != nil {
			faults = errors.Join(faults, err)
		} else if err := c.measure(ctx, &g, ranges, committed); err != nil {
			faults = errors.Join(faults, err)
		}
		all = append(all, g)
	}
	c.state.Consumers = all
	return faults
}

// measure sets how far a group is behind. A group that has committed nothing in a partition has all
// of it before it; one that has committed nothing at all has not begun.
func (c *collector) measure(ctx context.Context, g *ConsumerInfo, ranges []stream.Range, committed []int64) error {
	behind, seconds, begun, known := int64(0), 0.0, false, true
	for p, rg := range ranges {
		next := committed[p]
		begun = begun || next >= 0
		next = max(next, rg.First)
		if next >= rg.End {
			continue
		}
		behind += rg.End - next
		at := place{g.Group, g.Topic, p}
		l, err := c.writtenAt(ctx, at, next)
		if err != nil {
			return err
		}
		if l.written.IsZero() {
			known = false
			continue
		}
		seconds = max(seconds, c.at.Sub(l.written).Seconds())
	}
	if begun {
		g.Behind = &behind
		if known {
			g.BehindSeconds = &seconds
		}
	}
	return nil
}

// writtenAt finds when a record was written: from how far the topic was at which moment, or, for a
// record from before anybody watched, from the record itself.
func (c *collector) writtenAt(ctx context.Context, at place, offset int64) (*lag, error) {
	l := c.lags[at]
	if l == nil {
		l = &lag{offset: -1}
		c.lags[at] = l
	}
	if l.offset == offset && !l.written.IsZero() {
		return l, nil
	}
	if t, ok := c.pace[at.topic].written(at.partition, offset); ok {
		*l = lag{offset: offset, written: t}
		return l, nil
	}
	if c.at.Sub(l.read) < lookEvery {
		return l, nil // that of a record before it is a little older
	}
	l.read, l.offset = c.at, offset
	found := false
	r := c.reader(place{"single records", at.topic, at.partition}, 1) // a broker sends the batch that it is in
	err := c.readTo(ctx, r, offset, offset+1, func(r *stream.Record) { l.written, found = r.Time, true })
	if !found && err == nil {
		l.written = time.Time{} // a marker of a transaction
	}
	return l, err
}

// behind is how many records a group is behind; nil while that is not known.
func (c *collector) behind(group string) *int64 {
	for i := range c.state.Consumers {
		if c.state.Consumers[i].Group == group {
			return c.state.Consumers[i].Behind
		}
	}
	return nil
}
