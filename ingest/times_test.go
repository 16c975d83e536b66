package ingest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// Whatever the clocks of clients say, no event happens after its receipt, and the topic tells which
// rule set its time.
func TestNoEventHappensAfterItsReceipt(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	began := wallNow()
	at := func(ahead time.Duration) string { return wallNow().Add(ahead).String() }
	cases := map[string]struct {
		path, body string
		rule       string
		age        time.Duration // of the event's time at its receipt, within a second
		original   time.Duration // of the client's own time, likewise
	}{
		"behind":                                {"events", `{"id":%q,"type":"click","time":"` + at(-time.Hour) + `"}`, "", time.Hour, 0},
		"none":                                  {"events", `{"id":%q,"type":"click"}`, "received", 0, 0},
		"40 min":                                {"events", `{"id":%q,"type":"click","time":"` + at(40*time.Minute) + `"}`, "clamped", 0, -40 * time.Minute},
		"impression 40 min":                     {"events", `{"id":%q,"type":"impression","time":"` + at(40*time.Minute) + `"}`, "clamped", 0, -40 * time.Minute},
		"2 h":                                   {"events", `{"id":%q,"type":"click","time":"` + at(2*time.Hour) + `"}`, "clamped", 0, -2 * time.Hour},
		"23 h":                                  {"events", `{"id":%q,"type":"click","time":"` + at(23*time.Hour) + `"}`, "clamped", 0, -23 * time.Hour},
		"says so":                               {"events", `{"id":%q,"type":"click","time":"` + at(-time.Hour) + `","time_rule":"sent_at","original_time":"` + at(0) + `","collector":"x","leaving":true}`, "", time.Hour, 0},
		"received by itself":                    {"events", `{"id":%q,"type":"click","time":"` + at(time.Hour) + `","received":"` + at(2*time.Hour) + `"}`, "clamped", 0, -time.Hour},
		"segment":                               {"track", `{"messageId":%q,"userId":"u","event":"Click","timestamp":"` + at(-time.Hour) + `"}`, "", time.Hour, 0},
		"segment, none":                         {"track", `{"messageId":%q,"userId":"u","event":"Click"}`, "received", 0, 0},
		"segment 40 min":                        {"track", `{"messageId":%q,"userId":"u","event":"Click","timestamp":"` + at(40*time.Minute) + `"}`, "clamped", 0, -40 * time.Minute},
		"segment 2 min, which is no whole step": {"track", `{"messageId":%q,"userId":"u","event":"Click","originalTimestamp":"` + at(2*time.Minute) + `","sentAt":"` + at(2*time.Minute) + `"}`, "clamped", 0, -2 * time.Minute},
		"segment 7 min, of which 2 stay":        {"track", `{"messageId":%q,"userId":"u","event":"Click","originalTimestamp":"` + at(7*time.Minute) + `","sentAt":"` + at(7*time.Minute) + `"}`, "sent_at", 0, -7 * time.Minute},
		"segment 30 h ahead":                    {"track", `{"messageId":%q,"userId":"u","event":"Click","originalTimestamp":"` + at(30*time.Hour-time.Minute) + `","sentAt":"` + at(30*time.Hour) + `"}`, "sent_at", time.Minute, -30*time.Hour + time.Minute},
		"segment 2 h behind":                    {"track", `{"messageId":%q,"userId":"u","event":"Click","originalTimestamp":"` + at(-2*time.Hour) + `","sentAt":"` + at(-2*time.Hour) + `"}`, "sent_at", 0, 2 * time.Hour},
		"segment sent long after":               {"track", `{"messageId":%q,"userId":"u","event":"Click","originalTimestamp":"` + at(-2*time.Hour) + `","sentAt":"` + at(0) + `"}`, "", 2 * time.Hour, 0},
	}
	for id, c := range cases {
		if status, _, a := send(t, "POST", server.URL+"/v1/"+c.path, nil, strings.NewReader(fmt.Sprintf(c.body, id))); status != 200 || a.Results[0].Status != "accepted" {
			t.Fatalf("%s: status %d, %+v", id, status, a)
		}
	}
	near := func(got event.Time, want time.Duration) bool {
		off := got.Duration() - want
		// a slow machine takes a while between the two
		return off > -25*time.Second && off < 25*time.Second
	}
	seen := 0
	for _, events := range eventsOf(t, client) {
		for _, e := range events {
			c, ok := cases[e.ID]
			if !ok {
				continue
			}
			seen++
			if e.Received < began || e.Time > e.Received || !near(e.Received-e.Time, c.age) || e.TimeRule != c.rule || e.Collector != "" || e.Leaving {
				t.Errorf("%s: received %v, time %v by rule %q, want the rule %q and %v before", e.ID, e.Received, e.Time, e.TimeRule, c.rule, c.age)
			}
			if c.original != 0 && !near(e.Received-e.OriginalTime, c.original) || c.original == 0 && e.OriginalTime != 0 {
				t.Errorf("%s: the client's own time is %v, want %v before %v", e.ID, e.OriginalTime, c.original, e.Received)
			}
		}
	}
	if seen != len(cases) {
		t.Errorf("%d of %d events are in the log", seen, len(cases))
	}
}

func TestATimeMoreThanADayAheadIsRefused(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	for path, body := range map[string]string{
		"events": `{"id":"x","type":"click","time":"` + wallNow().Add(30*time.Hour).String() + `"}`,
		"track":  `{"messageId":"x","userId":"u","event":"Click","timestamp":"` + wallNow().Add(30*time.Hour).String() + `"}`,
	} {
		status, _, a := send(t, "POST", server.URL+"/v1/"+path, nil, strings.NewReader(body))
		if status != 400 || a.Error.Field != "time" || !strings.Contains(a.Error.Message, "more than 24 hours after its receipt at ") {
			t.Errorf("%s: status %d, %+v", path, status, a.Error)
		}
	}
}

// A recorded event that does not say when it was received was received when it happened.
func TestARecordedEventIsReceivedWhenItHappened(t *testing.T) {
	e := event.Event{Type: event.TypeClick, Time: recordedAt}
	if err := clean(&e, wallNow(), true); err != nil || e.Received != recordedAt || e.Time != recordedAt || e.TimeRule != "" {
		t.Errorf("%+v, %v", e, err)
	}
	e = event.Event{Type: event.TypeClick, Time: recordedAt, Received: recordedAt + 5, TimeRule: event.TimeClamped, OriginalTime: recordedAt + 9}
	if err := clean(&e, wallNow(), true); err != nil || e.Received != recordedAt+5 || e.OriginalTime != recordedAt+9 {
		t.Errorf("%+v, %v", e, err)
	}
}

// counters are a metric's values by its one label.
func counters(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				values[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return values
}

// folds runs a consumer alone, so that the test writes all heartbeats.
func folds(t *testing.T) (client *stream.Client, store *features.Memory, i *Ingester, registry *prometheus.Registry, url string) {
	t.Helper()
	client, store, registry = dial(t, backend.Kafka(t)), features.NewMemory(), prometheus.NewRegistry()
	set, err := features.Compile(features.Config{Profiles: []features.ProfileConfig{
		{Name: "clicks", Entity: "user", Aggregate: "count", Event: event.TypeClick, Window: "1d"},
		{Name: "recency", Entity: "user", Aggregate: "recency", Event: event.TypeClick},
	}})
	if err != nil {
		t.Fatal(err)
	}
	i, err = New(DefaultConfig(), Deps{Client: client, Set: set, Store: store, Clock: NewClock(wallNow, false), Logger: slog.New(slog.DiscardHandler), Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	i.Register(mux, mux)
	server := httptest.NewServer(mux)
	done := make(chan error, 1)
	go func() { done <- i.consumer.Run(t.Context()) }()
	t.Cleanup(func() { <-done; server.Close() })
	return client, store, i, registry, server.URL
}

// Other producers write what they like: what they write ahead of Kafka's clock counts as of that,
// and what has no timestamp of Kafka is taken by the watermark.
func TestOtherProducersTimesAreHeldAgainstKafkas(t *testing.T) {
	client, store, i, registry, url := folds(t)
	now := wallNow()
	none := time.UnixMilli(-1)
	stamped := func(t event.Time) time.Time { // a real broker refuses such timestamps
		if backend.Real() {
			return time.Time{}
		}
		return t.Std()
	}
	produce := func(e event.Event, stamp time.Time) {
		t.Helper()
		p := -1
		if e.Type == event.TypeHeartbeat {
			p = 0
		}
		for ; p < 3; p++ {
			if err := client.Produce(t.Context(), event.TopicEvents, []stream.Record{{Partition: p, Key: []byte(e.User), Value: e.AppendJSON(nil), Time: stamp}}); err != nil {
				t.Fatal(err)
			}
			if e.Type != event.TypeHeartbeat {
				break
			}
		}
	}
	beat := func(collector string, at event.Time, stamp time.Time) {
		produce(event.Event{Type: event.TypeHeartbeat, Received: at, Collector: collector}, stamp)
	}
	click := func(user string, at, received event.Time, stamp time.Time) {
		produce(event.Event{ID: "id " + user, Type: event.TypeClick, User: user, Time: at, Received: received}, stamp)
	}
	year2099 := now.Add(73 * 365 * 24 * time.Hour)
	beat("good", now, time.Time{})
	click("40 min ahead", now.Add(40*time.Minute), 0, time.Time{})
	click("received ahead", now.Add(40*time.Minute), now.Add(40*time.Minute), time.Time{})
	click("received in 2099", year2099, year2099, time.Time{})
	click("stamped in 2099", year2099, year2099, stamped(year2099))
	click("no stamp", now.Add(-time.Minute), 0, none)
	click("no stamp", now.Add(-time.Minute), 0, none) // sent again
	click("no stamp, 2099", year2099, 0, none)
	click("no stamp, no time", 0, 0, none) // buried
	for _, at := range []event.Time{now.Add(time.Hour), year2099} {
		beat("bad", at, time.Time{})
		beat("bad", at, stamped(at))
	}
	beat("slow", now.Add(-time.Hour), time.Time{})
	beat("good", now+1, time.Time{})
	for user, age := range map[string]time.Duration{
		"40 min ahead": 0, "received ahead": 0, "received in 2099": 0, "stamped in 2099": 0, "no stamp": time.Minute, "no stamp, 2099": 0,
	} {
		if n := clicks(t, i, store, user, now+1); n != 1 {
			t.Errorf("%s: %v clicks are counted, want 1", user, n)
		}
		r := features.Request{Time: now.Add(time.Minute), User: user}
		profiles, err := store.Read(t.Context(), i.consumer.set.Keys(nil, &r))
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := i.consumer.set.Assemble(nil, &r, profiles).Lookup("recency"); v.Num < 20+age.Seconds() || v.Num > 61+age.Seconds() {
			t.Errorf("%s: the last click was %v s ago, want %v", user, v.Num, time.Minute+age)
		}
	}
	poll(t, "the watermark", func() bool { at, err := i.consumer.Watermark(t.Context()); return err == nil && at == now+1 })
	for name, want := range map[string]map[string]float64{
		"clickloop_ingest_event_times_total": {"clamped": 5, "given": 1, "received": 0, "sent_at": 0},
		"clickloop_ingest_heartbeats_total":  {"ahead": 12, "slow": 3, "taken": 6},
		"clickloop_ingest_events_total":      {"folded": 6, "refused": 1, "repeated": 1},
	} {
		if got := counters(t, registry, name); !maps.Equal(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	resp, err := http.Get(url + "/v1/clock")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	var answer struct{ Faulty []string }
	if err := json.Unmarshal(b, &answer); err != nil || strings.Join(answer.Faulty, " ") != "bad slow" {
		t.Errorf("the clock answers %s, %v; want the faulty collectors bad and slow", b, err)
	}
}
