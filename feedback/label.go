package feedback

import (
	"context"
	"errors"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/stream"
)

// holdPoll is how often a batch that is held back is looked up again.
const holdPoll = time.Second

// label writes the examples of due predictions, in their order.
func (g *labeling) label(ctx context.Context, due []pending) error {
	var d decision
	for reported := false; ; reported = true {
		found, err := g.outcomesOf(ctx, due)
		if err != nil {
			return err
		}
		d = g.decide(due, found)
		alarm, changed, hold := g.l.guard.weigh(d.tally)
		if changed || hold && !reported {
			if err := g.report(ctx, due, d.tally, alarm, hold); err != nil {
				return err
			}
		}
		if !hold {
			break
		}
		g.l.held.Set(1)
		if mark, err := g.l.outcomes.watermark(ctx); err == nil {
			g.late = max(g.late, mark)
		}
		if err := g.waitHeld(ctx); err != nil {
			return err
		}
	}
	g.l.held.Set(0)
	err := g.l.client.Produce(ctx, event.TopicExamples(g.l.objective.Name), d.records)
	if err = g.buryLarge(ctx, due, &d, err); err != nil {
		return err
	}
	negatives := d.tally.examples - d.tally.positives
	for label, n := range map[string]int64{"none": d.tally.predictions - d.tally.examples, "positive": d.tally.positives, "negative": negatives} {
		g.l.examples.WithLabelValues(g.l.objective.Name, label).Add(float64(n))
	}
	for kind, n := range d.joined {
		g.l.joined.WithLabelValues(g.l.objective.Name, kind).Add(float64(n))
	}
	return nil
}

// buryLarge writes dead letters of examples that are larger than their topic takes, where err tells
// of such: they would block their partition for ever. All others are written then.
func (g *labeling) buryLarge(ctx context.Context, due []pending, d *decision, err error) error {
	var large *stream.TooLargeError
	if !errors.As(err, &large) {
		return err
	}
	letters := make([]deadletter.Letter, 0, len(large.Records))
	for _, i := range large.Records {
		p, r := &due[d.of[i]], d.records[i]
		r.Partition, r.Offset = p.partition, p.offset // of the prediction: the example is nowhere
		letters = append(letters, deadletter.Letter{Topic: event.TopicPredictions, Record: r, Reason: "its example: " + large.Error()})
	}
	g.l.logger.Error("examples were not written: they are larger than their topic takes", "count", len(letters), "err", large)
	return g.l.letters.Write(ctx, letters...)
}

// outcomesOf looks up what happened to due predictions, by key.
func (g *labeling) outcomesOf(ctx context.Context, due []pending) (map[string]features.Profile, error) {
	keys := make([]string, len(due))
	var latest event.Time
	oldest := due[0].written()
	for i := range due {
		keys[i] = due[i].prediction.ID
		latest = max(latest, g.l.objective.Due(due[i].prediction.Time))
		oldest = min(oldest, due[i].written())
	}
	return g.l.outcomes.await(ctx, keys, latest, oldest, &g.known)
}

// decision is what becomes of due predictions.
type decision struct {
	records []stream.Record
	of      []int // of each record, its place among the due predictions
	tally   tally
	joined  map[string]int // outcomes that were found, by type
}

// decide labels due predictions. What the outage that is waited out has kept from being received in
// time counts for those that were due during it.
func (g *labeling) decide(due []pending, found map[string]features.Profile) decision {
	d := decision{records: make([]stream.Record, 0, len(due)), tally: tally{predictions: int64(len(due))}, joined: map[string]int{}}
	for i := range due {
		p := &due[i].prediction
		outcome := OutcomeOf(found[p.ID])
		for kind := range outcome {
			d.joined[kind]++
		}
		label := event.Label
		if g.l.objective.Due(p.Time) <= g.late {
			label = event.LabelLate
		}
		y, _, ok := label(g.l.objective, p.Time, outcome)
		if !ok {
			continue
		}
		x := Example(g.l.objective, p, y, event.Source{Topic: g.topicID, Partition: int32(due[i].partition), Offset: due[i].offset})
		d.tally.examples++
		d.tally.expected += x.P
		d.tally.weight += x.W
		d.tally.predicted += x.W * x.P
		if y > 0 {
			d.tally.positives++
			d.tally.actual += x.W
		}
		d.of = append(d.of, i)
		d.records = append(d.records, stream.Record{Partition: 0, Key: []byte(x.Prediction), Value: x.AppendJSON(nil), Headers: g.l.headers})
	}
	return d
}

// report says in evaluations that an alarm began or ended.
func (g *labeling) report(ctx context.Context, due []pending, t tally, alarm string, hold bool) error {
	v := event.Evaluation{
		Objective: g.l.objective.Name, Window: "guard", Start: due[0].prediction.Time, End: due[len(due)-1].prediction.Time,
		Examples: t.examples, Positives: t.positives, Alarm: alarm,
		Weight: &t.weight, Predicted: &t.predicted, Actual: &t.actual,
	}
	if t.actual > 0 {
		ratio := t.predicted / t.actual
		v.PredictedOverActual = &ratio
	}
	switch {
	case hold:
		g.l.logger.Error("examples are held back until the band is met or POST /v1/feedback/release", "alarm", alarm)
	case alarm != "":
		g.l.logger.Warn("predictions or outcomes left their band", "alarm", alarm)
	default:
		g.l.logger.Info("predictions and outcomes are back in their bands")
	}
	return g.l.client.Produce(ctx, event.TopicEvaluations, []stream.Record{
		{Key: []byte(v.Objective), Value: v.AppendJSON(nil), Headers: g.l.client.MessageHeaders(event.SchemaEvaluation)},
	})
}

// waitHeld waits until a batch that is held back may have changed. Its outcomes may be folded no
// further than its windows meanwhile, so the watermark is no sign: time is.
func (g *labeling) waitHeld(ctx context.Context) error {
	released := g.l.guard.changed.Wait()
	timer := time.NewTimer(holdPoll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-released:
	case <-timer.C:
	}
	return nil
}
