package scorer

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps are what a Scorer works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
	// by objective: what is answered while there are no weights; Config.Prior for those that it
	// lacks
	Priors     map[string]float64
	Set        *features.Set
	Store      features.Store
	Now        func() event.Time
	Recorded   bool // times and rows of requests are kept as given
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Scorer is the stage.
type Scorer struct {
	cfg       Config
	client    *stream.Client
	set       *features.Set
	store     features.Store
	now       func() event.Time
	recorded  atomic.Bool
	followers []*follower
	batcher   *stream.Batcher
	headers   []stream.Header
	inFlight  chan struct{}
	works     sync.Pool // of *work
	// how long a replay's calls wait for Redis and Kafka; then they are refused, and repeated
	patience  time.Duration
	folded    atomic.Int64 // event.Time up to which profiles are folded; 0 when not known
	memory    *memory
	logger    *slog.Logger
	metrics   *instruments
	warnedKey atomic.Int64 // event.Time of the last warnKey
}

// New checks cfg and returns a Scorer; Run follows the weights.
func New(cfg Config, d Deps) (*Scorer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Scorer{
		cfg: cfg, client: d.Client, set: d.Set, store: d.Store, now: d.Now,
		batcher:  stream.NewBatcher(d.Client, event.TopicPredictions, cfg.MaxWaiting),
		headers:  d.Client.MessageHeaders(event.SchemaPrediction),
		inFlight: make(chan struct{}, cfg.MaxInFlight),
		memory:   newMemory(cfg.MaxRemembered),
		logger:   d.Logger.With("stage", "scorer"),
		metrics:  newInstruments(d.Registerer),
		patience: 10 * time.Second,
	}
	s.works.New = func() any { return &work{} }
	s.recorded.Store(d.Recorded)
	s.batcher.Drain(cfg.Drain, func(n int, err error) { s.unwritten(s.logger, n, err) })
	for _, o := range d.Objectives {
		prior, ok := d.Priors[o.Name]
		if !ok {
			prior = cfg.Prior
		}
		s.followers = append(s.followers, &follower{objective: o.Name, prior: prior, network: o.Served(), client: d.Client, now: d.Now, logger: s.logger, metrics: s.metrics})
	}
	return s, nil
}

// SetRecorded says whether times and rows of requests are kept as given.
func (s *Scorer) SetRecorded(recorded bool) { s.recorded.Store(recorded) }

// Register adds /v1/score and /v1/model.
func (s *Scorer) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/score", s.handleScore)
	mux.HandleFunc("GET /v1/model", s.handleModel)
}

// Run follows the weights and writes predictions until ctx ends.
func (s *Scorer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.batcher.Run(ctx) })
	g.Go(func() error { return s.watchFold(ctx) })
	if !s.recorded.Load() {
		g.Go(func() error { return s.restore(ctx) })
	}
	for _, f := range s.followers {
		g.Go(func() error { return f.run(ctx) })
	}
	return g.Wait()
}

// foldCheck is how often it is looked up how far the profiles are folded.
const foldCheck = 250 * time.Millisecond

// watchFold keeps note of the time up to which the profiles hold all events. It is for answers to
// tell how old what they used was, so while the store or Kafka is away nothing is known, and
// nothing said.
func (s *Scorer) watchFold(ctx context.Context) error {
	if len(s.set.Names(nil)) == 0 {
		return nil
	}
	tick := time.NewTicker(foldCheck)
	defer tick.Stop()
	id, checked := "", time.Time{}
	for {
		if time.Since(checked) > 20*foldCheck {
			bounded, cancel := context.WithTimeout(ctx, time.Second)
			id, _ = s.client.TopicID(bounded, event.TopicEvents)
			cancel()
			checked = time.Now()
		}
		s.folded.Store(int64(s.lookFold(ctx, id)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Scorer) lookFold(ctx context.Context, id string) event.Time {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	n, err := s.client.Partitions(ctx, event.TopicEvents)
	if err != nil || id == "" {
		return 0
	}
	at, err := s.store.Watermark(ctx, id, n)
	if err != nil {
		return 0
	}
	return at
}

// Ready returns nil when every objective has weights.
func (s *Scorer) Ready(context.Context) error {
	for _, f := range s.followers {
		if n, _ := f.replicas.version(); n < 0 {
			return fmt.Errorf("no weights of %s have come yet: requests are answered with the prior", f.objective)
		}
	}
	return nil
}

// warnKey names a key of the feature store that cannot be read, at most once a period.
func (s *Scorer) warnKey(bad *features.KeyError) {
	now := s.now()
	last := s.warnedKey.Load()
	if now.Sub(event.Time(last)) > warnEvery && s.warnedKey.CompareAndSwap(last, int64(now)) {
		s.logger.Warn("a profile cannot be read, scoring without it", "err", bad)
	}
}
