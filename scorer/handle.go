package scorer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Answers, as counted.
const (
	answerOK          = "ok"
	answerRefused     = "refused"
	answerBusy        = "busy"
	answerUnavailable = "unavailable"
)

// handleScore answers one request (JSON) or several (JSON lines).
func (s *Scorer) handleScore(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	default:
		s.count(answerBusy, 1)
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "busy", fmt.Errorf("%d requests are at work: send it again in a moment", s.cfg.MaxInFlight))
		return
	}
	body, status, err := s.read(w, r)
	if err != nil {
		s.count(answerRefused, 1)
		refuse(w, status, map[int]string{http.StatusRequestEntityTooLarge: "too_large"}[status], err)
		return
	}
	s.answer(r.Context(), w, body, strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-ndjson"))
	s.metrics.latency.Observe(time.Since(began).Seconds())
}

// read takes the whole body, or says with which status it is refused.
func (s *Scorer) read(w http.ResponseWriter, r *http.Request) ([]byte, int, error) {
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= int64(s.cfg.MaxBody) {
		b.Grow(int(n) + bytes.MinRead)
	}
	_, err := io.Copy(&b, http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d bytes", s.cfg.MaxBody)
	case err != nil:
		return nil, http.StatusBadRequest, errors.New("the body could not be read whole")
	}
	return b.Bytes(), 0, nil
}

// parse reads a call's requests into k. Their strings are parts of the body, which lives as long as they do and is not changed.
func (s *Scorer) parse(k *work, body []byte, lines bool) {
	text := unsafe.String(unsafe.SliceData(body), len(body))
	if !lines {
		k.add(text, &s.cfg)
		return
	}
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			k.add(line, &s.cfg)
		}
	}
}

// answer reads, scores, publishes and writes.
func (s *Scorer) answer(ctx context.Context, w http.ResponseWriter, body []byte, lines bool) {
	k := s.takeWork()
	defer s.works.Put(k)
	s.parse(k, body, lines)
	if !lines && k.requests[0].err != nil {
		s.count(answerRefused, 1)
		refuse(w, http.StatusBadRequest, "", k.requests[0].err)
		return
	}
	s.score(ctx, k)
	recorded := s.recorded.Load()
	if recorded && k.withoutProfiles {
		s.unavailable(w, "the feature store does not answer")
		return
	}
	published := s.publish(ctx, k)
	if recorded && !published {
		s.unavailable(w, "Kafka does not acknowledge")
		return
	}
	ok := 0
	for i := range k.requests {
		if q := &k.requests[i]; q.err != nil {
			k.out = appendError(k.out, errorCode(q.err), q.err)
		} else {
			ok++
			k.out = s.appendAnswer(k.out, k, q, published)
		}
		if lines {
			k.out = append(k.out, '\n')
		}
	}
	s.count(answerOK, ok)
	s.count(answerRefused, len(k.requests)-ok)
	if err := k.requests[0].err; !lines && err != nil { // it was found wanting when it was scored, or published
		refuse(w, errorStatus(err), errorCode(err), err)
		return
	}
	contentType := "application/json"
	if lines {
		contentType = "application/x-ndjson"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(k.out)))
	_, _ = w.Write(k.out) // a client that is gone cannot be told
}

func (s *Scorer) count(answer string, n int) {
	if n > 0 {
		s.metrics.requests.WithLabelValues(answer).Add(float64(n))
	}
}

func (s *Scorer) unavailable(w http.ResponseWriter, what string) {
	s.count(answerUnavailable, 1)
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, "unavailable", errors.New(what+": send the same again"))
}

// publish writes the predictions and says whether Kafka has acknowledged them in time. If not they are written when it can be: a bid does not
// wait for that, a replay does. What finds no room to wait is lost, and counted.
func (s *Scorer) publish(ctx context.Context, k *work) bool {
	if len(k.records) == 0 {
		return true
	}
	wait := s.cfg.PublishWait
	if s.recorded.Load() {
		wait = s.patience
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := s.batcher.Write(ctx, k.records)
	result, n := "acknowledged", len(k.records)
	var large *stream.TooLargeError
	switch {
	case errors.As(err, &large):
		n -= k.refuse(large) // they are counted by unwritten
		err = nil
	case errors.Is(err, stream.ErrFull), errors.Is(err, stream.ErrEnded):
		result = "lost"
	case err != nil:
		result = "late"
	}
	s.metrics.predictions.WithLabelValues(result).Add(float64(n))
	return err == nil
}

// refuse writes an error object; code may be empty for a bad request.
func refuse(w http.ResponseWriter, status int, code string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(appendError(nil, code, err)) // a client that is gone cannot be told
}

func appendError(b []byte, code string, err error) []byte {
	if code == "" {
		code = "bad_request"
	}
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
