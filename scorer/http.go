package scorer

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// Scorer is the stage: an Engine behind HTTP.
type Scorer struct {
	*Engine
	inFlight  chan struct{} // has room for the calls that may be at work
	exchanges sync.Pool     // of *exchange
}

// New checks cfg and returns a Scorer.
func New(cfg Config, d Deps) (*Scorer, error) {
	e, err := NewEngine(cfg, d)
	if err != nil {
		return nil, err
	}
	s := &Scorer{Engine: e, inFlight: make(chan struct{}, cfg.MaxInFlight)}
	s.exchanges.New = func() any { return &exchange{} }
	return s, nil
}

// Register adds /v1/score and /v1/model.
func (s *Scorer) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/score", s.handleScore)
	mux.HandleFunc("GET /v1/model", s.handleModel)
}

// handleScore answers one request (JSON) or several (JSON lines).
func (s *Scorer) handleScore(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	default:
		s.metrics.countAnswer("busy")
		w.Header().Set("Retry-After", "1")
		web.Refuse(w, http.StatusTooManyRequests, "busy", fmt.Errorf("%d requests are at work: send it again in a moment", s.cfg.MaxInFlight))
		return
	}
	body, err := inbound.Read(r, s.cfg.MaxBody, func(int) error { return nil })
	if err != nil {
		s.metrics.countAnswer("refused")
		status, code := statusOf(err)
		if status == http.StatusUnsupportedMediaType {
			w.Header().Set("Accept-Encoding", inbound.Encodings)
		}
		web.Refuse(w, status, code, err)
		return
	}
	x := s.exchanges.Get().(*exchange)
	x.parse(body, strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-ndjson"), &s.cfg)
	s.answer(w, r, x)
	x.call.Reset()
	s.exchanges.Put(x)
	s.metrics.latency.Observe(time.Since(began).Seconds())
}

// answer has the engine answer the requests of x, and writes the answers.
func (s *Scorer) answer(w http.ResponseWriter, r *http.Request, x *exchange) {
	s.metrics.unknown.Add(float64(x.unknown))
	if err := s.Answer(r.Context(), &x.call); err != nil {
		s.metrics.countAnswer("unavailable")
		w.Header().Set("Retry-After", "1")
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", fmt.Errorf("%w: send the same again", err))
		return
	}
	x.out = x.out[:0]
	for i := range x.lines {
		if x.lines[i].err != nil {
			s.metrics.countAnswer("refused")
		}
		x.out = s.appendLine(x.out, x, &x.lines[i])
	}
	if x.ndjson {
		web.Write(w, http.StatusOK, "application/x-ndjson", x.out)
		return
	}
	status := http.StatusOK
	if err := x.lines[0].err; err != nil {
		status, _ = statusOf(err)
	}
	web.WriteJSON(w, status, x.out)
}

// statusOf is the status and the code with which an error is answered, no code for the usual one.
func statusOf(err error) (status int, code string) {
	switch {
	case errors.As(err, new(*inbound.TooLarge)), errors.As(err, new(*stream.TooLargeError)):
		return http.StatusRequestEntityTooLarge, "too_large"
	case errors.As(err, new(*inbound.Unsupported)):
		return http.StatusUnsupportedMediaType, "unsupported"
	case errors.Is(err, errConflict):
		return http.StatusConflict, "conflict"
	}
	return http.StatusBadRequest, ""
}
