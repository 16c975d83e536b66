package ingest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// collector takes events over HTTP and answers once Kafka has acknowledged them. Many small
// requests share writes: what comes while one is in flight goes out with the next.
type collector struct {
	cfg     Config
	name    string // in its heartbeats
	client  *stream.Client
	clock   *Clock
	logger  *slog.Logger
	batcher *stream.Batcher
	letters *deadletter.Writer
	limiter *rate.Limiter
	budget  *semaphore.Weighted // bytes of bodies under way
	headers []stream.Header
	posted  posted
	// read: between stamping events and enqueuing them; write: while the clock is enqueued
	order sync.RWMutex

	standing standing

	events                        *prometheus.CounterVec // by verdict
	unknown, unreadable, replaced prometheus.Counter     // what senders were warned of
}

var (
	errAway = errors.New("no acknowledgement from Kafka")
	errRate = errors.New("too many events")
)

// segmentKinds are the calls of Segment's API, and the short forms that its browser library uses.
var segmentKinds = map[string]string{
	"track": "track", "page": "page", "identify": "identify", "screen": "screen", "group": "group", "alias": "alias", "batch": "batch",
	"t": "track", "p": "page", "i": "identify", "s": "screen", "g": "group", "a": "alias", "b": "batch",
}

func (c *collector) register(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/events", c.handleEvents)
	mux.HandleFunc("OPTIONS /v1/events", c.handlePreflight)
	for path, kind := range segmentKinds {
		mux.HandleFunc("POST /v1/"+path, func(w http.ResponseWriter, r *http.Request) { c.handleSegment(w, r, kind) })
		mux.HandleFunc("OPTIONS /v1/"+path, c.handlePreflight)
	}
	mux.HandleFunc("POST /beacon/v1/batch", func(w http.ResponseWriter, r *http.Request) { c.handleSegment(w, r, "batch") })
	mux.HandleFunc("GET /v1/projects/{key}/settings", c.handleSettings)
}

// handleEvents takes the loop's own form. An event without an id is given a random one: sent again,
// it counts again.
func (c *collector) handleEvents(w http.ResponseWriter, r *http.Request) {
	c.allow(w, r)
	clock, err := c.recordedClock(r)
	if err != nil {
		c.fail(w, err)
		return
	}
	if err := c.admit(1); err != nil {
		c.fail(w, err)
		return
	}
	body, err := c.readBody(w, r)
	defer body.release()
	if err != nil {
		c.fail(w, err)
		return
	}
	var parts []strictjson.Part
	if clock == 0 || len(bytes.TrimSpace(body.bytes)) > 0 {
		if parts, err = c.split(body.bytes); err == nil {
			err = c.admit(len(parts) - 1)
		}
		if err != nil {
			c.fail(w, err)
			return
		}
	}
	in, err := c.take(r.Context(), clock, len(parts), clock != 0, func(in *intake) {
		for i := range parts {
			it := readItem(&parts[i], "events", i, len(parts) == 1)
			ownForm(&it.event, in.recorded)
			in.add(&it)
		}
	})
	c.answer(w, in, err, "{", in.none() && clock == 0)
}

// answer tells what became of a request's events; open is what the answer begins with. When refused
// is true nothing was taken and the sender can know it.
func (c *collector) answer(w http.ResponseWriter, in *intake, err error, open string, refused bool) {
	switch {
	case err != nil:
		c.fail(w, err)
	case refused:
		c.count(in)
		c.events.WithLabelValues("rejected").Add(float64(in.rejected))
		status, code := http.StatusBadRequest, "bad_request"
		if large := (*stream.TooLargeError)(nil); errors.As(in.firstError, &large) {
			status, code = http.StatusRequestEntityTooLarge, "too_large"
		}
		b := append(web.AppendError([]byte("{"), code, in.firstError), ',')
		web.WriteJSON(w, status, append(in.appendVerdicts(b), '}'))
	default:
		c.count(in)
		web.WriteJSON(w, http.StatusOK, append(in.appendVerdicts([]byte(open)), '}'))
	}
}

// count adds what a request's senders were warned of, once they are answered: after a 503 they send
// the same again.
func (c *collector) count(in *intake) {
	c.unknown.Add(float64(in.unknown))
	c.unreadable.Add(float64(in.unreadable))
	c.replaced.Add(float64(in.replaced))
}

// recordedClock reads ?clock=, which moves the watermark and is therefore only taken when times are
// recorded ones.
func (c *collector) recordedClock(r *http.Request) (event.Time, error) {
	query, err := inbound.Query(r, "clock")
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

// admit takes n events from the rate. A replay is not limited: its driver waits for every answer.
func (c *collector) admit(n int) error {
	if n > 0 && !c.clock.Recorded() && !c.limiter.AllowN(time.Now(), min(n, c.limiter.Burst())) {
		return errRate
	}
	return nil
}

// take stamps and checks what fill adds, writes what is good and, behind it, the clock when it is
// given, then the dead letters, and returns once Kafka has acknowledged. A request of which nothing
// is good has no dead letters unless bury is true: its sender is told. After errAway the fate of
// the events is unknown: the sender repeats them with their ids.
func (c *collector) take(ctx context.Context, clock event.Time, n int, bury bool, fill func(*intake)) (*intake, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Acknowledge)
	defer cancel()
	var beats []stream.Record
	if clock != 0 {
		partitions, err := c.client.Partitions(ctx, event.TopicEvents)
		if err != nil {
			return &intake{}, errAway
		}
		beats = c.heartbeats(partitions, event.Event{Time: clock, Received: clock})
	}
	in, done, err := c.enqueueStanding(ctx, n, fill, beats)
	if err != nil {
		return in, err
	}
	if clock != 0 {
		c.posted.set(clock, len(beats))
	}
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	var large *stream.TooLargeError
	if errors.As(err, &large) {
		in.tooLarge(large)
		err = nil
	}
	bury = bury || len(in.records) > 0
	if err == nil && bury {
		err = c.letters.Write(ctx, in.letters...)
	}
	if err != nil {
		return in, errAway
	}
	c.events.WithLabelValues("accepted").Add(float64(len(in.records)))
	if bury {
		c.events.WithLabelValues("rejected").Add(float64(in.rejected))
	}
	return in, nil
}

// enqueueStanding is enqueue as soon as labels wait for what this collector takes, which they do in
// the moment after its start. While Kafka is away they do not.
func (c *collector) enqueueStanding(ctx context.Context, n int, fill func(*intake), beats []stream.Record) (*intake, <-chan error, error) {
	for {
		changed := c.standing.changed.Wait()
		in, done, err := c.enqueue(n, fill, beats)
		if !errors.Is(err, errSilent) {
			return in, done, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return in, nil, errAway
		}
	}
}

// enqueue holds the order from the stamp of received until the events stand in the queue, so that
// no heartbeat comes between.
func (c *collector) enqueue(n int, fill func(*intake), beats []stream.Record) (*intake, <-chan error, error) {
	c.order.RLock()
	defer c.order.RUnlock()
	if err := c.standing.check(c.clock.Now(), c.clock.Recorded()); err != nil {
		return &intake{}, nil, err
	}
	in := &intake{
		now: c.clock.Now(), recorded: c.clock.Recorded(), headers: c.headers,
		records: make([]stream.Record, 0, n+len(beats)), verdicts: make([]verdict, 0, n),
	}
	fill(in)
	done, err := c.batcher.Enqueue(append(in.records, beats...))
	if err != nil {
		err = errAway
	}
	return in, done, err
}

// handleSettings answers what Segment's browser library asks for at start, so that it needs no
// other server than this one.
func (c *collector) handleSettings(w http.ResponseWriter, r *http.Request) {
	c.allow(w, r)
	b := append([]byte(`{"integrations":{"Segment.io":{"apiKey":`), strictjson.AppendString(nil, r.PathValue("key"))...)
	web.WriteJSON(w, http.StatusOK, append(b, "}}}"...))
}
