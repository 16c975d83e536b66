package feedback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps are what a Feedback works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
	Outcomes   features.Store // of the namespace of outcomes, kept longer than the longest window
	Now        func() event.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Feedback is the stage: outcomes, and for each objective a labeler and an evaluator.
type Feedback struct {
	client     *stream.Client
	outcomes   *outcomes
	labelers   []*labeler
	evaluators []*evaluator
	guards     map[string]*guard
}

// New checks cfg and returns a Feedback; Run runs it.
func New(cfg Config, d Deps) (*Feedback, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	logger := d.Logger.With("stage", "feedback")
	letters := deadletter.New("feedback", d.Client, d.Now, logger, d.Registerer)
	examples := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_feedback_examples_total", Help: "Predictions that were decided, by objective and label; none means that the trigger did not happen.",
	}, []string{"objective", "label"})
	f := &Feedback{
		client: d.Client, guards: map[string]*guard{},
		outcomes: &outcomes{client: d.Client, store: d.Outcomes, logger: logger, folded: map[int]event.Time{}},
	}
	watermark := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "clickloop_feedback_watermark_timestamp_seconds", Help: "Received time up to which every partition of events is folded, as far as this process folds them all.",
	}, func() float64 {
		t, _ := f.outcomes.local(1)
		return float64(t) / 1000
	})
	if d.Registerer != nil {
		d.Registerer.MustRegister(examples, watermark)
	}
	for _, o := range d.Objectives {
		g := &guard{cfg: cfg.Guard}
		f.guards[o.Name] = g
		f.labelers = append(f.labelers, &labeler{
			objective: o, client: d.Client, outcomes: f.outcomes, guard: g, letters: letters, logger: logger.With("objective", o.Name),
			batch: cfg.Batch, headers: d.Client.MessageHeaders(event.SchemaExample), examples: examples,
		})
		f.evaluators = append(f.evaluators, &evaluator{objective: o, client: d.Client, guard: g, logger: logger})
	}
	return f, nil
}

// Register adds /v1/evaluation and /v1/feedback/release.
func (f *Feedback) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/evaluation", f.handleEvaluation)
	mux.HandleFunc("POST /v1/feedback/release", f.handleRelease)
}

// Run joins and evaluates until ctx ends.
func (f *Feedback) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.outcomes.run(ctx) })
	for i := range f.labelers {
		g.Go(func() error { return f.labelers[i].run(ctx) })
		g.Go(func() error { return f.evaluators[i].run(ctx) })
	}
	return g.Wait()
}

// Ready returns nil when Kafka answers and the watermark can be read.
func (f *Feedback) Ready(ctx context.Context) error {
	if err := f.client.Ping(ctx); err != nil {
		return err
	}
	if _, err := f.outcomes.watermark(ctx); err != nil {
		return fmt.Errorf("cannot read the watermark of outcomes: %w", err)
	}
	return nil
}

// handleEvaluation answers with an objective's metrics since the start.
func (f *Feedback) handleEvaluation(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("objective")
	for _, e := range f.evaluators {
		if e.objective.Name == name || name == "" {
			v := e.current()
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(v.AppendJSON(nil)) // a client that is gone cannot be told
			return
		}
	}
	http.Error(w, unknownObjective(name).Error(), http.StatusNotFound)
}

// handleRelease lets an objective's labels go on although its alarm stands.
func (f *Feedback) handleRelease(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("objective")
	g, ok := f.guards[name]
	if !ok {
		http.Error(w, unknownObjective(name).Error(), http.StatusNotFound)
		return
	}
	g.release()
	w.WriteHeader(http.StatusNoContent)
}

func unknownObjective(name string) error {
	if name == "" {
		return errors.New("objective is missing: give ?objective=NAME")
	}
	return fmt.Errorf("there is no objective %q", name)
}
