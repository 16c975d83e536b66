package ingest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

var discard = slog.New(slog.DiscardHandler)

// stage runs an Ingester over a store and the backend's Kafka.
func stage(t testing.TB, store features.Store, recorded bool) (*Ingester, *stream.Client, *httptest.Server) {
	t.Helper()
	client := dial(t, backend.Kafka(t))
	i, server, _ := run(t, client, DefaultConfig(), store, recorded)
	return i, client, server
}

// dial connects under a prefix of the test's own and makes the topics.
func dial(t testing.TB, brokers []string) *stream.Client {
	t.Helper()
	by, login := backend.Secured(brokers)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: backend.Prefix(t), ClientID: "test", Session: backend.Session(), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	makeTopics(t, client)
	return client
}

func makeTopics(t testing.TB, client *stream.Client) {
	t.Helper()
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicEvents, Partitions: 3}, stream.Topic{Name: event.TopicDeadLetter, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
}

// run runs an Ingester until stop, or the test's end.
func run(t testing.TB, client *stream.Client, cfg Config, store features.Store, recorded bool) (i *Ingester, server *httptest.Server, stop func()) {
	t.Helper()
	return runWith(t, client, cfg, store, recorded, nil)
}

func runWith(t testing.TB, client *stream.Client, cfg Config, store features.Store, recorded bool, reg prometheus.Registerer) (i *Ingester, server *httptest.Server, stop func()) {
	t.Helper()
	return runDeps(t, cfg, Deps{
		Client: client, Store: store, Clock: NewClock(func() event.Time { return event.TimeOf(time.Now()) }, recorded), Logger: discard,
		Registerer: reg,
	})
}

// runDeps runs an Ingester of d, whose features it fills in.
func runDeps(t testing.TB, cfg Config, d Deps) (i *Ingester, server *httptest.Server, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	set, err := features.Compile(features.Config{Profiles: []features.ProfileConfig{{Name: "clicks", Entity: "user", Aggregate: "count", Event: event.TypeClick, Window: "1d"}}})
	if err != nil {
		t.Fatal(err)
	}
	d.Set = set
	i, err = New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	i.Register(mux, mux)
	server = httptest.NewServer(mux)
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		server.Close()
	})
	t.Cleanup(stop)
	return i, server, stop
}

// told are the messages of warnings; one about an unknown name has the nearest known one, if there
// is any.
type told []string

func (w *told) UnmarshalJSON(b []byte) error {
	var all []struct{ Field, Message, Nearest string }
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for _, x := range all {
		if _, meant, ok := strings.Cut(x.Message, "did you mean "); ok != (x.Nearest != "") || ok && meant != x.Nearest+"?" || !strings.Contains(x.Message, x.Field) {
			return fmt.Errorf("the warning %+v contradicts itself", x)
		}
		*w = append(*w, x.Message)
	}
	return nil
}

type answer struct {
	Success *bool
	Results []struct {
		ID, Status, Reason, Field string
		Warnings                  told
	}
	Error    struct{ Code, Message, Field string }
	Warnings told
}

func send(t testing.TB, method, url string, headers map[string]string, body io.Reader) (int, http.Header, answer) {
	t.Helper()
	// no answer takes as long, unless a bound is off
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a answer
	b, _ := io.ReadAll(resp.Body)
	if len(b) > 0 && json.Valid(b) { // not every answer has a body
		if err := json.Unmarshal(b, &a); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
	return resp.StatusCode, resp.Header, a
}

// clicks asks the store, once it is folded up to now, how many clicks user has.
func clicks(t testing.TB, i *Ingester, store features.Store, user string, at event.Time) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if folded, err := i.folded.await(ctx, at); err != nil || folded < at {
		t.Fatalf("folded up to %v (%v), want %v", folded, err, at)
	}
	r := features.Request{Time: at, User: user}
	profiles, err := store.Read(ctx, i.consumer.set.Keys(nil, &r))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := i.consumer.set.Assemble(nil, &r, profiles).Lookup("clicks")
	return v.Num
}

func TestAnEventCountsOnceHoweverOftenItIsSent(t *testing.T) {
	store := features.NewMemory()
	i, _, server := stage(t, store, true)
	t0, _ := event.ParseTime("2026-11-25T09:00:00Z")
	body := `[{"id":"c1","type":"click","user":"u1","time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"},
	          {"id":"c2","type":"click","user":"u1","time":"2026-11-25T08:59:01Z","received":"2026-11-25T08:59:01Z"}]`
	for range 3 {
		if status, _, a := send(t, "POST", server.URL+"/v1/events?clock="+t0.String(), nil, strings.NewReader(body)); status != 200 || len(a.Results) != 2 {
			t.Fatalf("status %d, %+v", status, a)
		}
	}
	if n := clicks(t, i, store, "u1", t0); n != 2 {
		t.Errorf("%v clicks are counted, want 2", n)
	}
}

// A store that loses everything while the consumer runs is folded again from the log.
func TestAStoreThatIsEmptiedIsFoldedAgain(t *testing.T) {
	store := features.NewMemory()
	i, _, server := stage(t, store, true)
	t0, _ := event.ParseTime("2026-11-25T09:00:00Z")
	post := func(id string, clock event.Time) {
		t.Helper()
		body := `{"id":"` + id + `","type":"click","user":"u1","time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"}`
		if status, _, _ := send(t, "POST", server.URL+"/v1/events?clock="+clock.String(), nil, strings.NewReader(body)); status != 200 {
			t.Fatalf("status %d", status)
		}
	}
	post("c1", t0)
	if n := clicks(t, i, store, "u1", t0); n != 1 {
		t.Fatalf("%v clicks, want 1", n)
	}
	store.Reset()
	post("c2", t0+1000)
	if n := clicks(t, i, store, "u1", t0+1000); n != 2 {
		t.Errorf("after the store was emptied %v clicks are counted, want 2", n)
	}
}

func TestWhatOtherProducersWriteBadlyIsBuriedAndTheRestFolded(t *testing.T) {
	store := features.NewMemory()
	i, client, server := stage(t, store, true)
	t0, _ := event.ParseTime("2026-11-25T09:00:00Z")
	good := `{"id":"g","type":"click","user":"u1","time":"2026-11-25T08:59:00Z"}`
	var records []stream.Record
	for _, v := range []string{"{", good, `{"type":7}`, `{"type":"click","time":"1971-01-01T00:00:00Z"}`, "\xff", good} {
		records = append(records, stream.Record{Partition: -1, Key: []byte("u1"), Value: []byte(v)})
	}
	if err := client.Produce(t.Context(), event.TopicEvents, records); err != nil {
		t.Fatal(err)
	}
	send(t, "POST", server.URL+"/v1/events?clock="+t0.String(), nil, strings.NewReader(`[]`))
	if n := clicks(t, i, store, "u1", t0); n != 1 {
		t.Errorf("%v clicks, want 1", n)
	}
	ranges, err := client.Offsets(t.Context(), event.TopicDeadLetter)
	if err != nil || ranges[0].End != 4 {
		t.Fatalf("dead letters %v (%v), want 4", ranges, err)
	}
	r := client.NewReader(event.TopicDeadLetter, 0, 0)
	defer r.Close()
	dead, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range dead {
		d, err := event.ParseDeadLetter(rec.Value)
		if err != nil || d.Stage != "ingest" || d.Reason == "" || d.Topic != event.TopicEvents || len(d.Payload) == 0 {
			t.Errorf("dead letter %s: %v", rec.Value, err)
		}
	}
}

func TestTheCollectorTakesWhatSDKsSend(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	f := func(path, body string, wantStatus int, wantResults string) {
		t.Helper()
		status, _, a := send(t, "POST", server.URL+path, map[string]string{"Content-Type": "text/plain"}, strings.NewReader(body))
		got := ""
		for _, r := range a.Results {
			got += r.Status[:1]
		}
		if status != wantStatus || got != wantResults {
			t.Errorf("%s %.80s: status %d, verdicts %q (%s), want %d %q", path, body, status, got, a.Error.Message, wantStatus, wantResults)
		}
	}
	f("/v1/track", `{"userId":"u1","messageId":"m1","event":"Product Viewed","properties":{"price":9.5},"timestamp":"2026-11-25T09:00:00.1Z","writeKey":"k"}`, 200, "a")
	f("/v1/track", `{"userId":7,"messageId":"m2","event":"Ad Clicked","properties":{"prediction":"p1","ad_id":"a1","revenue":2}}`, 200, "a")
	f("/v1/page", `{"anonymousId":"a1","name":"Home","context":{"page":{"url":"x"}},"sentAt":"2026-11-25T09:00:00.1Z"}`, 200, "a")
	f("/v1/identify", `{"userId":"u1","traits":{"plan":"pro"}}`, 200, "a")
	f("/v1/batch", `{"batch":[{"type":"track","userId":"u1","event":"x"},{"type":"track"},{"type":"page","anonymousId":"a"}],"context":{"locale":"de"}}`, 200, "ara")
	f("/v1/batch", `{"batch":[]}`, 200, "")
	f("/v1/batch", `{"messages":[]}`, 400, "")
	f("/v1/track", `{"userId":"u1"}`, 400, "r")
	f("/v1/track", `{"event":"x"}`, 400, "r")
	f("/v1/t", `{"userId":"u1","event":"x"}`, 200, "a")
	f("/v1/b", `{"batch":[{"type":"page","anonymousId":"a"}]}`, 200, "a")
	f("/beacon/v1/batch?writeKey=k", `{"batch":[{"type":"page","anonymousId":"a"}]}`, 200, "a")
	f("/v1/batch", `{"batch":[{"type":"page"}]}`, 200, "r")
	f("/v1/events", `[{"type":7},{"type":"page","time":"1971-01-01T00:00:00Z"}]`, 400, "rr")
	f("/v1/events", "{\"type\":\"page\",\"user\":\"u\"}\n{\"type\":\"page\",\"user\":\"u\"}\n", 200, "aa")
	f("/v1/events", "{\n  \"type\": \"page\",\n  \"user\": \"u\"\n}", 200, "a")
	ahead := func(d time.Duration) string { return event.TimeOf(time.Now().Add(d)).String() }
	f("/v1/events", `[{"type":"page","user":"u","time":"`+ahead(3*time.Hour)+`"},{"type":"page","user":"u","time":"`+ahead(48*time.Hour)+`"}]`, 200, "ar")
	f("/v1/events", `[{"type":"heartbeat"},{"type":"page"}]`, 200, "ra")
	// the wall's clock takes no recorded time
	f("/v1/events?clock=2026-11-25T09:00:00Z", `[]`, 400, "")
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(`{"batch":[{"type":"track","userId":"u1","event":"x"}]}`))
	_ = z.Close()
	f("/v1/batch", packed.String(), 200, "a")
	var clicked *event.Event
	ranges, _ := client.Offsets(t.Context(), event.TopicEvents)
	for p, rg := range ranges {
		if rg.End == 0 {
			continue
		}
		r := client.NewReader(event.TopicEvents, p, 0)
		for r.Offset() < rg.End {
			recs, err := r.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range recs {
				if e, err := event.ParseEvent(rec.Value); err == nil && e.Type == event.TypeClick {
					clicked = &e
				}
			}
		}
		_ = r.Close()
	}
	if clicked == nil || clicked.Prediction != "p1" || clicked.Ad != "a1" || clicked.Value != 2 || clicked.User != "7" || clicked.ID != "m2" {
		t.Errorf("the ad's click came as %+v", clicked)
	}
}

func TestPreflightsAreAnsweredByOrigin(t *testing.T) {
	cfg := DefaultConfig()
	cfg.CORSOrigins = []string{"https://shop.example"}
	_, server, _ := run(t, dial(t, backend.Kafka(t)), cfg, features.NewMemory(), false)
	status, h, _ := send(t, "OPTIONS", server.URL+"/v1/track", map[string]string{"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}, nil)
	if status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://shop.example" || h.Get("Access-Control-Allow-Credentials") != "true" ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("status %d, headers %v", status, h)
	}
}

func TestAClientsClockIsCorrectedInCoarseStepsOnly(t *testing.T) {
	now, _ := event.ParseTime("2026-11-25T09:00:00Z")
	f := func(original, sent, want time.Duration) {
		t.Helper()
		s := segmentCall{original: now.Add(original), sent: now.Add(sent)}
		if got := s.time(now); got != now.Add(want) {
			t.Errorf("made at %v, sent at %v: taken for %v, want %v", original, sent, got, now.Add(want))
		}
	}
	f(-10*time.Second, -2*time.Second, -10*time.Second) // the network's delay is no skew
	f(-10*time.Second, 2*time.Minute, -10*time.Second)
	f(time.Hour-10*time.Second, time.Hour, -10*time.Second)
	f(-time.Hour-3*time.Second, -time.Hour+time.Second, -3*time.Second)
}
