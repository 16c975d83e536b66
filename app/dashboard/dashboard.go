// Package dashboard shows the loop to people: a page at / of the admin port, its state as a stream
// of server-sent events, and the history of evaluations for charts.
//
// It knows what is on the topics, and the latencies of its own process. It asks no stage, so it
// shows the same in a process of its own. It works only while somebody watches: once a second it
// asks the brokers how far topics and groups are, reads the newest records, and encodes one state
// for all who watch. Whatever the loop's rate is, it reads a bounded number of records a second.
package dashboard

import (
	"context"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// Deps are what a Dashboard works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
	Topics     []event.Topic         // all topics of the loop
	Bidding    bool                  // the loop bids
	Standing   func() []CampaignInfo // of the bidder of this process; nil: it is elsewhere
	Hold       bool                  // an alarm of the guard holds labels back (feedback.guard.hold)
	Recorded   func() bool           // the loop takes recorded times; nil: the topics tell
	Gatherer   prometheus.Gatherer   // of this process, for latencies; nil for none
	Version    string                // of the program
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Intervals of the work.
const (
	every   = time.Second      // between two states
	linger  = 15 * time.Second // work goes on for this long after the last watcher
	perTurn = 3 * time.Second  // for one state; what was not read by then is told as a problem
)

// Dashboard serves the dashboard. Make it by New.
type Dashboard struct {
	cfg     Config
	d       Deps
	started time.Time
	hub     *hub
	history *history
	page    *page
	metrics *instruments
	every   time.Duration
	linger  time.Duration
	read    int64 // of evaluations, up to this offset; Run's
}

// New checks cfg and returns a Dashboard.
func New(cfg Config, d Deps) (*Dashboard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, field.Within("dashboard", err)
	}
	p, err := newPage(pageFiles)
	if err != nil {
		return nil, err
	}
	m := newInstruments(d.Registerer)
	return &Dashboard{
		cfg: cfg, d: d, started: time.Now(), hub: newHub(cfg.MaxClients, m), history: newHistory(cfg.MaxBytes), page: p, metrics: m,
		every: every, linger: linger,
	}, nil
}

// Ready returns nil when Kafka answers.
func (d *Dashboard) Ready(ctx context.Context) error { return d.d.Client.Ping(ctx) }

// Run makes states while somebody watches, until ctx ends.
func (d *Dashboard) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.hub.woken:
			d.watch(ctx)
		}
	}
}

// watch makes a state a second until nobody has watched for a while. What has been read of
// evaluations stays, so that the next watcher's charts begin where they ended.
func (d *Dashboard) watch(ctx context.Context) {
	c := newCollector(d)
	defer c.close()
	defer d.hub.clear()
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		began := time.Now()
		c.collect(ctx, began)
		d.metrics.collect.Observe(time.Since(began).Seconds())
		if ctx.Err() != nil || !d.hub.publish(&c.state, time.Now(), d.linger) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
