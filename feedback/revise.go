package feedback

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// reviser takes negatives back whose positive came late. It reads the examples of its objective
// once more, a second wait behind their windows, and looks the outcomes of the negatives up again;
// so its state is an offset, however many predictions wait.
//
// Revisions are written before the group's offset moves, in the order of the examples that they
// correct; what a crash makes it write again, readers drop by that order (event.HighWater).
type reviser struct {
	objective event.Objective
	client    *stream.Client
	outcomes  *outcomes
	within    time.Duration // after the window
	batch     int
	letters   *deadletter.Writer
	logger    *slog.Logger
	headers   []stream.Header

	revised prometheus.Counter
}

// negative is an example that may be taken back.
type negative struct {
	offset   int64
	produced event.Time
	example  event.Example
}

func (r *reviser) run(ctx context.Context) error {
	topic := event.TopicExamples(r.objective.Name)
	return r.client.Join(ctx, "revisions."+r.objective.Name, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
		for _, a := range g.Assigned[topic] {
			if a.Partition == 0 { // the others are nobody's
				return r.partition(ctx, g, topic, max(a.Committed, 0))
			}
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

// partition revises from an offset until the generation ends.
func (r *reviser) partition(ctx context.Context, g *stream.Generation, topic string, begin int64) error {
	reader := r.client.NewReader(topic, 0, begin)
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
			reader = r.client.NewReader(topic, 0, 0)
			continue
		case err != nil:
			return err
		}
		next := reader.Offset()
		for waiting := r.negatives(records, &water); len(waiting) > 0; {
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

// negatives are the examples among records that may be taken back.
func (r *reviser) negatives(records []stream.Record, water *event.HighWater) []negative {
	var waiting []negative
	for i := range records {
		x, err := event.ParseExample(records[i].Value)
		if err != nil || x.Revision || !water.Fresh(x.Source, false) || x.Y > 0 {
			continue // what cannot be read is the learner's to bury
		}
		waiting = append(waiting, negative{records[i].Offset, event.TimeOf(records[i].Time), x})
	}
	return waiting
}

// revise waits until no positive of these may come any more that would count, and writes the
// revisions.
func (r *reviser) revise(ctx context.Context, waiting []negative, known *view) error {
	var latest event.Time
	oldest := waiting[0].produced
	keys := make([]string, len(waiting))
	for i := range waiting {
		keys[i] = waiting[i].example.Prediction
		latest = max(latest, r.due(&waiting[i].example))
		oldest = min(oldest, waiting[i].produced)
	}
	if err := r.awaitMark(ctx, latest); err != nil {
		return err
	}
	found, err := r.outcomes.await(ctx, keys, latest, oldest, known)
	if err != nil {
		return err
	}
	var records []stream.Record
	for i := range waiting {
		x := &waiting[i].example
		positive, ok := OutcomeOf(found[keys[i]])[r.objective.Positive]
		if !ok || positive.Received > r.due(x) {
			continue
		}
		v := Revision(x)
		records = append(records, stream.Record{Partition: 0, Key: []byte(v.Prediction), Value: v.AppendJSON(nil), Headers: r.headers})
	}
	err = r.client.Produce(ctx, event.TopicExamples(r.objective.Name), records)
	written := len(records)
	// they would block their partition for ever
	if large := (*stream.TooLargeError)(nil); errors.As(err, &large) {
		var letters []deadletter.Letter
		for _, i := range large.Records {
			letters = append(letters, deadletter.Letter{Record: records[i], Reason: "a revision: " + large.Error()})
		}
		written -= len(letters)
		r.logger.Error("revisions were not written: they are larger than their topic takes", "count", len(letters), "err", large)
		err = r.letters.Write(ctx, letters...)
	}
	if err != nil {
		return err
	}
	r.revised.Add(float64(written))
	return nil
}

// due is when a negative is final.
func (r *reviser) due(x *event.Example) event.Time { return r.objective.Due(x.Time).Add(r.within) }

// awaitMark waits until events are folded up to t.
func (r *reviser) awaitMark(ctx context.Context, t event.Time) error {
	for {
		changed := r.outcomes.changed.Wait()
		if mark, err := r.outcomes.watermark(ctx); err == nil && mark >= t {
			return nil
		}
		timer := time.NewTimer(50 * poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (r *reviser) commit(ctx context.Context, g *stream.Generation, topic string, next int64) {
	if err := g.Commit(ctx, topic, map[int]int64{0: next}); err != nil && ctx.Err() == nil {
		r.logger.Debug("cannot commit", "topic", topic, "err", err)
	}
}
