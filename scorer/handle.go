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

	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// Answers, as counted.
const (
	answerOK          = "ok"
	answerRepeated    = "repeated"
	answerChanged     = "changed"
	answerConflict    = "conflict"
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
		web.Refuse(w, http.StatusTooManyRequests, "busy", fmt.Errorf("%d requests are at work: send it again in a moment", s.cfg.MaxInFlight))
		return
	}
	body, status, err := s.read(w, r)
	if err != nil {
		s.count(answerRefused, 1)
		if status == http.StatusUnsupportedMediaType {
			w.Header().Set("Accept-Encoding", inbound.Encodings)
		}
		web.Refuse(w, status, map[int]string{http.StatusRequestEntityTooLarge: "too_large", http.StatusUnsupportedMediaType: "unsupported"}[status], err)
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
	return s.unpack(b.Bytes(), r.Header)
}

// unpack is inbound.Unpack within the bound of a body, with the status of an error.
func (s *Scorer) unpack(raw []byte, h http.Header) ([]byte, int, error) {
	body, err := inbound.Unpack(raw, h, func(from io.Reader) ([]byte, error) {
		text, err := io.ReadAll(io.LimitReader(from, int64(s.cfg.MaxBody)+1))
		if err == nil && len(text) > s.cfg.MaxBody {
			err = errTooLarge
		}
		return text, err
	})
	var unsupported *inbound.Unsupported
	switch {
	case errors.Is(err, errTooLarge):
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d bytes when it is unpacked", s.cfg.MaxBody)
	case errors.As(err, &unsupported):
		return nil, http.StatusUnsupportedMediaType, err
	case err != nil:
		return nil, http.StatusBadRequest, err
	}
	return body, 0, nil
}

var errTooLarge = errors.New("the body is too large")

// parse reads a call's requests into k. Their strings are parts of the body, which lives as long as
// they do and is not changed.
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
	defer s.giveBack(k)
	s.parse(k, body, lines)
	s.countUnknown(k)
	if s.recorded.Load() {
		if what := s.replay(ctx, k); what != "" {
			s.unavailable(w, what)
			return
		}
	} else {
		s.bid(ctx, k)
	}
	s.countAnswers(k)
	if !lines && k.requests[0].err != nil {
		refuseRequest(w, &k.requests[0])
		return
	}
	for i := range k.requests {
		if q := &k.requests[i]; q.err != nil {
			k.out = appendRefusal(k.out, q)
		} else {
			k.out = appendAnswer(k.out, k, q)
		}
		if lines {
			k.out = append(k.out, '\n')
		}
	}
	contentType := "application/json"
	if lines {
		contentType = "application/x-ndjson"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(k.out)))
	_, _ = w.Write(k.out) // a client that is gone cannot be told
}

// bid answers the requests of a call, each id once: what was answered before is answered the same.
func (s *Scorer) bid(ctx context.Context, k *work) {
	k.identify()
	for i := range k.requests {
		if q := &k.requests[i]; q.err == nil {
			q.hash, q.content, q.facts = s.memory.hash(q.id), q.fingerprint(), factsOf(q)
		}
	}
	defer s.memory.finish(k) // also when something panics: others may wait
	for again := true; again; again = k.awaitBusy(ctx) {
		s.memory.claim(k)
		if k.anyOpen() {
			s.score(ctx, k)
			fate, late := s.publish(ctx, k)
			s.render(k, fate, late)
			s.memory.finish(k)
		}
		s.awaitLate(ctx, k)
	}
	for i := range k.requests {
		if q := &k.requests[i]; q.err == nil && q.progress == twin {
			q.err = k.requests[q.twin].err
		}
	}
}

func (w *work) anyOpen() bool {
	for i := range w.requests {
		if w.requests[i].open() {
			return true
		}
	}
	return false
}

// awaitLate waits, as long as an answer may, for the predictions of answers that were given before
// and were late then.
func (s *Scorer) awaitLate(ctx context.Context, k *work) {
	for i := range k.requests {
		q := &k.requests[i]
		if q.err != nil || q.progress != known || q.late == nil {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, s.cfg.PublishWait)
		q.fate = predictionsLate
		if q.late.acknowledged(bounded) {
			q.fate = predictionsAcknowledged
			s.memory.settled(q)
		}
		cancel()
		q.late = nil
	}
}

// replay answers the requests of a recording. It says what is missing when that was in vain: then
// the same call comes again.
func (s *Scorer) replay(ctx context.Context, k *work) (missing string) {
	if !k.anyOpen() {
		return ""
	}
	s.score(ctx, k)
	if k.withoutProfiles {
		return "the feature store does not answer"
	}
	fate, _ := s.publish(ctx, k)
	if fate != predictionsAcknowledged {
		return "Kafka does not acknowledge"
	}
	s.render(k, fate, nil)
	return ""
}

// render makes the answers of what was scored.
func (s *Scorer) render(k *work, fate fate, late *delivery) {
	for i := range k.requests {
		if q := &k.requests[i]; q.open() {
			q.from = len(k.cores)
			k.cores = s.appendCore(k.cores, k, q)
			q.to, q.progress, q.fate, q.late = len(k.cores), finished, fate, late
		}
	}
}

func (s *Scorer) count(answer string, n int) {
	if n > 0 {
		s.metrics.requests.WithLabelValues(answer).Add(float64(n))
	}
}

func (s *Scorer) unavailable(w http.ResponseWriter, what string) {
	s.count(answerUnavailable, 1)
	w.Header().Set("Retry-After", "1")
	web.Refuse(w, http.StatusServiceUnavailable, "unavailable", errors.New(what+": send the same again"))
}

// fate is what became of a call's predictions by the time of its answer.
type fate uint8

const (
	predictionsAcknowledged fate = iota
	predictionsLate              // they are written when Kafka takes them
	predictionsLost
)

// publish writes the predictions and says whether Kafka has acknowledged them in time. If not they
// are written when it can be: a bid does not wait for that, a replay does. What finds no room to
// wait is lost, and counted.
func (s *Scorer) publish(ctx context.Context, k *work) (fate, *delivery) {
	if len(k.records) == 0 {
		return predictionsAcknowledged, nil
	}
	wait := s.cfg.PublishWait
	if s.recorded.Load() {
		wait = s.patience
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	done, err := s.batcher.Enqueue(k.records)
	if err == nil {
		select {
		case err = <-done:
		case <-ctx.Done():
			s.countPredictions("late", len(k.records))
			return predictionsLate, newDelivery(done)
		}
	}
	refused := 0
	var large *stream.TooLargeError
	switch {
	case errors.As(err, &large):
		refused = k.refuse(large) // they are counted by unwritten, and all others were written
	case err != nil:
		s.countPredictions("lost", len(k.records))
		return predictionsLost, nil
	}
	s.countPredictions("acknowledged", len(k.records)-refused)
	return predictionsAcknowledged, nil
}

func (s *Scorer) countPredictions(result string, n int) {
	s.metrics.predictions.WithLabelValues(result).Add(float64(n))
}

// countUnknown counts the fields that nobody knows.
func (s *Scorer) countUnknown(k *work) {
	n := 0
	for i := range k.requests {
		n += k.requests[i].unknownFields
	}
	if n > 0 {
		s.metrics.unknown.Add(float64(n))
	}
}

// countAnswers counts a call's requests by how they were answered.
func (s *Scorer) countAnswers(k *work) {
	ok, repeated, changed, conflict, refused := 0, 0, 0, 0, 0
	for i := range k.requests {
		switch q := &k.requests[i]; {
		case q.err == errConflict:
			conflict++
		case q.err != nil:
			refused++
		case q.changed:
			changed++
		case q.progress == known || q.progress == twin:
			repeated++
		default:
			ok++
		}
	}
	s.count(answerOK, ok)
	s.count(answerRepeated, repeated)
	s.count(answerChanged, changed)
	s.count(answerConflict, conflict)
	s.count(answerRefused, refused)
}

// refuseRequest writes why a request is refused.
func refuseRequest(w http.ResponseWriter, q *request) {
	status := errorStatus(q.err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(appendRefusal(nil, q)) // a client that is gone cannot be told
}

// appendRefusal appends the error object of a request, with what is to be warned of: the field that
// is missing may be there under a wrong name.
func appendRefusal(b []byte, q *request) []byte {
	b = web.AppendError(append(b, '{'), errorCode(q.err), q.err)
	return append(appendWarnings(b, q), '}')
}
