package ingest

import (
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/prometheus/client_golang/prometheus"
)

// Events that the process takes in another way than over HTTP are folded and counted like others.
func TestTakenEventsAreFoldedAndCounted(t *testing.T) {
	reg, store := prometheus.NewRegistry(), features.NewMemory()
	client := dial(t, backend.Kafka(t))
	i, _, _ := runWith(t, client, DefaultConfig(), store, false, reg)
	e := event.Event{ID: "n/click", Type: event.TypeClick, Time: wallNow(), User: "u1"}
	for range 2 { // sent again
		if err := i.Take(t.Context(), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	if n := clicks(t, i, store, "u1", wallNow()); n != 1 {
		t.Errorf("%v clicks are counted, want 1", n)
	}
	if n := metric(t, reg, "clickloop_ingest_collected_total", "accepted"); n != 2 {
		t.Errorf("%v events are accepted, want 2", n)
	}
}
