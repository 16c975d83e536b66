package feedback

import (
	"context"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/fold"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// outcomes folds events into the store of outcomes, at least once: an outcome is the same however
// often its events are folded. Labelers look outcomes up in it.
type outcomes struct {
	*fold.Fold
	client *stream.Client
	store  features.Store
	types  EventTypes // of events that are kept
	shows  *Showings
	ttl    time.Duration // for which the store keeps an outcome, at least
	now    func() event.Time
	logger *slog.Logger

	maxAge   event.AgeLimits
	recorded func() bool
	tokens   *tokens

	folded *prometheus.CounterVec // events by what became of them
	kept   prometheus.Counter     // the counter of result kept, which most events have
}

// newOutcomes returns the outcomes of a Feedback.
func newOutcomes(ttl time.Duration, store features.Store, d Deps, logger *slog.Logger, c *counters) *outcomes {
	o := &outcomes{
		client: d.Client, store: store, types: TypesOf(d.Objectives), shows: ShowingsOf(d.Objectives, d.Shown), ttl: ttl, now: d.Now, logger: logger,
		maxAge: d.MaxAge, recorded: d.Recorded, tokens: newTokens(d.Keys, ttl, c.tokens, logger),
		folded: c.outcomes, kept: c.outcomes.WithLabelValues("kept"),
	}
	if o.shows != nil {
		o.shows.refused = (&shownRefusals{count: c.refused, logger: logger}).note
	}
	o.Fold = fold.New(fold.Config{
		Client: d.Client, Group: "outcomes", Store: store, Into: "outcomes",
		Watermark: d.Watermark, Beats: watermark.NewReporter("feedback", d.Now, logger, d.Registerer),
		Now: func() event.Time {
			if d.Recorded() {
				return 0
			}
			return d.Now()
		},
		Rewound:   c.rewound,
		Tracer:    d.Tracer,
		Logger:    logger,
		Start:     func(context.Context, features.Position) (fold.Handler, error) { return o.record, nil },
		Positions: &fold.Positions{Begin: o.beginRun, Current: o.currentRun},
	})
	return o
}

// record adds what one event means for its prediction to the batch. It passes over records that
// cannot be read: ingest writes their dead letters.
func (o *outcomes) record(b *fold.Batch, r *stream.Record) {
	e, err := event.ParseEvent(r.Value)
	beat := e.Type == event.TypeHeartbeat
	if err == nil && beat {
		err = e.Complete(0)
	}
	var result string
	switch {
	case err != nil:
		result = "refused"
	case beat:
		b.Beat(&e, r)
		return
	case e.Prediction == "":
		result = "no_prediction"
	case !o.types.any(&e):
		result = "other_type"
	case e.Complete(event.TimeOf(r.Time)) != nil, !o.recorded() && o.maxAge.Check(&e) != nil:
		result = "refused"
	default:
		b.Settle(&e, r)
		if !o.tokens.accept(&e) {
			result = "token"
			break
		}
		b.Updates = OutcomeUpdate(b.Updates, &e, r.Offset, o.types, o.shows)
		o.kept.Inc()
		return
	}
	o.folded.WithLabelValues(result).Inc()
}
