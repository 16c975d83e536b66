package feedback

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps are what a Feedback works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
	// label only while this process has every partition of predictions, so that examples come in
	// one order of all
	OneOrder bool
	// of the namespace of outcomes, kept for at least the longest window plus Config.OutcomeTTL
	Outcomes features.Store
	Now      func() event.Time
	// says whether times of events are recorded ones, which are held against no clock; nil: they
	// are not
	Recorded   func() bool
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
	f := &Feedback{
		client: d.Client, store: store, unfolded: unfolded{since: map[int]time.Time{}},
		outcomes: &outcomes{
			client: d.Client, store: store, kinds: KindsOf(d.Objectives), ttl: longest(d.Objectives) + cfg.OutcomeTTL, now: d.Now, logger: logger,
			recorded: d.Recorded, watermarks: d.Watermark, beats: watermark.NewReporter("feedback", d.Now, logger, d.Registerer),
			folded: c.outcomes, marks: map[int]event.Time{},
		},
	}
	c.register(d.Registerer, f.outcomes)
	letters := deadletter.New("feedback", d.Client, d.Now, logger, d.Registerer)
	headers := d.Client.MessageHeaders(event.SchemaExample)
	for _, o := range d.Objectives {
		logger := logger.With("objective", o.Name)
		f.labelers = append(f.labelers, &labeler{
			objective: o, client: d.Client, oneOrder: d.OneOrder, outcomes: f.outcomes, guard: &guard{cfg: cfg.Guard}, letters: letters, logger: logger,
			batch: cfg.Batch, headers: headers, examples: c.examples, joined: c.joined, repeated: c.repeated.WithLabelValues(o.Name), conflicts: c.conflicts.WithLabelValues(o.Name), held: c.held.WithLabelValues(o.Name),
		})
		f.evaluators = append(f.evaluators, &evaluator{objective: o, client: d.Client, cfg: cfg.Guard, logger: logger, gained: make(chan struct{}, 1)})
		if o.Revisions {
			f.revisers = append(f.revisers, &reviser{
				objective: o, client: d.Client, outcomes: f.outcomes, within: cfg.revise(), batch: cfg.Batch, letters: letters, logger: logger, headers: headers,
				revised: c.revised.WithLabelValues(o.Name),
			})
		}
	}
	return f, nil
}

func longest(objectives []event.Objective) time.Duration {
	window := time.Duration(0)
	for _, o := range objectives {
		window = max(window, o.Window)
	}
	return window
}

// Run joins and evaluates until ctx ends.
func (f *Feedback) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.outcomes.run(ctx) })
	for i := range f.labelers {
		g.Go(func() error { return f.labelers[i].run(ctx) })
		g.Go(func() error { return f.evaluators[i].run(ctx) })
	}
	for _, r := range f.revisers {
		g.Go(func() error { return r.run(ctx) })
	}
	return g.Wait()
}

// Ready returns nil when Kafka answers, the watermark can be read, and no fold or label stands
// still for a fault of the store.
func (f *Feedback) Ready(ctx context.Context) error {
	if err := f.client.Ping(ctx); err != nil {
		return err
	}
	if err := f.store.Fault(); err != nil {
		return err
	}
	if _, err := f.outcomes.watermark(ctx); err != nil {
		return fmt.Errorf("cannot read the watermark of outcomes: %w", err)
	}
	return f.unfolded.check(ctx, f.outcomes, unfoldedPatience)
}
