// Package feedback joins predictions with what happened to them, turns each into a labelled example
// exactly once, and measures how good predictions were.
//
// The one invariant: no label before its evidence. A prediction is labelled only after the
// watermark has passed its window, and only from outcomes that were all in the store while they
// were read. The watermark is the received time up to which every partition of events is folded
// into outcomes. When events stall, labels stall. When the store of outcomes is emptied, goes back
// or forgets, it is folded again first.
package feedback

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps are what a Feedback works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
	// label only while this process has every partition of predictions, so that the examples of all
	// partitions come in one order
	OneOrder bool
	// store of the namespace of outcomes, which it keeps for at least the longest window plus
	// Config.OutcomeTTL
	Outcomes features.Store
	// facts that only the trigger's event knows, as the scorer serves them; nil: none
	Shown *features.Shown
	Now   func() event.Time
	// says whether times of events are recorded ones, which no clock is held against; nil: they are
	// not
	Recorded func() bool
	// keys by which events must prove that their sender was answered with their prediction; nil:
	// every event counts
	Keys *signing.Ring
	// events that happened longer before their receipt label nothing; not with recorded times
	MaxAge     event.AgeLimits
	Watermark  watermark.Config // zero: the default
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Feedback is the stage: outcomes, and for each objective a labeler, an evaluator and maybe a
// reviser.
type Feedback struct {
	client     *stream.Client
	store      *features.Watched
	outcomes   *outcomes
	labelers   []*labeler
	evaluators []*evaluator
	revisers   []*reviser
	unfolded   unfolded
}

// New checks cfg and returns a Feedback; Run runs it.
func New(cfg Config, d Deps) (*Feedback, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var err error
	if d.Watermark, err = d.Watermark.OrDefault(); err != nil {
		return nil, err
	}
	if d.Recorded == nil {
		d.Recorded = func() bool { return false }
	}
	logger := d.Logger.With("stage", "feedback")
	c := newCounters()
	store := features.Watch(d.Outcomes, d.Now)
	outcomes := newOutcomes(event.LongestWindow(d.Objectives)+cfg.OutcomeTTL, store, d, logger, c)
	c.register(d.Registerer, outcomes)
	f := &Feedback{client: d.Client, store: store, outcomes: outcomes, unfolded: unfolded{since: map[int]time.Time{}}}
	letters := deadletter.New("feedback", d.Client, d.Now, logger, d.Registerer)
	for _, o := range d.Objectives {
		t := &task{
			objective: o, kind: objective.KindOf(o), shown: d.Shown, client: d.Client, outcomes: outcomes, letters: letters, logger: logger.With("objective", o.Name),
			batch: cfg.Batch, headers: d.Client.MessageHeaders(event.SchemaExample),
		}
		f.labelers = append(f.labelers, &labeler{task: t, oneOrder: d.OneOrder, guard: &guard{cfg: cfg.Guard}, counted: c.ofLabeler(o.Name)})
		f.evaluators = append(f.evaluators, &evaluator{task: t, guard: cfg.Guard, gained: make(chan struct{}, 1)})
		if o.Revisions {
			f.revisers = append(f.revisers, &reviser{task: t, within: cfg.Revises(), revised: c.revised.WithLabelValues(o.Name)})
		}
	}
	return f, nil
}

// Run folds outcomes, labels and evaluates until ctx ends.
func (f *Feedback) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.outcomes.Run(ctx) })
	for i := range f.labelers {
		g.Go(func() error { return f.labelers[i].run(ctx) })
		g.Go(func() error { return f.evaluators[i].run(ctx) })
	}
	for _, r := range f.revisers {
		g.Go(func() error { return r.run(ctx) })
	}
	return g.Wait()
}

// Ready returns nil when Kafka answers, the watermark can be read, every partition of events is
// folded, and no fault of the store stops folds or labels.
func (f *Feedback) Ready(ctx context.Context) error {
	if err := f.client.Ping(ctx); err != nil {
		return err
	}
	if err := f.store.Fault(); err != nil {
		return err
	}
	if _, err := f.outcomes.Watermark(ctx); err != nil {
		return fmt.Errorf("cannot read the watermark of outcomes: %w", err)
	}
	return f.unfolded.check(ctx, f.outcomes, unfoldedPatience)
}
