package learner

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/tracing"
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
	// folder of checkpoints; empty: there are none, and weights are learned again at each start
	Dir        string
	Now        func() event.Time
	Tracer     *tracing.Tracer // nil: no traces
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none

	disk disk // nil outside of tests: the system's
}

// Learner is the stage: one or more networks for each objective. Each network has a position in the
// examples, checkpoints, a topic and a group of its own, so that one that is added, removed or
// fails leaves the others as they are.
type Learner struct {
	client *stream.Client
	owners map[string]*owner // by NetworkKey
}

// New checks cfg and returns a Learner, which Run runs.
func New(cfg Config, d Deps) (*Learner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	logger := d.Logger.With("stage", "learner")
	letters := deadletter.New("learner", d.Client, d.Now, logger, d.Registerer)
	metrics := newInstruments(d.Registerer)
	l := &Learner{client: d.Client, owners: map[string]*owner{}}
	for _, objective := range d.Objectives {
		for _, network := range objective.NetworkNames() {
			o, err := newOwner(&cfg, &d, objective.Name, network)
			if err != nil {
				return nil, err
			}
			o.client, o.letters, o.metrics = d.Client, letters, metrics
			o.logger = logger.With("objective", objective.Name, "network", network)
			l.owners[o.key] = o
			metrics.begin(o.key)
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
	o := &owner{cfg: *cfg, objective: objective, key: event.NetworkKey(objective, network), config: d.Model, tracer: d.Tracer, requests: make(chan request)}
	if network != event.DefaultNetwork {
		var ok bool
		if o.config, ok = d.Networks[network]; !ok {
			return nil, fmt.Errorf("objective %s has a network %q, which is not described: describe it in the section networks, or leave it out", objective, network)
		}
	}
	if err := o.config.Validate(); err != nil {
		return nil, err
	}
	if d.Dir == "" {
		return o, nil
	}
	var err error
	name := strings.Replace(o.key, ".", "+", 1) // a plus is in no name of an objective or network
	o.files, err = newFiles(cmp.Or[disk](d.disk, osDisk{}), d.Dir, name)
	return o, err
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

// WeightsHash names the learned state of a network: "sha256:" and the digits of its hash.
func WeightsHash(net *model.Net) string {
	h := net.Hash()
	return "sha256:" + hex.EncodeToString(h[:])
}
