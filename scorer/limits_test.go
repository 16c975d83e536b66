package scorer

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/prometheus/client_golang/prometheus"
)

// hanging is a store that answers nothing until its caller gives up, as Redis does behind a network
// that drops packets.
type hanging struct {
	features.Store
	waits chan time.Duration // how long callers are ready to wait, 0 for ever
}

func (h hanging) Read(ctx context.Context, _ []string) (map[string]features.Profile, error) {
	end, ok := ctx.Deadline()
	if !ok {
		h.waits <- 0
		return nil, context.DeadlineExceeded
	}
	h.waits <- time.Until(end)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestARedisThatHangsIsWaitedForAsLongAsAllowed(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := hanging{waits: make(chan time.Duration, 1)}
	s := newScorer(t, func(u *setup) { u.store = h; u.config.TMax = 30 * time.Millisecond; u.registry = reg })
	a := parseAnswer(t, post(s, `{"request":"r1","user":"u1","candidates":[{"ad":"a1"}]}`, "").Body.Bytes())
	if wait := <-h.waits; wait <= 0 || wait > 30*time.Millisecond {
		t.Errorf("the store is waited for %v, want 30ms", wait)
	}
	if strings.Join(a.Degraded, ",") != "profiles,model" || len(a.Predictions) != 1 {
		t.Errorf("answer %+v", a)
	}
	for _, what := range []string{"profiles", "model"} {
		if got := metric(t, reg, "clickloop_scorer_degraded_total", what); got != 1 {
			t.Errorf("%v calls are counted as without %s, want 1", got, what)
		}
	}
	s.SetRecorded(true)
	s.replayWait = 60 * time.Millisecond
	if w := post(s, `{"request":"r2","user":"u1","candidates":[{"ad":"a1"}]}`, ""); w.Code != 503 {
		t.Errorf("a replay: %d %s", w.Code, w.Body)
	}
	if wait := <-h.waits; wait <= 30*time.Millisecond || wait > 60*time.Millisecond {
		t.Errorf("in a replay the store is waited for %v, want 60ms", wait)
	}
	if got := metric(t, reg, "clickloop_scorer_requests_total", "unavailable"); got != 1 {
		t.Errorf("%v requests are counted as unavailable, want 1", got)
	}
}

// Nobody takes predictions here, so only publish_wait ends the wait; ctx is the test's own bound.
func TestAnAnswerWaitsForKafkaAsLongAsAllowed(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.PublishWait = 20 * time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := read(t, s, `{"log":"acknowledged","candidates":[{"ad":"a"}]}`)
	began := time.Now()
	s.answerOpen(ctx, c)
	if a := c.Requests[0].Answer; !a.Logged || a.Acknowledged || ctx.Err() != nil || time.Since(began) < 20*time.Millisecond {
		t.Errorf("%+v after %v", a, time.Since(began))
	}
}

func TestLimitsHoldToTheLastOne(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newScorer(t, func(u *setup) { u.config.MaxCandidates, u.config.MaxBody, u.registry = 4, 2048, reg })
	f := func(body string, want int) {
		t.Helper()
		if w := post(s, body, ""); w.Code != want {
			t.Errorf("%.60s (%d bytes): %d %s, want %d", body, len(body), w.Code, w.Body, want)
		}
	}
	f(`{"candidates":[`+ads(4, "")+`]}`, 200)
	f(`{"candidates":[`+ads(5, "")+`]}`, 400)
	one := `{"candidates":[{"ad":"a"}]}`
	f(one+strings.Repeat(" ", 2048-len(one)), 200)
	f(one+strings.Repeat(" ", 2049-len(one)), 413)
	id := func(field string, n int) string {
		return fmt.Sprintf(`{%q:%q,"candidates":[{"ad":"a"}]}`, field, strings.Repeat("i", n))
	}
	for _, field := range []string{"user", "anonymous", "source"} {
		f(id(field, event.MaxIDBytes), 200)
		f(id(field, event.MaxIDBytes+1), 400)
		f(fmt.Sprintf(`{%q:"a\tb","candidates":[{"ad":"a"}]}`, field), 400)
	}
	f(id("request", event.MaxRequestIDBytes), 200)
	f(id("request", event.MaxRequestIDBytes+1), 400)
	f(`{"request":"a\u0000b","candidates":[{"ad":"a"}]}`, 400)
	f(`{"request":"a\u007f","candidates":[{"ad":"a"}]}`, 400)
	f(`{"candidates":[{"ad":"a\n"}]}`, 400)
	f(`{"candidates":[{"ad":"a","campaign":"\u0001"}]}`, 400)
	f(`{"candidates":[{"ad":"a","campaign":"`+strings.Repeat("c", 257)+`"}]}`, 400)
	if got := metric(t, reg, "clickloop_scorer_requests_total", "ok"); got != 6 {
		t.Errorf("%v are counted as ok, want 6", got)
	}
	if got := metric(t, reg, "clickloop_scorer_requests_total", "refused"); got != 14 {
		t.Errorf("%v are counted as refused, want 14", got)
	}
	// all but the one whose body is too large to read
	if got := metric(t, reg, "clickloop_scorer_call_seconds"); got != 19 {
		t.Errorf("%v calls are timed, want 19", got)
	}
}

// A prediction that a request makes has an id that the collector takes in events.
func TestAnIDThatIsTakenMakesPredictionsThatTheCollectorTakes(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxCandidates = 10_000; u.config.MaxBody = 4 << 20 })
	body := fmt.Sprintf(`{"request":%q,"choose":10000,"candidates":[%s]}`, strings.Repeat("r", event.MaxRequestIDBytes), strings.TrimSuffix(strings.Repeat(`{"ad":"a"},`, 10_000), ","))
	all := predictions(t, s, body)
	last := all[len(all)-1]
	e := event.Event{Type: event.TypeClick, Time: testNow, Prediction: last.ID}
	if err := e.Validate(testNow); err != nil || len(all) != 10_000 {
		t.Errorf("%d predictions, a click on the last one: %v", len(all), err)
	}
}

func TestAPlaceAtWorkIsGivenBackHoweverACallEnds(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newScorer(t, func(u *setup) { u.config.MaxInFlight, u.config.MaxBody, u.registry = 1, 1024, reg })
	for _, body := range []string{`{"candidates":[{"ad":"a"}]}`, `{`, strings.Repeat("x", 1025), `{"request":"r","candidates":[{"ad":"a"}]}`, `{"request":"r","candidates":[{"ad":"b"}]}`} {
		if w := post(s, body, ""); w.Code == http.StatusServiceUnavailable {
			t.Fatalf("%.40s: %d %s", body, w.Code, w.Body)
		}
	}
	if !s.slots.take(1) { // another one is at work
		t.Fatal("slots are held by calls that are answered")
	}
	if w := post(s, `{"candidates":[{"ad":"a"}]}`, ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many: %d %s", w.Code, w.Body)
	}
	if got := metric(t, reg, "clickloop_scorer_requests_total", "busy"); got != 1 {
		t.Errorf("%v are counted as busy, want 1", got)
	}
}

func TestChooseSaysHowManyBecomePredictions(t *testing.T) {
	f := func(choose string, want int) {
		t.Helper()
		s := newScorer(t, nil)
		body := `{"request":"r",` + choose + `"candidates":[` + ads(3, "") + `]}`
		chosen := 0
		for _, p := range parseAnswer(t, post(s, body, "").Body.Bytes()).Predictions {
			if p.Chosen {
				chosen++
			}
		}
		if n := len(predictions(t, newScorer(t, nil), body)); n != want || chosen != want {
			t.Errorf("%s: %d predictions, %d chosen, want %d", choose, n, chosen, want)
		}
	}
	f(``, 1)
	f(`"choose":0,`, 0)
	f(`"choose":1,`, 1)
	f(`"choose":2,`, 2)
	f(`"choose":3,`, 3)
	f(`"choose":4,`, 3)
	f(`"choose":9000000000000000000,`, 3)
}

func TestAnAnswerWithNothingChosenIsLogged(t *testing.T) {
	if a := parseAnswer(t, post(newScorer(t, nil), `{"choose":0,"candidates":[{"ad":"a"}]}`, "").Body.Bytes()); !is(a.Logged, true) || a.Predictions[0].Chosen {
		t.Errorf("answer %+v", a)
	}
}

func TestTheConfigurationNamesWhatIsWrong(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatalf("the default: %v", err)
	}
	f := func(field string, good bool, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err, _ := c.Validate().(*event.Error)
		if (err == nil) != good || err != nil && err.Field != field {
			t.Errorf("%s: %v, want it taken: %v", field, err, good)
		}
	}
	f("max_body", true, func(c *Config) { c.MaxBody = 1 << 10 })
	f("max_body", false, func(c *Config) { c.MaxBody = 1<<10 - 1 })
	f("max_body", true, func(c *Config) { c.MaxBody = 64 << 20 })
	f("max_body", false, func(c *Config) { c.MaxBody = 64<<20 + 1 })
	f("max_candidates", true, func(c *Config) { c.MaxCandidates = 1 })
	f("max_candidates", false, func(c *Config) { c.MaxCandidates = 0 })
	f("max_candidates", false, func(c *Config) { c.MaxCandidates = 10_001 })
	f("max_in_flight", false, func(c *Config) { c.MaxInFlight = 0 })
	f("max_waiting", false, func(c *Config) { c.MaxWaiting = 1<<20 - 1 })
	f("max_remembered", true, func(c *Config) { c.MaxRemembered = 1 << 20 })
	f("max_remembered", false, func(c *Config) { c.MaxRemembered = 1<<20 - 1 })
	f("max_others", true, func(c *Config) { c.MaxOthers = 0 })
	f("max_others", false, func(c *Config) { c.MaxOthers = -1 })
	f("max_others", false, func(c *Config) { c.MaxOthers = 201 })
	f("tmax", false, func(c *Config) { c.TMax = time.Microsecond })
	f("tmax", false, func(c *Config) { c.TMax = time.Hour })
	f("publish_wait", false, func(c *Config) { c.PublishWait = 0 })
	f("publish_wait", false, func(c *Config) { c.PublishWait = time.Hour })
	f("epsilon", true, func(c *Config) { c.Epsilon = 1 })
	f("epsilon", false, func(c *Config) { c.Epsilon = 1.01 })
	f("epsilon", false, func(c *Config) { c.Epsilon = math.NaN() })
	if _, err := New(Config{}, Deps{}, nil); err == nil {
		t.Error("an empty configuration is taken")
	}
}

// A body is read whole even when its length is missing or wrong.
func TestABodyWithoutALengthIsReadWhole(t *testing.T) {
	s := newScorer(t, nil)
	mux := http.NewServeMux()
	s.Register(mux, mux)
	for _, length := range []int64{-1, 5, 1 << 40} {
		r := httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(`{"candidates":[{"ad":"a"}]}`))
		r.ContentLength = length
		w := httptest.NewRecorder()
		if mux.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("length %d: %d %s", length, w.Code, w.Body)
		}
	}
}
