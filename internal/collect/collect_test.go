package collect

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
)

// dial connects under a prefix of the test's own and makes the topic of events.
func dial(t *testing.T, brokers []string) *stream.Client {
	t.Helper()
	by, login := backend.Secured(brokers)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: backend.Prefix(t), ClientID: "test", Session: backend.Session(), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicEvents, Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	return client
}

func wallNow() event.Time { return event.TimeOf(time.Now()) }

// fresh is a Collector that was not run yet.
func fresh(client *stream.Client) *Collector {
	return New(Config{
		Client: client, Clock: NewClock(wallNow, false), MaxWaiting: 1 << 20, Heartbeat: 10 * time.Millisecond, Lease: 10 * time.Second,
		Logger: slog.New(slog.DiscardHandler),
	})
}

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

// inFlight makes n clicks wait in a collector's queue, stamped.
func inFlight(t *testing.T, c *Collector, n int) (waiting []stream.Ticket) {
	t.Helper()
	for range n {
		queued, err := c.enqueue(nil, func(now event.Time, recorded bool) []stream.Record {
			e := event.Event{ID: "c", Type: event.TypeClick}
			if err := Stamp(&e, now, recorded); err != nil {
				t.Error(err)
			}
			return []stream.Record{c.Record(&e, e.AppendJSON(nil), c.Headers(t.Context()))}
		})
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, queued)
	}
	return waiting
}

func acknowledged(t *testing.T, c *Collector, waiting []stream.Ticket) {
	t.Helper()
	for _, queued := range waiting {
		if err := c.batcher.Await(t.Context(), queued); err != nil {
			t.Errorf("a click in flight is not acknowledged: %v", err)
		}
	}
}

// What a collector has taken when it is told to end is acknowledged, and stands before its
// farewell.
func TestACollectorThatEndsWritesWhatItHasTaken(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	c := fresh(client)
	c.standing.vouch(wallNow()) // an earlier heartbeat
	const n = 8
	waiting := inFlight(t, c, n)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	acknowledged(t, c, waiting)
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
	f(1, false, ErrSilent)
	f(1, true, nil)
	s.vouch(1000)
	f(1000, false, nil)
	f(6000, false, nil)
	f(6001, false, ErrSilent)
	f(900, false, nil) // a clock that was set back
	s.vouch(6002)
	f(6003, false, nil)
	s.leave()
	f(6003, false, ErrLeaving)
	f(6003, true, ErrLeaving)
}

// Acknowledged clicks of a collector that is paused stand behind the heartbeats of another, and are
// received when they were.
func TestClicksOfAPausedCollectorAreReceivedWhenTheyWere(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	paused, other := fresh(client), fresh(client)
	beat := func(c *Collector) { // past the queue, which holds what is in flight
		n, _ := client.Partitions(t.Context(), event.TopicEvents)
		stamp := c.clock.Now()
		beats := c.heartbeats(n, event.Event{Time: stamp, Received: stamp, Collector: c.name})
		if err := client.Produce(t.Context(), event.TopicEvents, beats); err != nil {
			t.Fatal(err)
		}
		c.standing.vouch(stamp)
	}
	beat(paused)
	beat(other)
	const n = 10
	waiting := inFlight(t, paused, n)
	for range 5 {
		beat(other)
	}
	// it goes on: its queue, and a heartbeat behind that
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- paused.batcher.Run(running) }()
	acknowledged(t, paused, waiting)
	paused.beatOnce(t.Context())
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
