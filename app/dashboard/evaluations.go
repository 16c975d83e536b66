package dashboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// readTime is for how long a state reads evaluations, so that a long history delays no state.
const readTime = 250 * time.Millisecond

// readEvaluations reads what is new on the topic, a part at a time.
func (c *collector) readEvaluations(ctx context.Context) error {
	ranges := c.ranges[event.TopicEvaluations]
	if len(ranges) == 0 {
		return nil
	}
	h, rg := c.d.history, ranges[0]
	from := c.d.next(rg)
	r := c.reader(place{topic: event.TopicEvaluations}, 1<<20)
	until := time.Now().Add(readTime)
	r.MoveTo(from)
	for r.Offset() < rg.End && time.Now().Before(until) {
		records, err := r.Next(ctx)
		switch {
		case errors.Is(err, stream.ErrTrimmed):
			h.note("some evaluations were deleted before they were read")
			continue
		case errors.Is(err, stream.ErrBeyond):
			return nil // the next state begins anew
		case err != nil:
			return err
		}
		c.d.metrics.records.Add(float64(len(records)))
		for i := range records {
			var v event.Evaluation
			if err := v.UnmarshalJSON(records[i].Value); err != nil || !knownWindow(v.Window) {
				c.skip(event.TopicEvaluations)
				continue
			}
			c.see(event.TopicEvaluations, &records[i], v.End)
			h.add(&v)
		}
		c.d.read = r.Offset()
	}
	h.setDone(c.d.read >= rg.End)
	if left := rg.End - c.d.read; left > 0 {
		c.problems = append(c.problems, fmt.Sprintf("charts are not complete yet: %d evaluations are still to be read", left))
	}
	return nil
}

// next is the offset at which to read on: that of the last state, or at most dashboard.history
// before the end.
func (d *Dashboard) next(rg stream.Range) int64 {
	if d.read > rg.End {
		d.read = 0 // the topic was created again
		d.history.note("the topic evaluations was created again")
	}
	from := max(rg.First, rg.End-int64(d.cfg.History))
	if from > d.read {
		if d.read > 0 || from > 0 {
			d.history.note(fmt.Sprintf("evaluations before offset %d are not read: %s", from, why(from, rg)))
		}
		d.read = from
	}
	return d.read
}

func why(from int64, rg stream.Range) string {
	if from > rg.First {
		return "dashboard.history bounds how many are"
	}
	return "the topic has deleted them"
}

// describeHistory takes from the history what a state has of it.
func (c *collector) describeHistory() {
	h, objectives := c.d.history, c.d.d.Objectives
	c.state.Evaluations = h.newest(objectives)
	c.state.Networks = h.networks(objectives)
	c.state.Guards = h.guards(objectives, c.d.d.Hold)
}
