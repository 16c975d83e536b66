package scorer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// testNow is the clock of tests.
const testNow = event.Time(1764061200000) // 2025-11-25T09:00:00Z

// nowhere is an address at which nothing listens.
const nowhere = "127.0.0.1:1"

type setup struct {
	config    Config
	brokers   []string
	prefix    string
	features  features.Config
	store     features.Store
	recorded  bool
	objective []string
	registry  *prometheus.Registry
	logger    *slog.Logger
	priors    map[string]float64
	keys      *signing.Ring
}

// newScorer returns a Scorer that is not running; by default without Kafka, with one objective and
// two aggregates of the user.
func newScorer(t testing.TB, change func(*setup)) *Scorer {
	t.Helper()
	u := setup{config: DefaultConfig(), brokers: []string{nowhere}, store: features.NewMemory(), objective: []string{"click"}, logger: slog.New(slog.DiscardHandler)}
	u.config.MaxQueueTime = 0 // on a machine that is busy with other tests, every request is answered
	u.config.PublishWait = time.Millisecond
	u.features.Profiles = []features.ProfileConfig{
		{Entity: "user", Aggregate: "count", Event: "click", Window: "1h"}, {Entity: "ad", Aggregate: "count", Event: "click", Window: "1h"},
	}
	if change != nil {
		change(&u)
	}
	by, login := backend.Secured(u.brokers)
	client, err := stream.Dial(stream.Config{Brokers: u.brokers, Prefix: u.prefix, ClientID: "scorer-test", TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	set, err := features.Compile(u.features)
	if err != nil {
		t.Fatal(err)
	}
	d := Deps{Client: client, Priors: u.priors, Set: set, Store: u.store, Now: func() event.Time { return testNow }, Recorded: u.recorded, Keys: u.keys, Logger: u.logger}
	for _, name := range u.objective {
		d.Objectives = append(d.Objectives, event.Objective{Name: name, Trigger: "impression", Positive: name, Window: time.Minute})
	}
	if u.registry != nil {
		d.Registerer = u.registry
	}
	s, err := New(u.config, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// post sends a body to /v1/score.
func post(s *Scorer, body, contentType string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	s.Register(mux, mux)
	r := httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

// read returns a call with the request of a body, ready to be scored.
func read(t testing.TB, s *Scorer, body string) *Call {
	t.Helper()
	var x exchange
	x.parse([]byte(body), false, &s.cfg)
	if err := x.lines[0].err; err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	x.call.begin(s.Engine)
	return &x.call
}

// answered is an answer of /v1/score.
type answered struct {
	Request     string
	Predictions []struct {
		Prediction, Ad, Campaign string
		P                        map[string]float64
		Chosen                   bool
		Propensity               float64
	}
	Retrieved            struct{ Passed, Scored int }
	Model                map[string]string
	AgeMs                map[string]int64 `json:"age_ms"`
	Degraded             []string
	Logged, Acknowledged *bool
	Warnings             []struct{ Field, Message, Nearest string }
	Error                struct{ Code, Message, Field string }
}

// is says whether an answer has a flag with that value.
func is(flag *bool, value bool) bool { return flag != nil && *flag == value }

func parseAnswer(t testing.TB, b []byte) answered {
	t.Helper()
	var a answered
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("answer %s: %v", b, err)
	}
	return a
}

func TestBadRequestsAreRefusedWithTheFieldAndTheReason(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxCandidates = 3; u.config.MaxBody = 100_000 })
	f := func(body string, status int, code, field, message string) {
		t.Helper()
		w := post(s, body, "application/json")
		a := parseAnswer(t, w.Body.Bytes())
		if w.Code != status || a.Error.Code != code || a.Error.Field != field || !strings.Contains(a.Error.Message, message) {
			t.Errorf("%.80s: %d %+v, want %d %s, field %q, message with %q", body, w.Code, a.Error, status, code, field, message)
		}
	}
	long := strings.Repeat("x", 257)
	f(``, 400, "bad_request", "", "JSON")
	f(`{`, 400, "bad_request", "", "JSON")
	f(`null`, 400, "bad_request", "", "null")
	f(`[]`, 400, "bad_request", "", "an array, expected an object")
	f(`7`, 400, "bad_request", "", "a number")
	f("\xff\xfe{}", 400, "bad_request", "", "JSON")
	f(strings.Repeat("[", 50_000), 400, "bad_request", "", "")
	f(strings.Repeat(`{"context":`, 5000), 400, "bad_request", strings.Repeat("context.", 15)+"context", "nested too deep")
	f(`{"candidates":[{"ad":"a"}]} x`, 400, "bad_request", "", "JSON")
	f(strings.Repeat("x", 100_001), 413, "too_large", "", "100000 bytes")
	f(`{"user":"u"}`, 400, "bad_request", "candidates", "missing")
	f(`{"candidates":null}`, 400, "bad_request", "candidates", "empty")
	f(`{"candidates":[]}`, 400, "bad_request", "candidates", "empty")
	f(`{"candidates":{}}`, 400, "bad_request", "candidates", "array")
	f(`{"candidates":[{"ad":"a"},{"campaign":"c"}]}`, 400, "bad_request", "candidates[1]", "ad")
	f(`{"candidates":[{"ad":"a"},{"ad":"b"},{"ad":""}]}`, 400, "bad_request", "candidates[2].ad", "empty")
	f(`{"candidates":[{"ad":"a"},null]}`, 400, "bad_request", "candidates[1]", "ad")
	f(`{"candidates":[{"ad":"a"},{"ad":"b"},{"ad":"c"},{"ad":"d"}]}`, 400, "bad_request", "candidates[3]", "at most 3")
	f(`{"candidates":[{"ad":7}]}`, 400, "bad_request", "candidates[0].ad", "number")
	f(`{"candidates":[{"ad":"`+long+`"}]}`, 400, "bad_request", "candidates[0].ad", "257 bytes")
	f(`{"candidates":[{"ad":"a","value":-1}]}`, 400, "bad_request", "candidates[0].value", "negative")
	f(`{"candidates":[{"ad":"a","value":1e400}]}`, 400, "bad_request", "candidates[0].value", "")
	f(`{"candidates":[{"ad":"a","value":NaN}]}`, 400, "bad_request", "", "JSON")
	f(`{"candidates":[{"ad":"a","context":7}]}`, 400, "bad_request", "candidates[0].context", "object")
	f(`{"user":"`+long+`","candidates":[{"ad":"a"}]}`, 400, "bad_request", "user", "257 bytes")
	f(`{"request":"`+long+`","candidates":[{"ad":"a"}]}`, 400, "bad_request", "request", "257 bytes")
	f(`{"request":1,"candidates":[{"ad":"a"}]}`, 400, "bad_request", "request", "string")
	f("{\"user\":\"\xff\",\"candidates\":[{\"ad\":\"a\"}]}", 400, "bad_request", "user", "UTF-8")
	f(`{"user":"u","user":"u","candidates":[{"ad":"a"}]}`, 400, "bad_request", "user", "twice")
	f(`{"time":"yesterday","candidates":[{"ad":"a"}]}`, 400, "bad_request", "time", "")
	f(`{"choose":-1,"candidates":[{"ad":"a"}]}`, 400, "bad_request", "choose", "negative")
	f(`{"choose":1.5,"candidates":[{"ad":"a"}]}`, 400, "bad_request", "choose", "")
	f(`{"context":{"a":"`+strings.Repeat("y", 21_000)+`"},"candidates":[{"ad":"a"}]}`, 400, "bad_request", "context", "at most 20480")
	if w := post(s, `{"candidates":[{"ad":"a"}]}`, ""); w.Code != 200 {
		t.Errorf("a good request after the bad ones: %d %s", w.Code, w.Body)
	}
}

func TestGoodLinesAreAnsweredBesideBadOnes(t *testing.T) {
	s := newScorer(t, nil)
	w := post(s, "{\"request\":\"r1\",\"candidates\":[{\"ad\":\"a\"}]}\n\n{\"request\":7}\r\n{\"request\":\"r3\",\"candidates\":[{\"ad\":\"b\"}]}", "application/x-ndjson")
	lines := strings.Split(strings.TrimRight(w.Body.String(), "\n"), "\n")
	if w.Code != 200 || len(lines) != 3 || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d, %d lines: %s", w.Code, len(lines), w.Body)
	}
	first, second, third := parseAnswer(t, []byte(lines[0])), parseAnswer(t, []byte(lines[1])), parseAnswer(t, []byte(lines[2]))
	if first.Request != "r1" || second.Error.Field != "request" || third.Predictions[0].Prediction != "r3.0" {
		t.Errorf("answers %s", w.Body)
	}
}

func TestWithoutKafkaAndWeightsABidIsAnsweredWithThePrior(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.Prior = 0.02; u.objective = []string{"click", "conversion"} })
	a := parseAnswer(t, post(s, `{"request":"r1","user":"u1","candidates":[{"ad":"a1","campaign":"c1"}]}`, "").Body.Bytes())
	p := a.Predictions[0]
	if p.P["click"] != 0.02 || p.P["conversion"] != 0.02 || !p.Chosen || p.Propensity != 1 || p.Campaign != "c1" {
		t.Errorf("prediction %+v", p)
	}
	if len(a.Degraded) != 1 || a.Degraded[0] != "model" || !is(a.Logged, true) || a.Acknowledged != nil || len(a.Model) != 0 {
		t.Errorf("answer %+v, want degraded model, logged", a)
	}
}

// Each objective has the prior of the network that it serves.
func TestWithoutWeightsEachObjectiveHasItsOwnPrior(t *testing.T) {
	s := newScorer(t, func(u *setup) {
		u.config.Prior, u.priors, u.objective = 0.02, map[string]float64{"conversion": 0.003}, []string{"click", "conversion"}
	})
	a := parseAnswer(t, post(s, `{"request":"r1","user":"u1","candidates":[{"ad":"a1"}]}`, "").Body.Bytes())
	if p := a.Predictions[0].P; p["click"] != 0.02 || p["conversion"] != 0.003 {
		t.Errorf("probabilities %v", p)
	}
}

// failing is a store that answers with an error.
type failing struct{ features.Store }

func (failing) Read(context.Context, []string) (map[string]features.Profile, error) {
	return nil, errors.New("Redis is away")
}

func TestWithoutRedisABidIsAnsweredWithoutProfiles(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.store = failing{} })
	a := parseAnswer(t, post(s, `{"request":"r1","user":"u1","candidates":[{"ad":"a1"}]}`, "").Body.Bytes())
	if strings.Join(a.Degraded, ",") != "profiles,model" || len(a.Predictions) != 1 {
		t.Errorf("answer %+v", a)
	}
}

func TestAReplayIsRefusedRatherThanScoredWithLess(t *testing.T) {
	f := func(what string, change func(*setup)) {
		t.Helper()
		s := newScorer(t, func(u *setup) { u.recorded = true; change(u) })
		s.replayWait = 10 * time.Millisecond
		w := post(s, `{"request":"r1","user":"u1","candidates":[{"ad":"a1"}]}`, "application/x-ndjson")
		if a := parseAnswer(t, w.Body.Bytes()); w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(a.Error.Message, what) {
			t.Errorf("%d %s, want 503 about %s", w.Code, w.Body, what)
		}
	}
	f("feature store", func(u *setup) { u.store = failing{} })
	f("Kafka", func(u *setup) {})
}

// blocking is a store that announces a call, and answers when leave allows it.
type blocking struct {
	features.Store
	entered, leave chan struct{}
}

func (b blocking) Read(context.Context, []string) (map[string]features.Profile, error) {
	b.entered <- struct{}{}
	<-b.leave
	return map[string]features.Profile{}, nil
}

func TestCallsBeyondTheLimitAreRefused(t *testing.T) {
	b := blocking{entered: make(chan struct{}), leave: make(chan struct{})}
	s := newScorer(t, func(u *setup) { u.config.MaxInFlight = 1; u.store = b })
	const body = `{"request":"r1","user":"u1","candidates":[{"ad":"a1"}]}`
	done := make(chan int)
	go func() { done <- post(s, body, "").Code }()
	<-b.entered
	w := post(s, body, "")
	if a := parseAnswer(t, w.Body.Bytes()); w.Code != 503 || w.Header().Get("Retry-After") == "" || a.Error.Code != "busy" {
		t.Errorf("second request: %d %s", w.Code, w.Body)
	}
	close(b.leave)
	if code := <-done; code != 200 {
		t.Errorf("first request: %d", code)
	}
}

func TestTimeAndRowAreKeptOnlyOfRecordings(t *testing.T) {
	f := func(recorded bool, want string) {
		t.Helper()
		s := newScorer(t, nil)
		s.SetRecorded(recorded)
		s.replayWait = time.Millisecond
		c := read(t, s, `{"request":"r","row":7,"time":"2008-05-01T00:00:00Z","source":"s","anonymous":"x","candidates":[{"ad":"a"}]}`)
		_ = s.Answer(t.Context(), c) // Kafka is away
		p, err := event.ParsePrediction(c.records[0].Value)
		if got := fmt.Sprintf("%d %s %s %s", p.Row, p.Time, p.Source, p.Anonymous); err != nil || got != want {
			t.Errorf("recorded %v: %s %v, want %s", recorded, got, err, want)
		}
	}
	f(true, "7 2008-05-01T00:00:00.000Z s x")
	f(false, "0 "+testNow.String()+" s x")
}

// The weight of a request is that of its predictions, recorded or not, and 0 is one.
func TestTheWeightOfARequestGoesWithItsPredictions(t *testing.T) {
	f := func(given, want string) {
		t.Helper()
		s := newScorer(t, nil)
		c := read(t, s, `{"request":"r",`+given+`"candidates":[{"ad":"a"}]}`)
		s.score(t.Context(), c, false)
		p, err := event.ParsePrediction(c.records[0].Value)
		if got := fmt.Sprint(p.Weight(), p.W == nil); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", given, got, err, want)
		}
	}
	f("", "1 true")
	f(`"w":2.5,`, "2.5 false")
	f(`"w":0,`, "0 false")
	for _, w := range []string{"-1", "1e7", `"2"`} {
		if r := post(newScorer(t, nil), `{"w":`+w+`,"candidates":[{"ad":"a"}]}`, ""); r.Code != 400 || !strings.Contains(r.Body.String(), `"field":"w"`) {
			t.Errorf("w %s: %d %s", w, r.Code, r.Body)
		}
	}
}

func TestTheBestByValueComesFirst(t *testing.T) {
	s := newScorer(t, nil)
	a := parseAnswer(t, post(s, `{"choose":2,"candidates":[{"ad":"a","value":1},{"ad":"b","value":3},{"ad":"c","value":3},{"ad":"d"}]}`, "").Body.Bytes())
	order := ""
	for _, p := range a.Predictions {
		order += fmt.Sprint(p.Ad, p.Chosen, " ")
	}
	if order != "btrue ctrue afalse dfalse " || a.Request == "" {
		t.Errorf("order %s, request %q", order, a.Request)
	}
}

func TestARequestSentAgainGivesTheSame(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.Epsilon = 0.5 })
	for i := range 50 {
		body := fmt.Sprintf(`{"request":"r%d","candidates":[{"ad":"a"},{"ad":"b"},{"ad":"c"}]}`, i)
		if a, b := post(s, body, "").Body.String(), post(s, body, "").Body.String(); a != b {
			t.Fatalf("first %s, then %s", a, b)
		}
	}
}

func TestAnswersHaveTheAgeOfTheProfiles(t *testing.T) {
	s := newScorer(t, nil)
	f := func(folded event.Time, want string) {
		t.Helper()
		s.profiles.watermark.Store(int64(folded))
		a := parseAnswer(t, post(s, `{"user":"u1","candidates":[{"ad":"a1"},{"ad":"a2"}]}`, "").Body.Bytes())
		if got := fmt.Sprint(a.AgeMs); got != want {
			t.Errorf("profiles folded to %v: ages %s, want %s", folded, got, want)
		}
	}
	f(0, "map[]") // not known, not said
	f(testNow-340, "map[ad:340 user:340]")
	f(testNow+5, "map[ad:0 user:0]")
}

func unmarshal(t testing.TB, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
}
