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
	"github.com/clickloop/clickloop/internal/watermark"
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

// inFlight makes n clicks wait in a collector's queue, stamped.
func inFlight(t *testing.T, c *collector, n int) (waiting []stream.Ticket) {
	t.Helper()
	for range n {
		in, queued, err := c.enqueue(&delivery{count: 1, event: func(int, *intake) item { return item{event: event.Event{Type: event.TypeClick}} }}, nil)
		if err != nil || len(in.records) != 1 {
			t.Fatalf("%d records, %v", len(in.records), err)
		}
		waiting = append(waiting, queued)
	}
	return waiting
}

func acknowledged(t *testing.T, c *collector, waiting []stream.Ticket) {
	t.Helper()
	for _, queued := range waiting {
		if err := c.batcher.Await(t.Context(), queued); err != nil {
			t.Errorf("a click in flight is not acknowledged: %v", err)
		}
	}
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
	if err := i.Ready(t.Context()); !errors.Is(err, errSilent) {
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
	go func() { done <- i.collector.run(ctx) }()
	poll(t, "an answer of 200", func() bool { status, _ := post(); return status == http.StatusOK })
	cancel()
	<-done
	if status, header := post(); status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("after its end: status %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	for p, events := range eventsOf(t, client) {
		first, last := events[0], events[len(events)-1]
		if first.Type != event.TypeHeartbeat || first.Collector != i.collector.name || first.Leaving {
			t.Errorf("partition %d begins with %+v, want a heartbeat of %s", p, first, i.collector.name)
		}
		if last.Type != event.TypeHeartbeat || last.Collector != i.collector.name || !last.Leaving || last.Received < first.Received {
			t.Errorf("partition %d ends with %+v, want a farewell of %s", p, last, i.collector.name)
		}
	}
	if other, _ := unstarted(t, client, cfg); other.collector.name == i.collector.name {
		t.Error("two starts have one name")
	}
}

// What a collector has taken when it is told to end is acknowledged, and stands before its
// farewell.
func TestACollectorThatEndsWritesWhatItHasTaken(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	i, _ := unstarted(t, client, DefaultConfig())
	c := i.collector
	c.standing.vouch(wallNow()) // an earlier heartbeat
	const n = 8
	waiting := inFlight(t, c, n)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	acknowledged(t, i.collector, waiting)
	clicks := 0
	for p, events := range eventsOf(t, client) {
		for _, e := range events {
			if e.Type == event.TypeClick {
				clicks++
			}
		}
		if last := events[len(events)-1]; !last.Leaving {
			t.Errorf("partition %d ends with %+v, want the farewell", p, last)
		}
	}
	if clicks != n {
		t.Errorf("%d clicks are in the log, want %d", clicks, n)
	}
}

// A collector that was stopped for longer than labels wait for it takes nothing before it has
// announced itself again.
func TestStandingEndsWithSilence(t *testing.T) {
	s := standing{lease: 10 * time.Second}
	f := func(now event.Time, recorded bool, want error) {
		t.Helper()
		if err := s.check(now, recorded); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("at %d: %v, want %v", now, err, want)
		}
	}
	f(1, false, errSilent)
	f(1, true, nil)
	s.vouch(1000)
	f(1000, false, nil)
	f(6000, false, nil)
	f(6001, false, errSilent)
	f(900, false, nil) // a clock that was set back
	s.vouch(6002)
	f(6003, false, nil)
	s.leave()
	f(6003, false, errLeaving)
	f(6003, true, errLeaving)
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
		if len(events) < 2 || events[0].Collector != "" || events[1].Collector != i.collector.name {
			t.Errorf("partition %d holds %+v, want the driver's heartbeat and the collector's", p, events)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if folded, err := i.folded.await(ctx, t0.Add(time.Hour)); err != nil || folded <= t0.Add(time.Hour) {
		t.Errorf("folded up to %v, %v: the driver's heartbeats hold back", folded, err)
	}
}

// Acknowledged clicks of a collector that is paused stand behind the heartbeats of another, and are
// received when they were.
func TestClicksOfAPausedCollectorAreReceivedWhenTheyWere(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	paused, _ := unstarted(t, client, DefaultConfig())
	other, _ := unstarted(t, client, DefaultConfig())
	beat := func(c *collector) { // past the queue, which holds what is in flight
		n, _ := client.Partitions(t.Context(), event.TopicEvents)
		stamp := c.clock.Now()
		beats := c.heartbeats(n, event.Event{Time: stamp, Received: stamp, Collector: c.name})
		if err := client.Produce(t.Context(), event.TopicEvents, beats); err != nil {
			t.Fatal(err)
		}
		c.standing.vouch(stamp)
	}
	beat(paused.collector)
	beat(other.collector)
	const n = 10
	waiting := inFlight(t, paused.collector, n)
	for range 5 {
		beat(other.collector)
	}
	// it goes on: its queue, and a heartbeat behind that
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- paused.collector.batcher.Run(running) }()
	acknowledged(t, paused.collector, waiting)
	paused.collector.beatOnce(t.Context())
	stop()
	<-ended
	clicks := 0
	for p, events := range eventsOf(t, client) {
		marks, _ := watermark.New(watermark.DefaultConfig(), 0, "")
		for _, e := range events {
			if e.Type == event.TypeHeartbeat {
				marks.Beat(&e, watermark.Clocks{})
				continue
			}
			clicks++
			received := e.Received
			if marks.Settle(&e, watermark.Clocks{}); e.Received > received+1 {
				t.Errorf("partition %d: a click received at %v counts as received at %v", p, received, e.Received)
			}
		}
		if marks.Collectors() != 2 {
			t.Errorf("partition %d waits for %d collectors", p, marks.Collectors())
		}
	}
	if clicks != n {
		t.Errorf("%d clicks", clicks)
	}
}
