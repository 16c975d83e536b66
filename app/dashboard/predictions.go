package dashboard

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const (
	mostPredictions = 50
	mostJudged      = 20  // examples of an objective that a state lists
	examplesTail    = 200 // of an objective, in which outcomes are looked for
)

// produced is a prediction with its place in time.
type produced struct {
	event.Prediction
	at        time.Time
	partition int
	offset    int64
}

// readPredictions reads the newest predictions from the ends of the partitions: mostPredictions of
// each, since all of the newest may stand in one, and fewer where there are many partitions.
func (c *collector) readPredictions(ctx context.Context) error {
	ranges := c.ranges[event.TopicPredictions]
	if !c.changed(event.TopicPredictions) {
		return nil
	}
	each := int64(mostPredictions)
	if n := len(ranges); n > mostPartitions {
		each = max(mostPredictions*mostPartitions/int64(n), 4)
	}
	var all []produced
	for p := range ranges {
		err := c.tail(ctx, event.TopicPredictions, p, each, func(r *stream.Record) {
			made, err := event.ParsePrediction(r.Value)
			if err != nil {
				if c.grown(event.TopicPredictions, p) && r.Offset >= c.end(event.TopicPredictions, p) {
					c.skip(event.TopicPredictions)
				}
				return
			}
			c.see(event.TopicPredictions, r, made.Time)
			all = append(all, produced{made, r.Time, p, r.Offset})
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b produced) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.Time, a.Time), cmp.Compare(a.partition, b.partition), cmp.Compare(b.offset, a.offset))
	})
	c.state.Predictions = c.state.Predictions[:0]
	for i := range all[:min(len(all), mostPredictions)] {
		c.state.Predictions = append(c.state.Predictions, describe(&all[i].Prediction))
	}
	return nil
}

// end is the end of a partition in the state before: records from there on are new.
func (c *collector) end(topic string, partition int) int64 {
	if old := c.before[topic]; partition < len(old) {
		return old[partition].End
	}
	return 0
}

func describe(p *event.Prediction) PredictionInfo {
	info := PredictionInfo{
		ID: p.ID, Time: p.Time, User: cmp.Or(p.User, p.Anonymous), Ad: p.Ad, Campaign: p.Campaign, Policy: p.Policy, Propensity: p.Propensity,
		P: map[string]float64{}, Model: map[string]string{},
	}
	for _, x := range p.P {
		info.P[x.Objective] = x.P
	}
	for _, m := range p.Model {
		info.Model[m.Objective] = m.Version
	}
	return info
}

// judgements are the newest examples of an objective, the newest first.
type judgements struct {
	all []JudgedInfo
}

// readExamples reads the tails of the examples, and gives the predictions their outcomes.
func (c *collector) readExamples(ctx context.Context) error {
	for _, o := range c.d.d.Objectives {
		topic := event.TopicExamples(o.Name)
		if len(c.ranges[topic]) == 0 || !c.changed(topic) {
			continue
		}
		j := c.examples[o.Name]
		var all []JudgedInfo
		var x event.Example
		err := c.tail(ctx, topic, 0, examplesTail, func(r *stream.Record) {
			if err := x.UnmarshalJSON(r.Value); err != nil || x.Validate() != nil {
				if r.Offset >= c.end(topic, 0) {
					c.skip(topic)
				}
				return
			}
			c.see(topic, r, x.Time)
			all = append(all, JudgedInfo{Objective: o.Name, ID: x.Prediction, Time: x.Time, Labelled: event.TimeOf(r.Time), P: x.P, Y: x.Y, Model: x.Model, Revised: x.Revision})
		})
		if err != nil {
			return err
		}
		slices.Reverse(all)
		j.all = all
	}
	c.state.Judged = c.state.Judged[:0]
	outcomes := map[string]map[string]OutcomeInfo{} // by prediction and objective
	for _, o := range c.d.d.Objectives {
		all := c.examples[o.Name].all
		c.state.Judged = append(c.state.Judged, all[:min(len(all), mostJudged)]...)
		for i := len(all) - 1; i >= 0; i-- { // the newest decides
			if outcomes[all[i].ID] == nil {
				outcomes[all[i].ID] = map[string]OutcomeInfo{}
			}
			outcomes[all[i].ID][o.Name] = OutcomeInfo{Y: all[i].Y, Time: all[i].Labelled, Revised: all[i].Revised}
		}
	}
	for i := range c.state.Predictions {
		c.state.Predictions[i].Outcomes = outcomes[c.state.Predictions[i].ID]
	}
	return nil
}
