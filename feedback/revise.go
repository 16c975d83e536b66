package feedback

import (
	"context"
	"errors"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// reviser corrects labels that events have changed which came after the window. It reads the
// examples of its objective once more, with a second wait behind their windows, and looks up again
// the outcomes of those whose labels are not final. So its state is an offset, however many
// examples wait.
//
// It writes revisions before it moves the group's offset, in the order of the examples that they
// correct. After a crash it writes some again, and readers drop those by that order
// (event.HighWater).
type reviser struct {
	*task
	within  time.Duration // after the label was due
	revised prometheus.Counter
}

// revisable is an example whose label may change.
type revisable struct {
	offset   int64
	produced event.Time
	example  event.Example
}

func (r *reviser) run(ctx context.Context) error {
	topic := event.TopicExamples(r.objective.Name)
	return r.client.Join(ctx, "revisions."+r.objective.Name, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
		for _, a := range g.Assigned[topic] {
			if a.Partition == 0 { // nobody writes to the others
				return r.partition(ctx, g, topic, max(a.Committed, 0))
			}
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

// partition revises from an offset until the generation ends.
func (r *reviser) partition(ctx context.Context, g *stream.Generation, topic string, begin int64) error {
	reader := r.client.NewReader(topic, 0, begin).As("revisions." + r.objective.Name)
	defer func() { _ = reader.Close() }()
	var water event.HighWater
	var known view
	for {
		records, err := reader.Next(ctx)
		switch {
		case errors.Is(err, stream.ErrTrimmed):
			continue
		case errors.Is(err, stream.ErrBeyond): // the topic was made again
			_ = reader.Close()
			reader = r.client.NewReader(topic, 0, 0).As("revisions." + r.objective.Name)
			continue
		case err != nil:
			return err
		}
		next := reader.Offset()
		for waiting := r.revisable(records, &water); len(waiting) > 0; {
			n := min(len(waiting), r.batch)
			if err := r.revise(ctx, waiting[:n], &known); err != nil {
				return err
			}
			waiting = waiting[n:]
			if len(waiting) > 0 {
				r.commit(ctx, g, topic, waiting[0].offset)
			}
		}
		r.commit(ctx, g, topic, next)
	}
}

// revisable returns the examples among records whose labels may change.
func (r *reviser) revisable(records []stream.Record, water *event.HighWater) []revisable {
	var waiting []revisable
	for i := range records {
		x, err := event.ParseExample(records[i].Value)
		if err != nil || x.Revision || !water.Fresh(x.Source, false) || r.kind.Final(x.Y) {
			continue // the learner writes the dead letters of what cannot be read
		}
		waiting = append(waiting, revisable{records[i].Offset, event.TimeOf(records[i].Time), x})
	}
	return waiting
}

// revise waits until no event can come any more that would change these labels, and writes the
// revisions.
func (r *reviser) revise(ctx context.Context, waiting []revisable, known *view) error {
	var latest event.Time
	oldest := waiting[0].produced
	keys := make([]string, len(waiting))
	for i := range waiting {
		keys[i] = waiting[i].example.Prediction
		latest = max(latest, r.final(&waiting[i].example))
		oldest = min(oldest, waiting[i].produced)
	}
	if err := r.awaitWatermark(ctx, latest); err != nil {
		return err
	}
	found, err := r.outcomes.await(ctx, keys, latest, oldest, known)
	if err != nil {
		return err
	}
	var records []stream.Record
	for i := range waiting {
		x := &waiting[i].example
		y := r.kind.Relabel(r.final(x), OutcomeOf(found[keys[i]]))
		if y == x.Y {
			continue
		}
		v := Revision(x, y)
		records = append(records, stream.Record{Partition: 0, Key: []byte(v.Prediction), Value: v.AppendJSON(nil), Headers: r.headers})
	}
	buried, err := r.writeExamples(ctx, "revisions", records, func(i int) deadletter.Letter {
		return deadletter.Letter{Record: records[i], Reason: "a revision: "}
	})
	if err != nil {
		return err
	}
	r.revised.Add(float64(len(records) - buried))
	return nil
}

// final is until when an event may change a label.
func (r *reviser) final(x *event.Example) event.Time { return r.kind.Due(x.Time).Add(r.within) }

// awaitWatermark waits until events are folded up to t.
func (r *reviser) awaitWatermark(ctx context.Context, t event.Time) error {
	for {
		changed := r.outcomes.Changed()
		if w, err := r.outcomes.Watermark(ctx); err == nil && w >= t {
			return nil
		}
		if err := notify.Await(ctx, changed, 50*poll); err != nil {
			return err
		}
	}
}

func (r *reviser) commit(ctx context.Context, g *stream.Generation, topic string, next int64) {
	if err := g.Commit(ctx, topic, map[int]int64{0: next}); err != nil && ctx.Err() == nil {
		r.logger.Debug("cannot commit", "topic", topic, "err", err)
	}
}
