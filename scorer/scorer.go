package scorer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// recordedWait is how long a replay's calls wait for Redis and Kafka; then they are refused, and repeated.
const recordedWait = 10 * time.Second

// Deps are what a Scorer works with.
type Deps struct {
	Client     *stream.Client
	Objectives []event.Objective
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
	metrics   *instruments
}

type instruments struct {
	requests  *prometheus.CounterVec
	degraded  *prometheus.CounterVec
	late      prometheus.Counter
	latency   prometheus.Histogram
	published prometheus.Counter
}

func newInstruments(reg prometheus.Registerer, messages prometheus.Collector) *instruments {
	m := &instruments{
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_requests_total", Help: "Requests by answer: ok, refused, busy, unavailable."}, []string{"answer"}),
		degraded:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_degraded_total", Help: "Calls that were scored without profiles or without weights."}, []string{"without"}),
		late:      prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_scorer_unpublished_total", Help: "Calls that were answered before Kafka had their predictions."}),
		published: prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_scorer_predictions_total", Help: "Predictions that Kafka has acknowledged."}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_scorer_call_seconds", Help: "Time from a call to its answer.",
			Buckets: []float64{.00025, .0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, 1}}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.degraded, m.late, m.latency, m.published, messages)
	}
	return m
}

// New checks cfg and returns a Scorer; Run follows the weights.
func New(cfg Config, d Deps) (*Scorer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	messages := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_scorer_weights_total", Help: "Messages of weights by what became of them: applied, held (behind what is served), deposed (of a former learner), refused, malformed.",
	}, []string{"objective", "result"})
	s := &Scorer{
		cfg: cfg, client: d.Client, set: d.Set, store: d.Store, now: d.Now,
		batcher:  stream.NewBatcher(d.Client, event.TopicPredictions, cfg.MaxWaiting),
		headers:  d.Client.MessageHeaders(event.SchemaPrediction),
		inFlight: make(chan struct{}, cfg.MaxInFlight),
		metrics:  newInstruments(d.Registerer, messages),
	}
	s.recorded.Store(d.Recorded)
	logger := d.Logger.With("stage", "scorer")
	for _, o := range d.Objectives {
		s.followers = append(s.followers, &follower{objective: o.Name, client: d.Client, now: d.Now, logger: logger, messages: messages})
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
	for _, f := range s.followers {
		g.Go(func() error { return f.run(ctx) })
	}
	return g.Wait()
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

// handleScore answers one request (JSON) or several (JSON lines).
func (s *Scorer) handleScore(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	default:
		s.metrics.requests.WithLabelValues("busy").Inc()
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "busy", fmt.Errorf("%d requests are at work: send it again in a moment", s.cfg.MaxInFlight))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		s.metrics.requests.WithLabelValues("refused").Inc()
		refuse(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Errorf("the body has more than %d bytes", s.cfg.MaxBody))
		return
	case err != nil:
		s.metrics.requests.WithLabelValues("refused").Inc()
		refuse(w, http.StatusBadRequest, "bad_request", errors.New("the body could not be read whole"))
		return
	}
	lines := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-ndjson")
	s.answer(r.Context(), w, body, lines)
	s.metrics.latency.Observe(time.Since(began).Seconds())
}

// answer reads, scores, publishes and writes.
func (s *Scorer) answer(ctx context.Context, w http.ResponseWriter, body []byte, lines bool) {
	texts := [][]byte{body}
	if lines {
		texts = slices.DeleteFunc(bytes.Split(body, []byte{'\n'}), func(b []byte) bool { return len(bytes.TrimSpace(b)) == 0 })
	}
	k := works.Get().(*work)
	defer works.Put(k)
	k.reset(len(texts), len(s.followers))
	for i, text := range texts {
		// The request's strings are parts of the body, which lives as long as they do and is not changed.
		k.errs[i] = k.requests[i].parse(unsafe.String(unsafe.SliceData(text), len(text)), &s.cfg)
	}
	if !lines && k.errs[0] != nil {
		s.metrics.requests.WithLabelValues("refused").Inc()
		refuse(w, http.StatusBadRequest, "bad_request", k.errs[0])
		return
	}
	s.score(ctx, k)
	if s.recorded.Load() && slices.Contains(k.degraded, "profiles") {
		s.unavailable(w, "the feature store does not answer")
		return
	}
	published := s.publish(ctx, k)
	if !published && s.recorded.Load() {
		s.unavailable(w, "Kafka does not acknowledge")
		return
	}
	now := s.now()
	for i := range k.requests {
		if k.errs[i] != nil {
			s.metrics.requests.WithLabelValues("refused").Inc()
			k.out = appendError(k.out, "bad_request", k.errs[i])
		} else {
			s.metrics.requests.WithLabelValues("ok").Inc()
			k.out = s.appendAnswer(k.out, k, &k.requests[i], published, now)
		}
		if lines {
			k.out = append(k.out, '\n')
		}
	}
	h := w.Header()
	h.Set("Content-Type", map[bool]string{true: "application/x-ndjson", false: "application/json"}[lines])
	h.Set("Content-Length", strconv.Itoa(len(k.out)))
	_, _ = w.Write(k.out) // a client that is gone cannot be told
}

func (s *Scorer) unavailable(w http.ResponseWriter, what string) {
	s.metrics.requests.WithLabelValues("unavailable").Inc()
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, "unavailable", errors.New(what+": send the same again"))
}

// publish writes the predictions and says whether Kafka has acknowledged them in time. If not they are written when it can be: a bid does not
// wait for that, a replay does.
func (s *Scorer) publish(ctx context.Context, k *work) bool {
	if len(k.records) == 0 {
		return true
	}
	wait := s.cfg.PublishWait
	if s.recorded.Load() {
		wait = recordedWait
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := s.batcher.Write(ctx, k.records); err != nil {
		s.metrics.late.Inc()
		return false
	}
	s.metrics.published.Add(float64(len(k.records)))
	return true
}

func appendError(b []byte, code string, err error) []byte {
	b = append(b, `{"error":{"code":"`...)
	b = append(b, code...)
	b = append(b, `","message":`...)
	b = event.AppendString(b, err.Error())
	var wrong *event.Error
	if errors.As(err, &wrong) && wrong.Field != "" {
		b = append(b, `,"field":`...)
		b = event.AppendString(b, wrong.Field)
	}
	return append(b, "}}"...)
}

func refuse(w http.ResponseWriter, status int, code string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(appendError(nil, code, err)) // a client that is gone cannot be told
}

// handleModel tells which weights of an objective are served; with ?at_least=N it waits, up to ?wait=, until N examples are in them.
func (s *Scorer) handleModel(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	name := query.Get("objective")
	i := slices.IndexFunc(s.followers, func(f *follower) bool { return f.objective == name })
	if i < 0 {
		refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("there is no objective %q: give ?objective=NAME", name))
		return
	}
	least, wait := int64(-1), time.Second
	var err error
	if text := query.Get("at_least"); text != "" {
		if least, err = strconv.ParseInt(text, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, "bad_request", &event.Error{Field: "at_least", Reason: "is not a whole number"})
			return
		}
	}
	if text := query.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > time.Minute {
			refuse(w, http.StatusBadRequest, "bad_request", &event.Error{Field: "wait", Reason: "is not a duration up to 1m, such as 20s"})
			return
		}
	}
	n, at := s.followers[i].await(r.Context(), least, wait)
	b := append([]byte(`{"objective":`), event.AppendString(nil, name)...)
	if n >= 0 {
		b = append(b, `,"model":`...)
		b = event.AppendString(b, event.ModelVersion(name, n))
		b = append(b, `,"age_ms":`...)
		b = strconv.AppendInt(b, max(int64(s.now()-at), 0), 10)
	}
	b = append(b, `,"examples":`...)
	b = strconv.AppendInt(b, n, 10)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '}')) // a client that is gone cannot be told
}

// await returns the served version once it has least examples, or as it is when wait is over.
func (f *follower) await(ctx context.Context, least int64, wait time.Duration) (int64, event.Time) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		changed := f.replicas.changed.Wait()
		n, at := f.replicas.version()
		if n >= least {
			return n, at
		}
		select {
		case <-changed:
		case <-timer.C:
			return n, at
		case <-ctx.Done():
			return n, at
		}
	}
}
