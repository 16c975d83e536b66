// Package scorer answers how likely a user is to click or convert on an ad, within about a
// millisecond, and publishes what it chose as predictions.
//
// An Engine scores, chooses, logs, and keeps one choice for each request id. It knows nothing of
// HTTP, so a program may call it in process. A Scorer is the stage: an Engine behind HTTP.
//
// Without Redis, or before the first weights, an answer is computed from what is available and says
// so: a bid never fails for a lack of either.
package scorer

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps are what an Engine works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective // candidates are ranked by the first
	// by objective: the probability that is answered before the first weights; Config.Prior for
	// objectives that it lacks
	Priors     map[string]float64
	Set        *features.Set
	Store      features.Store
	Now        func() event.Time
	Recorded   bool          // times and rows of requests are kept as given
	Keys       *signing.Ring // sign the predictions of chosen candidates; nil: they have no tokens
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Engine answers requests: it reads profiles, scores the candidates with the newest weights,
// ranks them, chooses by its policy, and logs the chosen ones as predictions. Its methods may be
// called by any number of goroutines at once.
type Engine struct {
	cfg       Config
	client    *stream.Client
	followers []*follower // by objective
	// names of the objectives, and their indices
	objectives []string
	every      []int
	valuation  *valuation // of Config.Value; nil: the rule of the ranking
	valuations *valuations
	profiles   *profiles
	policy     *policy
	greedy     *policy
	log        *predictionLog
	memory     *memory
	catalogues []*served
	now        func() event.Time
	keys       *signing.Ring
	recorded   atomic.Bool
	// how long a replay's calls wait for Redis and for Kafka before they are refused
	replayWait time.Duration
	logger     *slog.Logger
	metrics    *instruments
}

// NewEngine checks cfg and returns an Engine. Run keeps its weights up to date and writes its log.
func NewEngine(cfg Config, d Deps) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	logger, metrics := d.Logger.With("stage", "scorer"), newInstruments(d.Registerer)
	log, left, err := newPredictionLog(&cfg, d.Client, logger, metrics)
	if err != nil {
		return nil, field.Within("scorer", err)
	}
	e := &Engine{
		cfg: cfg, client: d.Client, policy: policyOf(&cfg), greedy: greedy(), now: d.Now, keys: d.Keys, replayWait: 10 * time.Second, logger: logger, metrics: metrics,
		profiles: &profiles{set: d.Set, used: len(d.Set.Names(nil)) > 0, store: d.Store, breaker: newBreaker(), cache: newProfileCache(cfg.ProfileCache), client: d.Client, now: d.Now, logger: logger, metrics: metrics},
		log:      log,
		memory:   newMemory(cfg.MaxRemembered),
	}
	e.recorded.Store(d.Recorded)
	e.memory.restoreLeft(left)
	for _, o := range d.Objectives {
		prior, ok := d.Priors[o.Name]
		if !ok {
			prior = cfg.Prior
		}
		e.every, e.objectives = append(e.every, len(e.every)), append(e.objectives, o.Name)
		e.followers = append(e.followers, &follower{objective: o.Name, prior: prior, network: o.Served(), client: d.Client, now: d.Now, logger: logger, metrics: metrics})
	}
	e.valuations = newValuations(e.objectives)
	if cfg.Value != "" {
		var err error
		if e.valuation, err = compileValuation(cfg.Value, e.objectives); err != nil {
			return nil, err
		}
	}
	e.newCatalogues(&d)
	return e, nil
}

// SetRecorded says whether times and rows of requests are kept as given.
func (e *Engine) SetRecorded(recorded bool) { e.recorded.Store(recorded) }

// Run follows the weights and writes predictions until ctx ends, and then what waits for Kafka, for
// the time of Config.Drain.
func (e *Engine) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.log.run(ctx) })
	g.Go(func() error { return e.profiles.followWatermark(ctx) })
	g.Go(func() error { return e.profiles.probe(ctx) })
	if !e.recorded.Load() {
		g.Go(func() error { return e.memory.restore(ctx, e.client, e.logger) })
	}
	for _, f := range e.followers {
		g.Go(func() error { return f.run(ctx) })
	}
	e.runCatalogues(ctx, g)
	return g.Wait()
}

// Ready returns nil when every objective has weights, and every catalogue was read whole.
func (e *Engine) Ready(context.Context) error {
	for _, f := range e.followers {
		if n, _ := f.replicas.version(); n < 0 {
			return fmt.Errorf("no weights of %s have come yet: requests are answered with the prior", f.objective)
		}
	}
	return e.cataloguesReady()
}

// Warnings say what makes answers worse without stopping them.
func (e *Engine) Warnings() []string {
	if e.profiles.breaker.open() {
		return []string{"Redis does not answer in time: requests are scored without profiles"}
	}
	return nil
}

// Answer gives every request of c its Answer. It waits for Kafka only where a request wants it
// (LogAcknowledged): what Answer.Logged promises is written afterwards.
//
// In recorded mode nothing is remembered, and an error means that Redis or Kafka did not answer in
// time. No request of c is answered then, and the caller sends the same call again.
func (e *Engine) Answer(ctx context.Context, c *Call) error {
	recorded := e.recorded.Load()
	c.recorded, c.headers = recorded, tracing.Headers(ctx, e.log.headers)
	c.begin(e)
	if !recorded {
		e.answerOnce(ctx, c)
	} else if err := e.replay(ctx, c); err != nil {
		return err
	}
	e.metrics.countAnswers(c)
	return nil
}

// answerOnce answers each request id once: a request that is sent again gets the first answer.
func (e *Engine) answerOnce(ctx context.Context, c *Call) {
	for i := range c.Requests {
		q := &c.Requests[i]
		q.claim.hash, q.claim.facts = e.memory.hash(q.ID), q.facts()
	}
	defer e.memory.finish(c) // after a panic too: other calls may be waiting
	for again := true; again; again = c.awaitOthers(ctx) {
		e.memory.claim(c)
		if c.anyOpen() {
			e.answerOpen(ctx, c)
			e.memory.finish(c)
		}
		e.recall(ctx, c)
	}
	for i := range c.Requests {
		if q := &c.Requests[i]; q.claim.progress == duplicate {
			changed := q.Answer.Changed
			q.Answer = c.Requests[q.claim.first].Answer
			q.Answer.Repeated, q.Answer.Changed = true, changed
			q.adopt()
		}
	}
}

// answerOpen scores and logs the open requests. When the queue is full, it refuses the requests
// that must be logged without scoring them.
func (e *Engine) answerOpen(ctx context.Context, c *Call) {
	if !e.log.hasRoom() {
		for i := range c.Requests {
			if q := &c.Requests[i]; q.open() && q.Log != LogBestEffort && q.Choose > 0 {
				q.Answer.Err = errQueueFull
			}
		}
		if !c.anyOpen() {
			return
		}
	}
	e.score(ctx, c, false)
	if ticket, ok := e.log.enqueue(c); ok && c.wantsAcknowledgement() {
		e.log.await(ctx, c, ticket, e.cfg.PublishWait)
	}
	c.settle()
}

// recall gives the answers that were given before, and says what has become of their predictions.
func (e *Engine) recall(ctx context.Context, c *Call) {
	for i := range c.Requests {
		q := &c.Requests[i]
		if q.Answer.Err != nil || q.claim.progress != remembered || q.claim.data == nil {
			continue
		}
		q.Answer.decode(q.claim.data, c)
		q.adopt()
		q.Answer.Repeated, q.claim.data = true, nil
		if q.claim.unlogged {
			continue
		}
		wait := time.Duration(0)
		if q.Log == LogAcknowledged {
			wait = e.cfg.PublishWait
		}
		q.Answer.Logged, q.Answer.Acknowledged = e.log.standing(ctx, q.claim.ticket, wait)
	}
}

// unavailable says why a call cannot be answered now. Clients read it in the answer's message.
type unavailable string

func (u unavailable) Error() string { return string(u) }

// replay answers the requests of a recording, all of them or none.
func (e *Engine) replay(ctx context.Context, c *Call) error {
	if !c.anyOpen() {
		return nil
	}
	e.score(ctx, c, true)
	if c.basis.WithoutProfiles {
		return unavailable("the feature store does not answer")
	}
	ticket, err := e.log.batcher.Enqueue(c.records)
	if err != nil || !e.log.await(ctx, c, ticket, e.replayWait) {
		return unavailable("Kafka does not acknowledge")
	}
	for i := range c.Requests {
		c.Requests[i].Answer.Logged = true
	}
	c.settle()
	return nil
}
