package learner

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps are what a Learner works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
	Model      model.Config
	Dir        string // of checkpoints; empty: none, weights are rebuilt from the topic at start
	Now        func() event.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Learner is the stage: one network for each objective, each owned by one goroutine.
type Learner struct {
	client *stream.Client
	owners map[string]*owner
}

// instruments are the stage's metrics.
type instruments struct {
	learned    *prometheus.CounterVec // examples by objective and what became of them
	published  *prometheus.CounterVec // bytes by objective and kind
	version    *prometheus.GaugeVec
	behind     *prometheus.GaugeVec
	checkpoint prometheus.Histogram
}

func newInstruments(reg prometheus.Registerer) *instruments {
	m := &instruments{
		learned:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_examples_total", Help: "Examples by what became of them: learned, repeated, refused, trimmed."}, []string{"objective", "result"}),
		published:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_published_bytes_total", Help: "Bytes written to the model topic."}, []string{"objective", "kind"}),
		version:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_version_examples", Help: "Examples in the weights published last."}, []string{"objective"}),
		behind:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_behind_examples", Help: "Examples in the topic that are not learned yet."}, []string{"objective"}),
		checkpoint: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_learner_checkpoint_pause_seconds", Help: "How long learning paused for a checkpoint.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12)}),
	}
	if reg != nil {
		reg.MustRegister(m.learned, m.published, m.version, m.behind, m.checkpoint)
	}
	return m
}

// New checks cfg and returns a Learner; Run runs it.
func New(cfg Config, d Deps) (*Learner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := d.Model.Validate(); err != nil {
		return nil, err
	}
	logger := d.Logger.With("stage", "learner")
	letters := deadletter.New("learner", d.Client, d.Now, logger, d.Registerer)
	m := newInstruments(d.Registerer)
	l := &Learner{client: d.Client, owners: map[string]*owner{}}
	for _, o := range d.Objectives {
		w := &owner{
			cfg: cfg, objective: o.Name, client: d.Client, config: d.Model, letters: letters,
			logger: logger.With("objective", o.Name), metrics: m, requests: make(chan request),
		}
		if d.Dir != "" {
			f := filesOf(d.Dir, o.Name)
			w.files = &f
		}
		l.owners[o.Name] = w
	}
	return l, nil
}

// Register adds /v1/learner and /v1/learner/snapshot.
func (l *Learner) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/learner", func(w http.ResponseWriter, r *http.Request) { l.handle(w, r, askState) })
	mux.HandleFunc("POST /v1/learner/snapshot", func(w http.ResponseWriter, r *http.Request) { l.handle(w, r, askSnapshot) })
}

// Run learns until ctx ends.
func (l *Learner) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, o := range l.owners {
		g.Go(func() error { return o.run(ctx) })
	}
	return g.Wait()
}

// Ready returns nil when Kafka answers.
func (l *Learner) Ready(ctx context.Context) error { return l.client.Ping(ctx) }

// state is the answer of /v1/learner.
type state struct {
	Objective string `json:"objective"`
	Model     string `json:"model"`
	Examples  int64  `json:"examples"`
	Weights   string `json:"weights"`
	Epoch     int64  `json:"epoch"`
	Behind    int64  `json:"behind"`
}

// handle passes a question to the goroutine that owns the network, and waits a while for it.
func (l *Learner) handle(w http.ResponseWriter, r *http.Request, kind int) {
	name := r.URL.Query().Get("objective")
	o, ok := l.owners[name]
	if !ok {
		refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("there is no objective %q: give ?objective=NAME", name))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 30*time.Second)
	defer cancel()
	s, err := o.ask(ctx, kind)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "unavailable", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // a client that is gone cannot be told
}

func refuse(w http.ResponseWriter, status int, code string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": err.Error()}})
}

// WeightsHash is how a network's learned state is named: "sha256:" and the digits of its hash.
func WeightsHash(net *model.Net) string {
	h := net.Hash()
	return "sha256:" + hex.EncodeToString(h[:])
}

const (
	askState = iota
	askSnapshot
)

// request is a question to an owner.
type request struct {
	kind   int
	answer chan<- state // has room for one
}

var errNotOwner = errors.New("this process does not learn the objective at present: another one does, or it is still starting")

// ask waits until the owner answers or ctx ends.
func (o *owner) ask(ctx context.Context, kind int) (state, error) {
	answer := make(chan state, 1)
	select {
	case o.requests <- request{kind, answer}:
	case <-ctx.Done():
		return state{}, errNotOwner
	}
	select {
	case s := <-answer:
		return s, nil
	case <-ctx.Done():
		return state{}, ctx.Err()
	}
}
