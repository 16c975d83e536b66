package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// Events that happened too long before their receipt are refused with field and reason, by the
// collector and by the fold of what other producers write. With a recorded clock none is.
func TestEventsThatAreTooOldAreRefused(t *testing.T) {
	for _, recorded := range []bool{false, true} {
		client := dial(t, backend.Kafka(t))
		makeTopics(t, client)
		store := features.NewMemory()
		cfg := DefaultConfig()
		cfg.MaxAge = event.AgeLimits{event.TypeClick: time.Hour}
		i, server, _ := run(t, client, cfg, store, recorded)
		at := func(ago time.Duration) string { return event.TimeOf(time.Now()).Add(-ago).String() }
		received := at(0)
		old := fmt.Sprintf(`{"id":"old","type":"click","user":"u1","time":%q,"received":%q}`, at(90*time.Minute), received)
		young := fmt.Sprintf(`{"id":"young","type":"click","user":"u1","time":%q,"received":%q}`, at(30*time.Minute), received)
		other := fmt.Sprintf(`{"id":"other","type":"page","user":"u1","time":%q,"received":%q}`, at(90*time.Minute), received)
		_, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader("["+old+","+young+","+other+"]"))
		if got := a.Results[0]; (got.Status == "rejected") == recorded || !recorded && (got.Field != "time" || !strings.Contains(got.Reason, "more than 1h0m0s before its receipt")) {
			t.Errorf("recorded %v: %+v", recorded, got)
		}
		if a.Results[1].Status != "accepted" || a.Results[2].Status != "accepted" {
			t.Errorf("recorded %v: %+v", recorded, a.Results)
		}
		if recorded {
			continue
		}
		foreign := stream.Record{Partition: -1, Key: []byte("u1"), Value: []byte(strings.Replace(old, "old", "foreign", 1))}
		last := stream.Record{Partition: -1, Key: []byte("u1"), Value: []byte(strings.Replace(young, "young", "last", 1))}
		if err := client.Produce(t.Context(), event.TopicEvents, []stream.Record{foreign, last}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "two clicks", func() bool { now := event.TimeOf(time.Now()); return clicks(t, i, store, "u1", now) == 2 })
		letters := deadLetters(t, client)
		if len(letters) != 2 {
			t.Fatalf("%d dead letters, want 2", len(letters))
		}
		for _, d := range letters {
			if !strings.Contains(d.Reason, "ingest.max_age") {
				t.Errorf("a dead letter says %q", d.Reason)
			}
		}
	}
}
