package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/collect"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Clock stamps the receipt of events; see collect.Clock.
type Clock = collect.Clock

// NewClock returns a Clock over now, the wall's clock.
func NewClock(now func() event.Time, recorded bool) *Clock { return collect.NewClock(now, recorded) }

// Deps are the clients and parts that an Ingester uses.
type Deps struct {
	Client     *stream.Client
	Set        *features.Set
	Store      features.Store
	Clock      *Clock
	Access     *access.Gate     // nil: calls need no key and have no rates of their own
	Watermark  watermark.Config // zero: the default
	Tracer     *tracing.Tracer  // nil: no traces
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Ingester is the stage: a collector and a consumer.
type Ingester struct {
	client    *stream.Client
	store     *features.Watched
	clock     *Clock
	collector *collector
	consumer  *consumer
	folded    *sharedPoll
}

// New checks cfg and returns an Ingester; Run runs it.
func New(cfg Config, d Deps) (*Ingester, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var err error
	if d.Watermark, err = d.Watermark.OrDefault(); err != nil {
		return nil, err
	}
	logger := d.Logger.With("stage", "ingest")
	letters := deadletter.New("ingest", d.Client, d.Clock.Now, logger, d.Registerer)
	store := features.Watch(d.Store, d.Clock.Now)
	consumer := newConsumer(cfg.MaxAge, d, store, letters, logger)
	return &Ingester{
		client: d.Client, store: store, clock: d.Clock,
		collector: newCollector(cfg, d, letters, logger),
		consumer:  consumer,
		folded:    newSharedPoll(consumer.Watermark, consumer.Changed),
	}, nil
}

// Register adds the collector's paths to the public calls and /v1/clock to those of administrators.
func (i *Ingester) Register(public, admin *http.ServeMux) {
	i.collector.register(public)
	admin.HandleFunc("GET /v1/clock", i.handleClock)
}

// Run collects events and folds them until ctx ends.
func (i *Ingester) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return i.collector.events.Run(ctx) })
	g.Go(func() error { return i.consumer.Run(ctx) })
	return g.Wait()
}

// Take writes events that another part of this process has made, such as the notices of a bidder,
// as if a request had brought them: they stand before the heartbeats that vouch for them. See
// collect.Collector.Take for its errors; it may be called by many goroutines at once, and waits
// until Run runs.
func (i *Ingester) Take(ctx context.Context, events []event.Event) error {
	return i.collector.take(ctx, events)
}

// Ready returns nil when Kafka answers, labels wait for the events of this collector, profiles are
// folded here or elsewhere, and no fold waits for a faulty store.
func (i *Ingester) Ready(ctx context.Context) error {
	if err := i.client.Ping(ctx); err != nil {
		return err
	}
	if err := i.collector.events.Standing(); err != nil {
		return err
	}
	if err := i.store.Fault(); err != nil {
		return err
	}
	if _, folds := i.consumer.Own(1); folds {
		return nil
	}
	_, err := i.consumer.Watermark(ctx)
	return err
}

// handleClock answers the mode of the clock, the time to which profiles are folded, and the
// collectors whose clocks were wrong lately. With ?folded=T it waits, up to ?wait=, until profiles
// are folded to T.
func (i *Ingester) handleClock(w http.ResponseWriter, r *http.Request) {
	want, wait, err := clockQuery(r)
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	t, err := i.folded.await(ctx, want)
	if err != nil && r.Context().Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", err)
		return
	}
	o := strictjson.NewObject(nil)
	o.Text("mode", i.clock.Mode())
	o.Text("now", i.clock.Now().String())
	o.Text("folded", t.String())
	if faulty := i.consumer.beats.Faulty(); len(faulty) > 0 {
		o.Key("faulty")
		for n, collector := range faulty {
			o.Buf = strictjson.AppendString(append(o.Buf, "[,"[min(n, 1)]), collector)
		}
		o.Buf = append(o.Buf, ']')
	}
	web.WriteJSON(w, http.StatusOK, o.End())
}

// clockQuery reads ?folded= and ?wait=.
func clockQuery(r *http.Request) (want event.Time, wait time.Duration, err error) {
	query, err := inbound.Query(r, "folded", "wait")
	if err != nil {
		return 0, 0, err
	}
	if text := query.Get("folded"); text != "" {
		if want, err = event.ParseTime(text); err != nil {
			return 0, 0, &event.Error{Field: "folded", Reason: "is not RFC 3339, such as 2026-11-25T09:00:00.123Z"}
		}
	}
	wait, err = waitParam(query.Get("wait"))
	return want, wait, err
}

// waitParam reads ?wait=, at most a minute.
func waitParam(text string) (time.Duration, error) {
	if text == "" {
		return time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > time.Minute {
		return 0, &event.Error{Field: "wait", Reason: "is not a duration up to 1m, such as 20s"}
	}
	return d, nil
}
