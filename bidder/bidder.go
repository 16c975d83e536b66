// Package bidder answers bid requests of exchanges: it finds the campaigns that match an auction,
// has the scorer say what they are worth, prices the best, reserves its money, and answers in time.
// What becomes of a bid comes back as notices, from which budgets, prices and the network learn.
//
// The stage stands on the scorer's Engine, which it calls in process. Each subject has a package of
// its own below this one; the stage is what joins them, and HTTP.
package bidder

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/bidder/markup"
	"github.com/clickloop/clickloop/bidder/notice"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/scorer"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
)

// Deps are what a Bidder works with.
type Deps struct {
	Client *stream.Client
	Redis  *features.RedisClient // of the ledger, in the role features.Writing
	Prefix string                // of keys in Redis
	Scorer *scorer.Scorer        // scores; its policy chooses among creatives
	Dir    string                // data folder; empty: what pacing learns is not kept
	// RunScorer says that no other stage of the process runs the scorer.
	RunScorer bool
	Events    notice.Events               // takes what notices tell
	RunEvents func(context.Context) error // runs Events, unless another stage does; nil: another does
	Keys      *signing.Ring               // sign notices
	Gate      *access.Gate                // nil: all calls are let in
	Now       func() event.Time
	// Recorded says whether requests and notices bring their time.
	Recorded   func() bool
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Bidder is the stage.
type Bidder struct {
	cfg        Config
	d          Deps
	clock      *clock
	catalogue  *campaign.Catalogue
	store      *campaign.Store
	wish       []*campaign.Campaign // of the configuration's file
	seeded     chan struct{}        // closed when these are on the topic
	ledger     *ledger.Ledger
	landscape  *price.Landscape
	pacer      *price.Pacer
	strategies *strategies
	labels     *labels
	notices    *notice.Notices
	links      *notice.Links
	maker      *markup.Maker
	answers    *answers
	insecure   atomic.Bool        // it was said that the base is plain http
	flights    singleflight.Group // bid requests that are being answered
	calls      sync.Pool          // of *call
	slots      chan struct{}      // of calls at work
	logger     *slog.Logger
	metrics    *instruments
}

// New checks cfg and returns a Bidder. It reads the file of campaigns.
func New(cfg Config, d Deps) (*Bidder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, field.Within("bidding", err)
	}
	b := &Bidder{
		cfg: cfg, d: d, clock: &clock{wall: d.Now, recorded: d.Recorded}, logger: d.Logger.With("stage", "bidder"), metrics: newInstruments(d.Registerer),
		seeded: make(chan struct{}), answers: newAnswers(cfg.MaxRemembered), strategies: newStrategies(d.Scorer.Objectives()),
	}
	b.calls.New, b.slots = func() any { return &call{} }, make(chan struct{}, cfg.MaxInFlight)
	for _, part := range []func() error{b.makeCatalogue, b.makeLedger, b.makePrices, b.makeNotices} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Run follows campaigns, budgets and prices until ctx ends.
func (b *Bidder) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if b.d.RunScorer {
		g.Go(func() error { return b.d.Scorer.Run(ctx) })
	}
	if b.d.RunEvents != nil {
		g.Go(func() error { return b.d.RunEvents(ctx) })
	}
	g.Go(func() error { return b.store.Follower.Run(ctx) })
	g.Go(func() error { return b.seed(ctx) })
	g.Go(func() error { return b.ledger.Run(ctx) })
	g.Go(func() error { return b.learn(ctx) })
	g.Go(func() error { return b.tidy(ctx) })
	return g.Wait()
}

// Ready returns nil when campaigns and budgets are known. The scorer's own readiness is not asked
// for: without weights bids are made by the priors.
func (b *Bidder) Ready(ctx context.Context) error {
	select {
	case <-b.seeded:
	default:
		return errors.New("the campaigns of the file are not on their topic yet")
	}
	return errors.Join(b.store.Follower.Ready(), b.ledger.Ready(ctx))
}

// Register adds bid requests and notices to the public calls, campaigns and the state of bidding to
// those of administrators.
func (b *Bidder) Register(public, admin *http.ServeMux) {
	public.HandleFunc("POST /openrtb2/bid", b.handleBid)
	b.notices.Register(public)
	b.store.Register(admin)
	admin.HandleFunc("GET /v1/bidding", b.handleStatus)
}
