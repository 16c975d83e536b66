package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/collect"
	"github.com/clickloop/clickloop/stream"
)

// eventsOf reads what each partition of events holds.
func eventsOf(t *testing.T, client *stream.Client) [][]event.Event {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), event.TopicEvents)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]event.Event, len(ranges))
	for p, r := range ranges {
		err := client.ReadRange(t.Context(), event.TopicEvents, p, r.First, r.End, func(r *stream.Record) error {
			e, err := event.ParseEvent(r.Value)
			all[p] = append(all[p], e)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// unstarted is an Ingester that was not run yet, and its server.
func unstarted(t *testing.T, client *stream.Client, cfg Config) (*Ingester, *httptest.Server) {
	t.Helper()
	set, err := features.Compile(features.Config{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := New(cfg, Deps{Client: client, Set: set, Store: features.NewMemory(), Clock: NewClock(wallNow, false), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	i.Register(mux, mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return i, server
}

func wallNow() event.Time { return event.TimeOf(time.Now()) }

// poll waits until ok, or fails with what.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 20s for %s", what)
		}
	}
}

func TestACollectorTakesNoEventBeforeItHasAnnouncedItself(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	cfg := DefaultConfig()
	cfg.Acknowledge = 20 * time.Millisecond
	i, server := unstarted(t, client, cfg)
	if err := i.Ready(t.Context()); !errors.Is(err, collect.ErrSilent) {
		t.Errorf("ready before the first heartbeat: %v", err)
	}
	post := func() (int, http.Header) {
		status, header, _ := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(`{"type":"click","user":"u1"}`))
		return status, header
	}
	if status, header := post(); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("before the first heartbeat: status %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- i.collector.events.Run(ctx) }()
	poll(t, "an answer of 200", func() bool { status, _ := post(); return status == http.StatusOK })
	cancel()
	<-done
	if status, header := post(); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("after its end: status %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	for p, events := range eventsOf(t, client) {
		first, last := events[0], events[len(events)-1]
		if first.Type != event.TypeHeartbeat || first.Collector != i.collector.events.Name() || first.Leaving {
			t.Errorf("partition %d begins with %+v, want a heartbeat of %s", p, first, i.collector.events.Name())
		}
		if last.Type != event.TypeHeartbeat || last.Collector != i.collector.events.Name() || !last.Leaving || last.Received < first.Received {
			t.Errorf("partition %d ends with %+v, want a farewell of %s", p, last, i.collector.events.Name())
		}
	}
	if other, _ := unstarted(t, client, cfg); other.collector.events.Name() == i.collector.events.Name() {
		t.Error("two starts have one name")
	}
}

// When a recording has ended, events of the moment are taken as soon as the collector has announced
// itself.
func TestACollectorWhoseClockIsTurnedAnnouncesItself(t *testing.T) {
	i, client, server := stage(t, features.NewMemory(), true)
	t0, _ := event.ParseTime("2026-11-25T09:00:00Z")
	if status, _, _ := send(t, "POST", server.URL+"/v1/events?clock="+t0.String(), nil, strings.NewReader("[]")); status != 200 {
		t.Fatal(status)
	}
	i.clock.SetRecorded(false)
	if status, _, _ := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(`{"id":"now","type":"click","user":"u1"}`)); status != 200 {
		t.Fatal(status)
	}
	for p, events := range eventsOf(t, client) {
		if len(events) < 2 || events[0].Collector != "" || events[1].Collector != i.collector.events.Name() {
			t.Errorf("partition %d holds %+v, want the driver's heartbeat and the collector's", p, events)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if folded, err := i.folded.await(ctx, t0.Add(time.Hour)); err != nil || folded <= t0.Add(time.Hour) {
		t.Errorf("folded up to %v, %v: the driver's heartbeats hold back", folded, err)
	}
}
