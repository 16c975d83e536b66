package feedback

import (
	"context"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/stream"
)

// holdPoll is how often the outcomes of a batch that is held back are looked up again.
const holdPoll = time.Second

// label writes the examples of due predictions, in their order. While the guard holds them back it
// waits, and decides again by the outcomes that have come meanwhile.
func (g *labeling) label(ctx context.Context, due []pending) error {
	var d decision
	began := time.Now()
	for reported := false; ; reported = true {
		released := g.guard.changed.Wait()
		found, err := g.outcomesOf(ctx, due)
		if err != nil {
			return err
		}
		d = g.decide(due, found)
		alarm, changed, hold := g.guard.check(d.tally)
		g.counted.noteAlarm(alarm)
		if changed || hold && !reported {
			if err := g.reportAlarm(ctx, due, d.tally, alarm, hold); err != nil {
				return err
			}
		}
		if !hold {
			break
		}
		g.counted.held.Set(1)
		if watermark, err := g.outcomes.Watermark(ctx); err == nil {
			g.lateUntil = max(g.lateUntil, watermark)
		}
		// The watermark is beyond the batch's windows already, so that it would not tell of new
		// outcomes.
		if err := notify.Await(ctx, released, holdPoll); err != nil {
			return err
		}
	}
	g.counted.held.Set(0)
	defer g.traced(due, &d, began)()
	_, err := g.writeExamples(ctx, "examples", d.records, func(i int) deadletter.Letter {
		p, r := &due[d.of[i]], d.records[i]
		r.Partition, r.Offset = p.partition, p.offset // of the prediction: the example is nowhere
		return deadletter.Letter{Topic: event.TopicPredictions, Record: r, Reason: "its example: "}
	})
	if err != nil {
		return err
	}
	g.count(&d)
	if !g.outcomes.recorded() {
		g.counted.delayed(g.kind.Due(due[0].prediction.Time), g.outcomes.now())
	}
	return nil
}

// traced makes spans of the labels whose predictions are traced, and has their examples carry them.
// The function that it returns ends them.
func (g *labeling) traced(due []pending, d *decision, began time.Time) (end func()) {
	var spans []tracing.Span
	for i := range d.records {
		p := &due[d.of[i]]
		if p.trace == nil {
			continue
		}
		s := g.tracer.Begin(p.trace, "label "+g.objective.Name, began)
		s.Place(p.partition, p.offset)
		d.records[i].Headers = s.Headers(g.headers)
		spans = append(spans, s)
	}
	return func() {
		for i := range spans {
			spans[i].End()
		}
	}
}

// count adds labels and outcomes that were found to the metrics.
func (g *labeling) count(d *decision) {
	name := g.objective.Name
	g.counted.none.Add(float64(d.tally.predictions - d.tally.examples))
	g.counted.positive.Add(float64(d.tally.positives))
	g.counted.negative.Add(float64(d.tally.examples - d.tally.positives))
	g.counted.predicted.Add(max(d.tally.predicted, 0))
	g.counted.actual.Add(max(d.tally.actual, 0))
	for eventType, n := range d.joined {
		g.counted.joined.WithLabelValues(name, eventType).Add(float64(n))
	}
	for i, n := range d.shown {
		fact := g.shown.Served()[i].Name
		g.counted.shown.WithLabelValues(name, fact, "event").Add(float64(n))
		g.counted.shown.WithLabelValues(name, fact, "none").Add(float64(d.tally.examples - int64(n)))
	}
}

// putShown replaces the served values among p's features by what was shown. Where an alarm holds
// the label back it is done again with what came meanwhile: every fact is set anew.
func (g *labeling) putShown(d *decision, p *event.Prediction, outcome features.Profile, late bool) {
	if g.shown == nil {
		return
	}
	facts := ShownBy(outcome, &g.objective, g.kind.Due(p.Time), late)
	g.shown.Put(p.Features, facts, func(i int, ok bool) {
		if ok {
			d.shown[i]++
		}
	})
}

// outcomesOf looks up what happened to due predictions, by their ids.
func (g *labeling) outcomesOf(ctx context.Context, due []pending) (map[string]features.Profile, error) {
	keys := make([]string, len(due))
	var latest event.Time
	oldest := due[0].written()
	for i := range due {
		keys[i] = due[i].prediction.ID
		latest = max(latest, g.kind.Due(due[i].prediction.Time))
		oldest = min(oldest, due[i].written())
	}
	return g.outcomes.await(ctx, keys, latest, oldest, &g.known)
}

// decision is what becomes of due predictions.
type decision struct {
	records []stream.Record // examples
	of      []int           // of each record, its place among the due predictions
	tally   tally
	joined  map[string]int // outcomes that were found, by type
	shown   []int          // of each fact of features.shown: the examples for which an event brought it
}

// decide labels due predictions. Of those that were due while an alarm held labels back, events
// count by the time at which they happened: the outage has kept them from being received in time.
func (g *labeling) decide(due []pending, found map[string]features.Profile) decision {
	d := decision{records: make([]stream.Record, 0, len(due)), tally: tally{predictions: int64(len(due))}, joined: map[string]int{}, shown: make([]int, len(g.shown.Served()))}
	for i := range due {
		p := &due[i].prediction
		outcome := OutcomeOf(found[p.ID])
		for eventType := range outcome {
			d.joined[eventType]++
		}
		label, late := g.kind.Label, g.kind.Due(p.Time) <= g.lateUntil
		if late {
			label = g.kind.LabelLate
		}
		y, ok := label(p.Time, outcome)
		if !ok {
			continue
		}
		g.putShown(&d, p, found[p.ID], late)
		x := Example(g.objective, p, y, event.Source{Topic: g.topicID, Partition: int32(due[i].partition), Offset: due[i].offset})
		x.UserHash = pseudonym(g.keys, p.User)
		d.tally.add(&x, g.shown.Same(x.Features))
		d.of = append(d.of, i)
		d.records = append(d.records, stream.Record{Partition: 0, Key: []byte(x.Prediction), Value: x.AppendJSON(nil), Headers: g.headers})
	}
	return d
}

// reportAlarm writes to evaluations and to the log that an alarm began or ended.
func (g *labeling) reportAlarm(ctx context.Context, due []pending, t tally, alarm string, hold bool) error {
	v := event.Evaluation{
		Objective: g.objective.Name, Window: "guard", Start: due[0].prediction.Time, End: due[len(due)-1].prediction.Time,
		Examples: t.examples, Positives: t.positives, Alarm: alarm,
		Weight: &t.weight, Predicted: &t.predicted, Actual: &t.actual,
	}
	if t.actual > 0 {
		ratio := t.predicted / t.actual
		v.PredictedOverActual = &ratio
	}
	switch {
	case hold:
		g.logger.Error("examples are held back until the band is met or POST /v1/feedback/release", "alarm", alarm)
	case alarm != "":
		g.logger.Warn("predictions or outcomes left their band", "alarm", alarm)
	default:
		g.logger.Info("predictions and outcomes are back in their bands")
	}
	return g.client.Produce(ctx, event.TopicEvaluations, []stream.Record{
		{Key: []byte(v.Objective), Value: v.AppendJSON(nil), Headers: g.client.MessageHeaders(event.SchemaEvaluation)},
	})
}
