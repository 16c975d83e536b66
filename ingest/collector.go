package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// collector takes events over HTTP.
type collector struct {
	cfg     Config
	client  *stream.Client
	clock   *Clock
	batcher *stream.Batcher
	letters *deadletter.Writer
	limiter *rate.Limiter
	headers []stream.Header

	events *prometheus.CounterVec // by verdict
}

// tooLarge, tooMany and away are answers that concern a whole request.
var (
	errTooLarge = errors.New("the body is too large")
	errAway     = errors.New("no acknowledgement from Kafka")
)

func (c *collector) register(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/events", c.handleEvents)
	for _, kind := range []string{"track", "page", "identify", "screen", "group", "alias", "batch"} {
		mux.HandleFunc("POST /v1/"+kind, func(w http.ResponseWriter, r *http.Request) { c.handleSegment(w, r, kind) })
	}
	for _, path := range []string{"events", "track", "page", "identify", "screen", "group", "alias", "batch"} {
		mux.HandleFunc("OPTIONS /v1/"+path, c.handlePreflight)
	}
}

// body reads a request's body, unpacking gzip whether or not it is declared.
func (c *collector) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := int64(c.cfg.MaxBody)
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, errTooLarge
		}
		return nil, &event.Error{Reason: "could not be read whole: " + err.Error()}
	}
	if len(b) < 2 || b[0] != 0x1f || b[1] != 0x8b {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, &event.Error{Reason: "is not gzip: " + err.Error()}
	}
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, &event.Error{Reason: "is not gzip: " + err.Error()}
	case int64(len(plain)) > limit:
		return nil, errTooLarge
	}
	return plain, nil
}

// split cuts a body into events: an array, one object, or JSON lines.
func (c *collector) split(body []byte) ([][]byte, error) {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nil, &event.Error{Reason: "is empty, want an event, an array of events, or one event a line"}
	case body[0] == '[':
		return event.SplitArray(body, c.cfg.MaxEvents)
	case body[0] != '{':
		return nil, &event.Error{Reason: "is no JSON object or array"}
	}
	var r event.Reader
	r.Reset(string(body), event.Limits{Bytes: c.cfg.MaxBody, Depth: 1})
	r.Skip()
	if whole := r.End(); whole == nil || bytes.IndexByte(body, '\n') < 0 {
		return [][]byte{body}, nil
	}
	return event.SplitLines(body, c.cfg.MaxEvents)
}

func (c *collector) handleEvents(w http.ResponseWriter, r *http.Request) {
	c.allow(w, r)
	clock, err := c.recordedClock(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	body, err := c.body(w, r)
	if err != nil {
		c.fail(w, err)
		return
	}
	var raw [][]byte
	if clock == 0 || len(bytes.TrimSpace(body)) > 0 {
		if raw, err = c.split(body); err != nil {
			c.fail(w, err)
			return
		}
	}
	in := c.newIntake(len(raw))
	for _, b := range raw {
		e, err := event.ParseEvent(b)
		in.add(&e, err, b)
	}
	if len(raw) == 1 && in.rejected == 1 {
		c.events.WithLabelValues("rejected").Inc()
		refuse(w, http.StatusBadRequest, "bad_request", in.firstError)
		return
	}
	if err := c.commit(r.Context(), in, clock); err != nil {
		c.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, in.appendVerdicts(nil, "{"))
}

// recordedClock reads ?clock=, which moves the watermark and is therefore only taken when times are recorded ones.
func (c *collector) recordedClock(r *http.Request) (event.Time, error) {
	text := r.URL.Query().Get("clock")
	if text == "" {
		return 0, nil
	}
	if !c.clock.Recorded() {
		return 0, &event.Error{Field: "clock", Reason: "is given, but times are the wall's: start with `clock: recorded` to play recorded data"}
	}
	t, err := event.ParseTime(text)
	if err != nil {
		return 0, &event.Error{Field: "clock", Reason: "is not RFC 3339, such as 2026-11-25T09:00:00.123Z"}
	}
	return t, nil
}

// intake is what one request brings.
type intake struct {
	c          *collector
	now        event.Time
	recorded   bool
	records    []stream.Record
	verdicts   []verdict
	rejected   int
	firstError error
	letters    []deadletter.Letter
}

func (c *collector) newIntake(n int) *intake {
	return &intake{c: c, now: c.clock.Now(), recorded: c.clock.Recorded(), records: make([]stream.Record, 0, n), verdicts: make([]verdict, 0, n)}
}

// add takes an event, or the error of reading it; raw is what the sender wrote.
func (in *intake) add(e *event.Event, err error, raw []byte) {
	if err == nil {
		err = clean(e, in.now, in.recorded)
	}
	if err != nil {
		in.reject(e.ID, err, raw)
		return
	}
	value := e.AppendJSON(nil)
	if len(value) > event.EventLimits.Bytes {
		in.reject(e.ID, &event.Error{Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(value), event.EventLimits.Bytes)}, raw)
		return
	}
	in.verdicts = append(in.verdicts, verdict{id: e.ID})
	in.records = append(in.records, stream.Record{Partition: -1, Key: []byte(key(e)), Value: value, Headers: in.c.headers})
}

func (in *intake) reject(id string, err error, raw []byte) {
	v := verdict{id: id, reason: err.Error()}
	var wrong *event.Error
	if errors.As(err, &wrong) {
		v.field = wrong.Field
	}
	if in.firstError == nil {
		in.firstError = err
	}
	in.rejected++
	in.verdicts = append(in.verdicts, v)
	in.letters = append(in.letters, deadletter.Letter{Record: stream.Record{Value: raw}, Reason: v.reason})
}

// commit writes what was accepted, the clock behind it, and the dead letters, and returns once Kafka has acknowledged.
func (c *collector) commit(ctx context.Context, in *intake, clock event.Time) error {
	if n := len(in.verdicts); n > 0 && !c.limiter.AllowN(time.Now(), min(n, c.limiter.Burst())) {
		return errRate
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Acknowledge)
	defer cancel()
	records := in.records
	if clock != 0 {
		beats, err := c.heartbeats(ctx, clock)
		if err != nil {
			return errAway
		}
		records = append(records, beats...)
	}
	if err := c.batcher.Write(ctx, records); err != nil {
		return errAway
	}
	if err := c.letters.Write(ctx, in.letters...); err != nil {
		return errAway
	}
	c.events.WithLabelValues("accepted").Add(float64(len(in.records)))
	c.events.WithLabelValues("rejected").Add(float64(in.rejected))
	return nil
}

var errRate = errors.New("too many events")

// heartbeats is the clock for every partition. It needs no trust in keys: partitions are named.
func (c *collector) heartbeats(ctx context.Context, t event.Time) ([]stream.Record, error) {
	n, err := c.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return nil, err
	}
	e := event.Event{Type: event.TypeHeartbeat, Time: t, Received: t}
	value := e.AppendJSON(nil)
	beats := make([]stream.Record, n)
	for p := range beats {
		beats[p] = stream.Record{Partition: p, Key: []byte(event.TypeHeartbeat), Value: value, Headers: c.headers}
	}
	return beats, nil
}

// beat writes the wall's clock to every partition until ctx ends, so that an idle partition holds no label back.
func (c *collector) beat(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if c.clock.Recorded() {
			continue
		}
		beats, err := c.heartbeats(ctx, c.clock.Now())
		if err != nil {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, c.cfg.Acknowledge)
		// One that is not acknowledged in time is followed by another.
		_ = c.batcher.Write(bounded, beats)
		cancel()
	}
}

// fail answers with the status that an error means.
func (c *collector) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Errorf("the body has more than %d bytes: send fewer events at once", c.cfg.MaxBody))
	case errors.Is(err, errRate):
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "rate_limited", fmt.Errorf("more than %g events a second come in: send the same again in a second", c.cfg.Rate))
	case errors.Is(err, errAway):
		c.events.WithLabelValues("unavailable").Inc()
		w.Header().Set("Retry-After", "2")
		refuse(w, http.StatusServiceUnavailable, "unavailable", errors.New("no acknowledgement from Kafka: send the same again, with the same ids, after Retry-After"))
	default:
		refuse(w, http.StatusBadRequest, "bad_request", err)
	}
}

// refuse writes an error answer.
func refuse(w http.ResponseWriter, status int, code string, err error) {
	b := append([]byte(`{"error":{"code":"`), code...)
	b = append(b, `","message":`...)
	b = event.AppendString(b, err.Error())
	var wrong *event.Error
	if errors.As(err, &wrong) && wrong.Field != "" {
		b = append(b, `,"field":`...)
		b = event.AppendString(b, wrong.Field)
	}
	writeJSON(w, status, append(b, "}}"...))
}

func writeJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone cannot be told
}

// appendVerdicts writes what became of each event; open is "{" or an object's beginning with other members.
func (in *intake) appendVerdicts(b []byte, open string) []byte {
	b = append(b, open...)
	b = append(b, `"results":[`...)
	for i, v := range in.verdicts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = event.AppendString(b, v.id)
		if v.reason == "" {
			b = append(b, `,"status":"accepted"}`...)
			continue
		}
		b = append(b, `,"status":"rejected","reason":`...)
		b = event.AppendString(b, v.reason)
		if v.field != "" {
			b = append(b, `,"field":`...)
			b = event.AppendString(b, v.field)
		}
		b = append(b, '}')
	}
	return append(b, "]}"...)
}
