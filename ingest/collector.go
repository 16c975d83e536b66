package ingest

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/collect"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// collector accepts events over HTTP and answers once Kafka has acknowledged them. Many small
// requests share writes.
type collector struct {
	cfg     Config
	events  *collect.Collector // writes them
	clock   *Clock
	letters *deadletter.Writer
	access  *access.Gate
	origins origins
	limiter *rate.Limiter       // of all clients together
	budget  *semaphore.Weighted // bytes of bodies at work
	metrics metrics
}

func newCollector(cfg Config, d Deps, letters *deadletter.Writer, logger *slog.Logger) *collector {
	return &collector{
		cfg: cfg, clock: d.Clock, letters: letters, access: d.Access,
		events: collect.New(collect.Config{
			Client: d.Client, Clock: d.Clock, MaxWaiting: cfg.MaxWaiting, Heartbeat: cfg.Heartbeat, Lease: d.Watermark.Lease, Logger: logger,
		}),
		origins: newOrigins(cfg.CORSOrigins, logger, d.Registerer),
		limiter: rate.NewLimiter(rate.Limit(cfg.Rate), max(int(cfg.Rate), cfg.MaxEvents)),
		budget:  semaphore.NewWeighted(int64(cfg.MaxWaiting)),
		metrics: newMetrics(d.Registerer),
	}
}

func (c *collector) register(mux *http.ServeMux) {
	for _, d := range dialects {
		for _, path := range d.paths {
			mux.HandleFunc(d.method+" "+path, func(w http.ResponseWriter, r *http.Request) { c.handle(d, w, r) })
			if d.preflight {
				mux.HandleFunc("OPTIONS "+path, c.origins.handlePreflight)
			}
		}
	}
	mux.HandleFunc("GET /v1/projects/{key}/settings", c.handleSettings)
}

// handle accepts what a request of a dialect brings, and answers it.
func (c *collector) handle(d *dialect, w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	defer func() { c.metrics.latency.Observe(time.Since(began).Seconds()) }()
	c.origins.allow(w, r)
	in, err := c.collect(d, r)
	if err != nil {
		c.refuse(w, err)
		return
	}
	// Warnings count once their sender is answered: after a 503 it sends the same again.
	c.metrics.warned(&in.warnings)
	if in.refused() {
		refuseAll(w, in)
		return
	}
	d.encode(w, in)
}

// collect reads, decodes and accepts a request.
func (c *collector) collect(d *dialect, r *http.Request) (*intake, error) {
	clock, err := c.checkQuery(d, r)
	if err != nil {
		return nil, err
	}
	visit, err := c.enter(d, r)
	defer visit.End()
	if err != nil {
		return nil, err
	}
	body, err := c.readBody(r)
	defer body.release()
	if err != nil {
		return nil, err
	}
	events, err := d.decode(&request{Request: r, cfg: &c.cfg, body: body, clock: clock})
	if err == nil {
		err = c.admit(visit, &events)
	}
	if err != nil {
		return nil, err
	}
	return c.accept(r.Context(), &events, clock)
}

// checkQuery refuses parameters that the dialect does not have. It returns the parameter clock,
// which moves the watermark and is therefore only allowed when times are recorded ones.
func (c *collector) checkQuery(d *dialect, r *http.Request) (event.Time, error) {
	if d.parameters == nil {
		return 0, nil
	}
	query, err := inbound.Query(r, d.parameters...)
	text := query.Get("clock")
	if err != nil || text == "" {
		return 0, err
	}
	if !c.clock.Recorded() {
		return 0, &event.Error{Field: "clock", Reason: "is given, but times are the wall's: start with `clock: recorded` to play recorded data"}
	}
	t, err := event.ParseTime(text)
	if err != nil || t <= 0 {
		return 0, &event.Error{Field: "clock", Reason: "is not RFC 3339, such as 2026-11-25T09:00:00.123Z"}
	}
	return t, nil
}

// enter lets a request in before its body is read, and counts it as one event. A replay is not
// limited: its driver waits for every answer.
func (c *collector) enter(d *dialect, r *http.Request) (*access.Visit, error) {
	visit, err := c.access.Enter(r, access.Events, !c.clock.Recorded())
	if err == nil {
		err = visit.Present(queryKey(r))
	}
	if err == nil && !d.keyed {
		err = visit.Known()
	}
	if err == nil {
		err = c.takeOfAll(visit, 1)
	}
	return visit, err
}

// admit lets the events of a request in, once its body has told their number and perhaps the key.
func (c *collector) admit(visit *access.Visit, events *delivery) error {
	if err := visit.Present(events.key); err != nil {
		return err
	}
	if err := visit.Known(); err != nil {
		return err
	}
	more := events.count - 1
	if err := visit.Take(more); err != nil {
		return err
	}
	return c.takeOfAll(visit, more)
}

// takeOfAll takes n events from the rate of all clients, or returns them to those of the visit,
// which has taken them.
func (c *collector) takeOfAll(visit *access.Visit, n int) error {
	if n > 0 && !c.clock.Recorded() && !c.limiter.AllowN(time.Now(), min(n, c.limiter.Burst())) {
		visit.GiveBack(n)
		return errRate(c.cfg.Rate)
	}
	return nil
}

// queryKey is the key in the query of a request: a beacon has no header, and Segment's name for it
// is writeKey.
func queryKey(r *http.Request) string {
	if !strings.Contains(r.URL.RawQuery, writeKey) {
		return ""
	}
	return r.URL.Query().Get(writeKey)
}

// writeKey is the name of a key in a query, and in a body in Segment's form.
const writeKey = "writeKey"

// handleSettings answers what Segment's browser library asks for at start, so that it needs no
// other server than this one.
func (c *collector) handleSettings(w http.ResponseWriter, r *http.Request) {
	c.origins.allow(w, r)
	b := append([]byte(`{"integrations":{"Segment.io":{"apiKey":`), strictjson.AppendString(nil, r.PathValue("key"))...)
	web.WriteJSON(w, http.StatusOK, append(b, "}}}"...))
}
