package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Deps are what an Ingester works with.
type Deps struct {
	Client     *stream.Client
	Set        *features.Set
	Store      features.Store
	Clock      *Clock
	Watermark  watermark.Config // zero: the default
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Ingester is the stage: collector and consumer.
type Ingester struct {
	client    *stream.Client
	store     *features.Watched
	clock     *Clock
	collector *collector
	consumer  *consumer
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
	collected := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_ingest_collected_total", Help: "Events that came over HTTP, by verdict; refused, limited and unavailable count requests.",
	}, []string{"verdict"})
	unknown := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clickloop_ingest_unknown_fields_total", Help: "Fields of events over HTTP that nobody knows; the answer warns of them by name.",
	})
	unreadable := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clickloop_ingest_unreadable_fields_total", Help: "Fields in Segment's form, such as revenue, whose values cannot be used; the answer warns of them by name.",
	})
	replaced := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clickloop_ingest_replaced_characters_total", Help: "Halves of characters (lone surrogates) in events over HTTP that became U+FFFD.",
	})
	if d.Registerer != nil {
		d.Registerer.MustRegister(collected, unknown, unreadable, replaced)
	}
	store := features.Watch(d.Store, d.Clock.Now)
	return &Ingester{
		client: d.Client, store: store, clock: d.Clock,
		collector: &collector{
			cfg: cfg, name: collectorName(), client: d.Client, clock: d.Clock, logger: logger, letters: letters, verdicts: collected,
			unknown: unknown, unreadable: unreadable, replaced: replaced,
			standing: standing{lease: d.Watermark.Lease},
			batcher:  stream.NewBatcher(d.Client, event.TopicEvents, cfg.MaxWaiting),
			limiter:  rate.NewLimiter(rate.Limit(cfg.Rate), max(int(cfg.Rate), cfg.MaxEvents)),
			budget:   semaphore.NewWeighted(int64(cfg.MaxWaiting)),
			headers:  d.Client.MessageHeaders(event.SchemaEvent),
		},
		consumer: newConsumer(d, store, letters, logger),
	}, nil
}

// Register adds the collector's paths and /v1/clock.
func (i *Ingester) Register(mux *http.ServeMux) {
	i.collector.register(mux)
	mux.HandleFunc("GET /v1/clock", i.handleClock)
}

// Run takes events and folds them until ctx ends.
func (i *Ingester) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return i.collector.run(ctx) })
	g.Go(func() error { return i.consumer.Run(ctx) })
	return g.Wait()
}

// Ready returns nil when Kafka answers, labels wait for this collector's events, profiles are being
// folded, here or elsewhere, and no fold stands still for a fault of the store.
func (i *Ingester) Ready(ctx context.Context) error {
	if err := i.client.Ping(ctx); err != nil {
		return err
	}
	if err := i.collector.standing.check(i.clock.Now(), i.clock.Recorded()); err != nil {
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

// handleClock tells the clock's mode, how far profiles are folded, and which collectors had a wrong
// clock lately; with ?folded=T it waits, up to ?wait=, until that is T.
func (i *Ingester) handleClock(w http.ResponseWriter, r *http.Request) {
	query, err := inbound.Query(r, "folded", "wait")
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	var want event.Time
	if text := query.Get("folded"); text != "" {
		if want, err = event.ParseTime(text); err != nil {
			web.Refuse(w, http.StatusBadRequest, "bad_request", &event.Error{Field: "folded", Reason: "is not RFC 3339, such as 2026-11-25T09:00:00.123Z"})
			return
		}
	}
	wait, err := waitParam(query.Get("wait"))
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	t, err := i.awaitFolded(ctx, want)
	if err != nil && r.Context().Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", err)
		return
	}
	o := strictjson.NewObject(nil)
	o.Text("mode", i.clock.mode())
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

// awaitFolded returns the watermark once it is at least want, or as it is when ctx ends.
func (i *Ingester) awaitFolded(ctx context.Context, want event.Time) (event.Time, error) {
	for {
		changed := i.consumer.Changed()
		t, err := i.consumer.Watermark(ctx)
		if err != nil || t >= want {
			return t, err
		}
		// other processes may fold partitions, which changes nothing here
		if notify.Await(ctx, changed, 50*time.Millisecond) != nil {
			return t, nil
		}
	}
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
