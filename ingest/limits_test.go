package ingest

import (
	"context"
	"errors"
	"fmt"
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
	"golang.org/x/time/rate"
)

// free waits until the collector's budget is whole again: answers may be read a moment before their
// handlers have returned.
func free(t *testing.T, c *collector) {
	t.Helper()
	all := int64(c.cfg.MaxWaiting)
	for end := time.Now().Add(10 * time.Second); !c.budget.TryAcquire(all); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("requests that are answered hold a part of the budget")
		}
	}
	c.budget.Release(all)
}

// Every way that a request can end gives back what its body held.
func TestBodiesGiveBackWhatTheyHeld(t *testing.T) {
	i, _, server := stage(t, features.NewMemory(), false)
	big := strings.Repeat(" ", 100_000)
	f := func(path, body string, status int) {
		t.Helper()
		if got, _, a := send(t, "POST", server.URL+path, nil, strings.NewReader(body)); got != status {
			t.Errorf("%s: status %d, %+v, want %d", path, got, a, status)
		}
		free(t, i.collector)
	}
	f("/v1/events", big+`{"type":"page"}`, 200)
	f("/v1/events", big+`{"type":7}`, 400)
	f("/v1/events", big, 400)
	f("/v1/events", strings.Repeat(" ", DefaultConfig().MaxBody+1), 413)
	f("/v1/events", packed(100_000).String(), 200)
	f("/v1/events", packed(100_000).String()[:50], 400)
	f("/v1/track", big+`{"userId":"u","event":"x"}`, 200)
	f("/v1/track", big+`{"userId":"u"}`, 400)
	f("/v1/track", big+`{"userId"`, 400)
	f("/v1/batch", big+`{"batch":[{"type":"page","userId":"u"}]}`, 200)
	f("/v1/batch", big+`{"batch":[{}]}`, 200)
	f("/v1/batch", big+`{"batch":7}`, 400)
	f("/beacon/v1/batch", big+`{"batch":[]}`, 200)
}

// The most that one body may take is what its reading may hold: twice the limit, since memory
// doubles as it grows.
func TestABodyIsReadWithinItsBounds(t *testing.T) {
	i, _, _ := stage(t, features.NewMemory(), false)
	c := i.collector
	c.cfg.MaxBody = 10_000
	b := &body{budget: c.budget, limit: c.cfg.MaxBody}
	defer b.release()
	if got, err := b.read(strings.NewReader(strings.Repeat("x", 10_000))); err != nil || len(got) != 10_000 || b.held != 16<<10 {
		t.Errorf("%d bytes, %v, held %d", len(got), err, b.held)
	}
	if _, err := b.read(strings.NewReader(strings.Repeat("x", 10_001))); !isTooLarge(err) {
		t.Error(err)
	}
}

func TestTooManyEventsInABodyAreRefused(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	cfg := DefaultConfig()
	cfg.MaxEvents = 3
	_, server, _ := run(t, client, cfg, features.NewMemory(), false)
	f := func(path, body string, status int) {
		t.Helper()
		if got, _, a := send(t, "POST", server.URL+path, nil, strings.NewReader(body)); got != status || status == 400 && !strings.Contains(a.Error.Message, "at most 3") {
			t.Errorf("%s %s: status %d, %+v, want %d", path, body, got, a, status)
		}
	}
	list := func(n int, one, between string) string {
		return strings.TrimSuffix(strings.Repeat(one+between, n), between)
	}
	f("/v1/events", "["+list(3, `{"type":"page"}`, ",")+"]", 200)
	f("/v1/events", "["+list(4, `{"type":"page"}`, ",")+"]", 400)
	f("/v1/events", list(3, `{"type":"page"}`, "\n"), 200)
	f("/v1/events", list(4, `{"type":"page"}`, "\n"), 400)
	f("/v1/batch", `{"batch":[`+list(3, `{"type":"page","userId":"u"}`, ",")+"]}", 200)
	f("/v1/batch", `{"batch":[`+list(4, `{"type":"page","userId":"u"}`, ",")+"]}", 400)
}

// A rate counts events, not requests, in every form; a replay's driver waits for answers and is not
// limited.
func TestTheRateCountsEvents(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	cfg := DefaultConfig()
	cfg.Rate, cfg.MaxEvents = 1, 8
	ten := func(server *httptest.Server, path, body string) (ok int) {
		t.Helper()
		for range 2 {
			if status, _, _ := send(t, "POST", server.URL+path, nil, strings.NewReader(body)); status == 200 {
				ok++
			} else if status != 429 {
				t.Errorf("%s: status %d", path, status)
			}
		}
		return ok
	}
	events := "[" + strings.TrimSuffix(strings.Repeat(`{"type":"page"},`, 8), ",") + "]"
	calls := `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"page","userId":"u"},`, 8), ",") + "]}"
	_, server, _ := run(t, client, cfg, features.NewMemory(), false)
	if n := ten(server, "/v1/events", events); n != 1 {
		t.Errorf("%d requests of 8 events pass a rate of 1 and a burst of 8", n)
	}
	_, server, _ = run(t, client, cfg, features.NewMemory(), false)
	if n := ten(server, "/v1/batch", calls); n != 1 {
		t.Errorf("%d batches of 8 calls pass a rate of 1 and a burst of 8", n)
	}
	_, server, _ = run(t, client, cfg, features.NewMemory(), true)
	if n := ten(server, "/v1/events", strings.ReplaceAll(events, `"page"`, `"page","time":"2026-11-25T09:00:00Z"`)); n != 2 {
		t.Errorf("%d of 2 requests of a replay pass", n)
	}
}

// What waits for Kafka is bounded: beyond it a request is told at once, not when its patience ends.
func TestEventsThatWaitForKafkaAreBounded(t *testing.T) {
	services := backend.Embedded(t)
	client := dial(t, []string{services.Kafka})
	cfg := DefaultConfig()
	cfg.MaxBody, cfg.MaxWaiting, cfg.Acknowledge = 16<<10, 64<<10, time.Minute
	i, server, stop := run(t, client, cfg, features.NewMemory(), false)
	awaitReady(t, i, func(err error) bool { return err == nil }) // it takes events from then on
	services.StopKafka()
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"type":"page"},`, 500), ",") + "]"
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	refused := make(chan time.Duration, 8)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 4 {
		wg.Go(func() {
			began := time.Now()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/events", strings.NewReader(body))
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusServiceUnavailable {
					refused <- time.Since(began)
				}
			}
		})
	}
	select {
	case <-refused:
	case <-time.After(20 * time.Second):
		t.Error("four requests wait for Kafka, of which two fill what may wait")
	}
}

// A request waits no longer than acknowledge, also for dead letters and for the partitions of a
// clock.
func TestPatienceEnds(t *testing.T) {
	services := backend.Embedded(t)
	client := dial(t, []string{services.Kafka})
	cfg := DefaultConfig()
	cfg.Acknowledge = 50 * time.Millisecond
	_, server, _ := run(t, client, cfg, features.NewMemory(), true)
	services.StopKafka()
	f := func(path, body string) {
		t.Helper()
		if status, h, a := send(t, "POST", server.URL+path, nil, strings.NewReader(body)); status != 503 || h.Get("Retry-After") != "2" || a.Error.Code != "unavailable" {
			t.Errorf("%s: status %d, %v, %+v", path, status, h, a)
		}
	}
	f("/v1/events", `{"type":"page","time":"2026-11-25T09:00:00Z"}`)
	f("/v1/events?clock=2026-11-25T09:00:00Z", `[]`)
	f("/v1/batch", `{"batch":[{}]}`) // a dead letter alone
}

// A client may not say when an event was received while the clock is the wall's.
func TestReceivedIsTheCollectorsToSay(t *testing.T) {
	f := func(recorded bool, want func(event.Time) bool) {
		t.Helper()
		_, client, server := stage(t, features.NewMemory(), recorded)
		body := `{"id":"w1","type":"page","time":"2026-11-25T08:00:00Z","received":"2026-11-25T08:00:01Z"}`
		if status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(body)); status != 200 {
			t.Fatalf("status %d, %+v", status, a)
		}
		if e := collected(t, client, "w1")["w1"]; !want(e.Received) {
			t.Errorf("recorded %v: received at %v", recorded, e.Received)
		}
	}
	began := event.TimeOf(time.Now())
	f(false, func(at event.Time) bool { return at >= began && at <= event.TimeOf(time.Now()) })
	f(true, func(at event.Time) bool { return at == segmentNow-3_599_000 })
}

// metric is a counter's value, by one label's value where it has a label.
func metric(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if label == "" && len(m.GetLabel()) == 0 || label != "" && len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
		return 0
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestWhatBecomesOfEventsIsCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	services := backend.Embedded(t)
	client := dial(t, []string{services.Kafka})
	cfg := DefaultConfig()
	cfg.MaxEvents, cfg.Acknowledge = 10, 200*time.Millisecond
	store := features.NewMemory()
	i, server, _ := runWith(t, client, cfg, store, true, reg)
	f := func(path, body string, want string) {
		t.Helper()
		before := map[string]float64{}
		names := []string{"accepted", "rejected", "refused", "limited", "unavailable"}
		for _, name := range names {
			before[name] = metric(t, reg, "clickloop_ingest_collected_total", name)
		}
		send(t, "POST", server.URL+path, nil, strings.NewReader(body))
		got := ""
		for _, name := range names {
			if n := metric(t, reg, "clickloop_ingest_collected_total", name) - before[name]; n != 0 {
				got += fmt.Sprint(name, n, " ")
			}
		}
		if got != want {
			t.Errorf("%s %.60s is counted as %q, want %q", path, body, got, want)
		}
	}
	const at = `"time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"`
	t0 := segmentNow
	// on a slow machine an acknowledgement may come too late at first
	for end := time.Now().Add(20 * time.Second); ; {
		if status, _, _ := send(t, "POST", server.URL+"/v1/events?clock="+t0.String(), nil, strings.NewReader(`[]`)); status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the collector does not begin")
		}
	}
	i.collector.cfg.Acknowledge = 30 * time.Second
	f("/v1/events", `[{"id":"c1","type":"click","user":"u",`+at+`},{"id":"c1","type":"click","user":"u",`+at+`},{"type":7}]`, "accepted2 rejected1 ")
	f("/v1/events", `{"type":7}`, "rejected1 ")
	f("/v1/events", `{`, "rejected1 ")
	f("/v1/events", `x`, "refused1 ")
	f("/v1/events", strings.Repeat(" ", cfg.MaxBody+1), "refused1 ")
	f("/v1/events", "\x1f\x8b torn", "refused1 ")
	f("/v1/track", "a=1", "refused1 ")
	f("/v1/batch", `{"batch":[{"type":"page","userId":"u"},{"type":"page"}]}`, "accepted1 rejected1 ")
	f("/v1/track", `{"userId":"u"}`, "rejected1 ")
	f("/v1/track?clock=1", `{"userId":"u","event":"x","properties":{"revenue":"$1","ad":["a"],"t":"\ud83d\ud83d"},"prediction":"p"}`, "accepted1 ")
	f("/v1/events", `{"type":"page","ts":1,"zebra":2,`+at+`}`, "accepted1 ")
	f("/v1/events", `{"predictionId":1}`, "rejected1 ")
	for name, want := range map[string]float64{"unknown_fields": 4, "unreadable_fields": 2, "replaced_characters": 2, "deadletters": 2} {
		if got := metric(t, reg, "clickloop_ingest_"+name+"_total", ""); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	// And on the other side of the topic.
	if err := client.Produce(t.Context(), event.TopicEvents, []stream.Record{{Partition: -1, Key: []byte("u"), Value: []byte("{")}}); err != nil {
		t.Fatal(err)
	}
	send(t, "POST", server.URL+"/v1/events?clock="+(t0+1000).String(), nil, strings.NewReader(`[]`))
	if n := clicks(t, i, store, "u", t0+1000); n != 1 {
		t.Errorf("%v clicks", n)
	}
	for label, want := range map[string]float64{"folded": 4, "repeated": 1, "refused": 1} {
		if got := metric(t, reg, "clickloop_ingest_events_total", label); got != want {
			t.Errorf("%s: %v, want %v", label, got, want)
		}
	}
	store.Reset()
	send(t, "POST", server.URL+"/v1/events?clock="+(t0+2000).String(), nil, strings.NewReader(`[]`))
	clicks(t, i, store, "u", t0+2000)
	if n := metric(t, reg, "clickloop_ingest_moved_total", ""); n < 1 {
		t.Errorf("a store that was emptied is counted %v times", n)
	}
	i.collector.clock.SetRecorded(false)
	limiter := i.collector.limiter
	limiter.SetLimit(0)
	limiter.AllowN(time.Now(), limiter.Burst())
	f("/v1/events", `{"type":"page"}`, "limited1 ")
	limiter.SetLimit(rate.Inf)
	i.collector.cfg.Acknowledge = 50 * time.Millisecond
	services.StopKafka()
	f("/v1/events", `{"type":"page","ts":1}`, "unavailable1 ")
	if n := metric(t, reg, "clickloop_ingest_unknown_fields_total", ""); n != 4 {
		t.Errorf("what a sender must send again is warned of: %v", n)
	}
	free(t, i.collector)
	held := int64(cfg.MaxWaiting)
	if !i.collector.budget.TryAcquire(held) {
		t.Fatal("the budget is not free")
	}
	f("/v1/events", `{"type":"page"}`, "unavailable1 ")
	i.collector.budget.Release(held)
}

func isTooLarge(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusRequestEntityTooLarge
}
