package ingest

import (
	"context"
	"log/slog"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/fold"
	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// consumer folds events into profiles, at least once: a batch that the store holds already changes
// nothing.
type consumer struct {
	*fold.Fold
	client *stream.Client
	set    *features.Set
	clock  *Clock
	maxAge event.AgeLimits
	beats  *watermark.Reporter

	folded, repeated, refused prometheus.Counter // events, by what became of them

	times map[string]prometheus.Counter // by the rule that set the event's time
}

// newConsumer returns the consumer of an Ingester, whose metrics it registers.
func newConsumer(maxAge event.AgeLimits, d Deps, store features.Store, letters *deadletter.Writer, logger *slog.Logger) *consumer {
	times := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_ingest_event_times_total",
		Help: "Events folded, by the rule that set their time: given (the client's own time); received (the client gave no time); clamped (the client's time was after the receipt); sent_at (the client's clock was corrected).",
	}, []string{"rule"})
	moved := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clickloop_ingest_moved_total", Help: "Times that a partition was folded again because the position in the feature store was not the expected one.",
	})
	rewound := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clickloop_ingest_rewinds_total", Help: "Times that a partition was folded again from before what this process had folded: the feature store was emptied or restored.",
	})
	c := &consumer{
		client: d.Client, set: d.Set, clock: d.Clock, maxAge: maxAge, beats: watermark.NewReporter("ingest", d.Clock.Now, logger, d.Registerer), times: countersOf(times),
	}
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_ingest_events_total", Help: "Events read from the topic, by result: folded, repeated, refused.",
	}, []string{"result"})
	c.folded, c.repeated, c.refused = events.WithLabelValues("folded"), events.WithLabelValues("repeated"), events.WithLabelValues("refused")
	instrument.Register(d.Registerer, events, times, moved, rewound)
	c.Fold = fold.New(fold.Config{
		Client: d.Client, Group: "profiles", Store: store, Into: "profiles", Letters: letters, Watermark: d.Watermark, Beats: c.beats,
		Now: d.Clock.Reader, Moved: moved, Rewound: rewound, Tracer: d.Tracer, Logger: logger, Start: c.start,
	})
	return c
}

// start returns the handler of one run. It first reads back the ids of the records before the run's
// position, so that an event is a repeat wherever a run begins.
func (c *consumer) start(ctx context.Context, at features.Position) (fold.Handler, error) {
	ids := new(repeats.Window)
	err := ids.Refill(ctx, c.client, event.TopicEvents, at.Partition, at.Next, func(r *stream.Record) string {
		if e, err := c.decode(r); err == nil && e.Type != event.TypeHeartbeat {
			return e.ID
		}
		return ""
	})
	return func(b *fold.Batch, r *stream.Record) { c.record(b, ids, r) }, err
}

// decode reads a record, and refuses events that are older than allowed.
func (c *consumer) decode(r *stream.Record) (event.Event, error) {
	e, err := decode(r)
	if err == nil && !c.clock.Recorded() {
		err = c.maxAge.Check(&e)
	}
	return e, err
}

// record adds the updates of one record to the batch, or its dead letter.
func (c *consumer) record(b *fold.Batch, ids *repeats.Window, r *stream.Record) {
	e, err := c.decode(r)
	switch {
	case err != nil:
		c.refused.Inc()
		b.Letters = append(b.Letters, deadletter.Letter{Topic: event.TopicEvents, Record: *r, Reason: err.Error()})
	case e.Type == event.TypeHeartbeat:
		b.Beat(&e, r)
	case ids.Seen(e.ID, r.Offset, event.TimeOf(r.Time)):
		c.repeated.Inc()
	default:
		c.folded.Inc()
		b.Settle(&e, r)
		c.countTime(e.TimeRule)
		b.Updates = c.set.Updates(b.Updates, &e, r.Offset)
	}
}

// countersOf are the counters of events by the rule that set their time.
func countersOf(times *prometheus.CounterVec) map[string]prometheus.Counter {
	counters := map[string]prometheus.Counter{"": times.WithLabelValues("given")}
	for _, rule := range []string{event.TimeReceived, event.TimeClamped, event.TimeSentAt} {
		counters[rule] = times.WithLabelValues(rule)
	}
	return counters
}

// countTime counts an event by its rule. Other producers may write rules of their own: their events
// count as given.
func (c *consumer) countTime(rule string) {
	if c.times[rule] == nil {
		rule = ""
	}
	c.times[rule].Inc()
}
