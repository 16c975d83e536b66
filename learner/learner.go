package learner

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Deps are what a Learner works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
	Model      model.Config            // of the default network
	Networks   map[string]model.Config // others, by name
	// of checkpoints; empty: none, weights are rebuilt from the topic at start
	Dir        string
	Now        func() event.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none

	disk disk // of checkpoints; nil but in tests: the system's
}

// Learner is the stage: one or more networks for each objective, each owned by one goroutine.
// Networks have nothing in common but the examples: each has its own place in them, checkpoints,
// topic and group, so that one that comes, goes or fails leaves the others as they are.
type Learner struct {
	client *stream.Client
	owners map[string]*owner // by NetworkKey
}

// New checks cfg and returns a Learner; Run runs it.
func New(cfg Config, d Deps) (*Learner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	logger := d.Logger.With("stage", "learner")
	letters := deadletter.New("learner", d.Client, d.Now, logger, d.Registerer)
	m := newInstruments(d.Registerer)
	l := &Learner{client: d.Client, owners: map[string]*owner{}}
	for i := range d.Objectives {
		o := &d.Objectives[i]
		for _, network := range o.NetworkNames() {
			w, err := newOwner(&cfg, &d, o.Name, network)
			if err != nil {
				return nil, err
			}
			w.client, w.letters, w.logger, w.metrics = d.Client, letters, logger.With("objective", o.Name, "network", network), m
			l.owners[w.key] = w
		}
	}
	for key := range cfg.Warm {
		if l.owners[key] == nil {
			return nil, field.Wrong("warm", "names %q, which is no objective, and no network of one such as click.plain", key)
		}
		if err := l.owners[key].checkWarm(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// newOwner returns the owner of a network of an objective.
func newOwner(cfg *Config, d *Deps, objective, network string) (*owner, error) {
	w := &owner{cfg: *cfg, objective: objective, key: event.NetworkKey(objective, network), config: d.Model, requests: make(chan request)}
	if network != event.DefaultNetwork {
		var ok bool
		if w.config, ok = d.Networks[network]; !ok {
			return nil, fmt.Errorf("objective %s has a network %q, which is not described: describe it in the section networks, or leave it out", objective, network)
		}
	}
	if err := w.config.Validate(); err != nil {
		return nil, err
	}
	if d.Dir == "" {
		return w, nil
	}
	var err error
	w.files, err = newFiles(cmp.Or[disk](d.disk, osDisk{}), d.Dir, fileName(objective, network))
	return w, err
}

// fileName is what a network's checkpoints are called. A plus is in no name, so no two networks'
// files are taken for each other's.
func fileName(objective, network string) string {
	if network == event.DefaultNetwork {
		return objective
	}
	return objective + "+" + network
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
	Objective  string `json:"objective"`
	Network    string `json:"network,omitempty"` // empty: the default one
	Model      string `json:"model"`
	Examples   int64  `json:"examples"`
	Weights    string `json:"weights"`
	Epoch      int64  `json:"epoch"`
	Published  int64  `json:"published"`  // examples in the weights published last
	Checkpoint int64  `json:"checkpoint"` // examples in the newest checkpoint
	// offset of the first record of the examples topic that is not learned
	Next   int64 `json:"next"`
	Behind int64 `json:"behind"` // examples in the topic that are not learned yet
	// from the newest learned example's production to its being learned
	BehindSeconds float64 `json:"behind_seconds"`
	// predictions made before their labels were learned
	Judged judged `json:"judged"`
}

// handle passes a question to the goroutine that owns the network, and waits a while for it; with
// learned=OFFSET until what lies before that offset is learned.
func (l *Learner) handle(w http.ResponseWriter, r *http.Request, kind int) {
	query, err := inbound.Query(r, "objective", "network", "learned")
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	key := event.NetworkKey(query.Get("objective"), query.Get("network"))
	o, ok := l.owners[key]
	if !ok {
		web.Refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("no network %q is learned: give ?objective=NAME, and &network=NAME unless it is the default one", key))
		return
	}
	var offset int64
	if s := query.Get("learned"); s != "" {
		if offset, err = strconv.ParseInt(s, 10, 64); err != nil {
			web.Refuse(w, http.StatusBadRequest, "bad_request", fmt.Errorf("learned is %q, want an offset of the examples topic, such as learned=1500", s))
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	s, err := o.ask(ctx, kind, offset)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		web.Refuse(w, http.StatusGatewayTimeout, "not_yet", fmt.Errorf("no answer within %v, since the learner is behind: ask again", askTimeout))
		return
	case err != nil:
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // a client that is gone cannot be told
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
	kind    int
	offset  int64           // answered when what lies before it is learned
	ctx     context.Context // of who asks
	answer  chan<- state    // has room for one; closed when the generation ends first
	started bool            // the snapshot that is asked for is on its way
}

// askTimeout is how long an answer may take.
const askTimeout = 30 * time.Second

var errNotOwner = errors.New("this process does not learn the objective at present: another one does, or it is still starting")

// ask waits until the owner answers or ctx ends. A question whose generation ends before it is
// answered is asked again.
func (o *owner) ask(ctx context.Context, kind int, offset int64) (state, error) {
	for {
		answer := make(chan state, 1)
		select {
		case o.requests <- request{kind: kind, offset: offset, ctx: ctx, answer: answer}:
		case <-ctx.Done():
			return state{}, errNotOwner
		}
		select {
		case s, ok := <-answer:
			if ok {
				return s, nil
			}
		case <-ctx.Done():
			return state{}, ctx.Err()
		}
	}
}
