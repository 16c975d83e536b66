package scorer

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/catalogue"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// Scorer is the stage: an Engine behind HTTP.
type Scorer struct {
	*Engine
	gate      *access.Gate
	slots     *slots
	admission *admission
	exchanges sync.Pool // of *exchange
	outputs   sync.Pool // of *output
}

// New checks cfg and returns a Scorer. gate lets calls in; nil: all of them.
func New(cfg Config, d Deps, gate *access.Gate) (*Scorer, error) {
	e, err := NewEngine(cfg, d)
	if err != nil {
		return nil, err
	}
	s := &Scorer{Engine: e, gate: gate, slots: newSlots(&cfg), admission: newAdmission(&cfg)}
	s.exchanges.New = func() any { return &exchange{} }
	s.outputs.New = func() any { return &output{} }
	return s, nil
}

// Run is Engine.Run, and adjusts how many calls are let in.
func (s *Scorer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Engine.Run(ctx) })
	g.Go(func() error { return s.admission.run(ctx, s.metrics) })
	return g.Wait()
}

// Admits says whether one more call of any kind is let in now: see Config.MaxQueueTime. It must be
// asked before any work.
func (s *Scorer) Admits() bool { return s.recorded.Load() || s.admission.admits() }

// Register adds /v1/score to the public calls, /v1/model and /v1/items to those of administrators.
func (s *Scorer) Register(public, admin *http.ServeMux) {
	public.HandleFunc("POST /v1/score", s.handleScore)
	admin.HandleFunc("GET /v1/model", s.handleModel)
	s.registerItems(admin)
}

// handleScore answers one request (JSON) or several (JSON lines). It holds slots while it works,
// not while the client sends or reads.
func (s *Scorer) handleScore(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	// a replay is not limited: its driver waits for every answer
	if !s.Admits() { // before any work: refusing must be cheap
		s.refuse(w, errBusy)
		return
	}
	visit, err := s.enter(r)
	defer visit.End()
	if err != nil {
		s.refuse(w, err)
		return
	}
	body, err := inbound.Receive(r, s.cfg.MaxBody)
	if err != nil {
		s.refuse(w, err)
		return
	}
	out, err := s.work(r, visit, body, began)
	if err != nil {
		s.refuse(w, err)
		return
	}
	if out.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	web.Write(w, out.status, out.contentType, out.text)
	if cap(out.text) <= keptOutput {
		s.outputs.Put(out)
	}
}

// enter lets a call in before its body is read, and counts it as one line. A replay is not limited:
// its driver waits for every answer.
func (s *Scorer) enter(r *http.Request) (*access.Visit, error) {
	visit, err := s.gate.Enter(r, access.Score, !s.recorded.Load())
	if err == nil {
		err = visit.Known()
	}
	return visit, err
}

// retryAfter is how many seconds a client waits that got a 503.
const retryAfter = "1"

// output is an answer. Outputs are pooled up to a size, apart from exchanges: a client that does
// not read holds its answer and nothing else.
type output struct {
	status      int
	contentType string
	text        []byte
}

const (
	keptOutput = 256 << 10 // bytes of an answer whose memory is used again
	keptBody   = 128 << 10 // bytes of a body whose exchange is
	keptSlots  = 8         // and what it may have been worth
)

// work answers a body.
func (s *Scorer) work(r *http.Request, visit *access.Visit, raw []byte, began time.Time) (*output, error) {
	if !s.slots.take(1) {
		return nil, errBusy
	}
	held := 1
	defer func() { s.slots.release(held) }()
	body, err := inbound.Text(raw, r.Header, s.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	ndjson := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-ndjson")
	if ndjson {
		if held, err = s.slots.grow(held, s.slots.worth(body)); err != nil {
			return nil, err
		}
	}
	x := s.exchanges.Get().(*exchange)
	out := s.outputs.Get().(*output)
	x.out = out.text
	wide := 0
	if err = x.parse(body, ndjson, &s.cfg); err == nil {
		wide = x.call.mostFields() / slotFields
		held, err = s.slots.grow(held, 1+wide)
	}
	if err == nil {
		err = visit.Take(len(x.lines) - 1)
	}
	if err == nil {
		x.call.Began = began
		err = s.answer(r.Context(), x, out)
		s.metrics.latency.Observe(time.Since(began).Seconds())
	}
	out.text, x.out = x.out, nil
	x.call.Reset()
	if len(body) <= keptBody && held <= keptSlots && wide == 0 {
		s.exchanges.Put(x)
	}
	return out, err
}

// answer has the engine answer the requests of x, and renders the answers.
func (s *Scorer) answer(ctx context.Context, x *exchange, out *output) error {
	s.metrics.unknown.Add(float64(x.unknown))
	x.warnShown(s.profiles.set.Shown())
	if err := s.Answer(ctx, &x.call); err != nil {
		return &retryLater{err}
	}
	x.out = x.out[:0]
	for i := range x.lines {
		if x.lines[i].err != nil {
			s.metrics.countAnswer("refused")
		}
		x.out = s.appendLine(x.out, x, &x.lines[i])
	}
	out.status, out.contentType = http.StatusOK, "application/json"
	if x.ndjson {
		out.contentType = "application/x-ndjson"
	} else if err := x.lines[0].err; err != nil {
		out.status, _ = statusOf(err)
	}
	return nil
}

// retryLater is an error of a dependency: the same call may succeed later.
type retryLater struct{ err error }

func (u *retryLater) Error() string { return u.err.Error() + ": send the same again" }

// refuse answers a call as a whole with an error.
func (s *Scorer) refuse(w http.ResponseWriter, err error) {
	status, code := statusOf(err)
	no := (*access.Refused)(nil)
	switch {
	case errors.As(err, &no):
		no.SetHeader(w.Header())
		status, code, err = no.Status, no.Code, no
		s.metrics.countAnswer("refused")
	case code == "busy":
		err = errBusy
		s.metrics.countAnswer("busy")
	case status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
		s.metrics.countAnswer("unavailable")
	default:
		s.metrics.countAnswer("refused")
	}
	if status == http.StatusUnsupportedMediaType {
		w.Header().Set("Accept-Encoding", inbound.Encodings)
	}
	web.Refuse(w, status, code, err)
}

// statusOf is the status and the code with which an error is answered, no code for the usual one.
func statusOf(err error) (status int, code string) {
	switch {
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, "busy"
	case err == errQueueFull:
		return http.StatusServiceUnavailable, "queue_full"
	case err == errSpool:
		return http.StatusServiceUnavailable, "spool_unwritable"
	case errors.As(err, new(*retryLater)), errors.As(err, new(unavailable)):
		return http.StatusServiceUnavailable, "unavailable"
	case errors.As(err, new(*inbound.TooLarge)), errors.As(err, new(*stream.TooLargeError)), errors.As(err, new(*tooManyParts)), errors.As(err, new(*catalogue.Full)):
		return http.StatusRequestEntityTooLarge, "too_large"
	case errors.As(err, new(*inbound.Unsupported)):
		return http.StatusUnsupportedMediaType, "unsupported"
	case errors.Is(err, errConflict):
		return http.StatusConflict, "conflict"
	}
	return http.StatusBadRequest, ""
}
