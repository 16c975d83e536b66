package collect

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
)

// Events that a process has made stand behind its first heartbeat and before those that vouch for
// them, and a resend stands in the partition of the first.
func TestTakenEventsStandBeforeTheHeartbeatsThatVouchForThem(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	c := fresh(client)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	take := func(id, user string) {
		t.Helper()
		if err := c.Take(t.Context(), []event.Event{{ID: id, Type: event.TypeClick, Time: wallNow(), User: user}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		take("a", "")
		take("b", "u")
	}
	cancel()
	<-done
	if err := c.Take(t.Context(), []event.Event{{ID: "c", Type: event.TypeClick}}); !errors.Is(err, ErrLeaving) {
		t.Errorf("after its end: %v", err)
	}
	places, mark := map[string]map[int]int{"a": {}, "b": {}}, event.Time(0)
	for p, events := range eventsOf(t, client) {
		mark = 0
		if events[0].Type != event.TypeHeartbeat {
			t.Errorf("partition %d begins with %+v", p, events[0])
		}
		for _, e := range events {
			switch {
			case e.Type == event.TypeHeartbeat:
				mark = e.Received
			case e.Received < mark || e.TimeRule != "":
				t.Errorf("partition %d: %+v stands behind the heartbeat of %v", p, e, mark)
			default:
				places[e.ID][p]++
			}
		}
	}
	for id, at := range places {
		if len(at) != 1 {
			t.Errorf("%s stands in the partitions %v", id, at)
		}
	}
}

// A write that fails is no acknowledgement, and what is not valid is not written.
func TestWhatIsNotWrittenIsNotAcknowledged(t *testing.T) {
	c := fresh(dial(t, backend.Kafka(t)))
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Take(short, []event.Event{{ID: "a", Type: event.TypeClick}}); !errors.Is(err, ErrAway) {
		t.Errorf("before the first heartbeat: %v", err)
	}
	c.standing.vouch(wallNow())
	var wrong *event.Error
	if err := c.Take(t.Context(), []event.Event{{ID: "a"}}); !errors.As(err, &wrong) || wrong.Field != "type" {
		t.Errorf("an event without a type: %v", err)
	}
	queued := inFlight(t, c, 1)[0]
	ended, stop := context.WithCancel(t.Context())
	stop()
	_ = c.batcher.Run(ended) // answers what waits with the error of its context
	if err := c.Await(t.Context(), queued); err == nil {
		t.Error("a click whose writer has ended is acknowledged")
	}
}

// Recorded times are kept, and the driver's clock stands behind the events that were taken before.
func TestRecordedReceiptsAreKept(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	c := fresh(client)
	c.clock.SetRecorded(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() { cancel(); <-done }()
	at, err := event.ParseTime("2026-11-25T09:00:00.123Z")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []event.Event{{ID: "a", Type: event.TypeClick, Time: at}, {ID: "a", Type: event.TypeClick, Time: at, Received: at + 5}} {
		if err := c.Take(t.Context(), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	var received []event.Time
	for _, events := range eventsOf(t, client) {
		for _, e := range events {
			if received = append(received, e.Received); e.Time != at {
				t.Errorf("happened at %v", e.Time)
			}
		}
	}
	if len(received) != 2 || received[0] != at || received[1] != at+5 {
		t.Errorf("received at %v", received)
	}
}
