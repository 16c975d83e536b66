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

// deadLetters reads the topic of dead letters.
func deadLetters(t *testing.T, client *stream.Client) (found []event.DeadLetter) {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), event.TopicDeadLetter)
	if err != nil {
		t.Fatal(err)
	}
	err = client.ReadRange(t.Context(), event.TopicDeadLetter, 0, 0, ranges[0].End, func(r *stream.Record) error {
		d, err := event.ParseDeadLetter(r.Value)
		found = append(found, d)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30s for %s", what)
		}
	}
}

// The store's position stays before a record whose dead letter is not acknowledged: while it is
// refused, when the process is stopped then, and in the next one.
func TestNoPositionPassesAnUnburiedEvent(t *testing.T) {
	broker := backend.NewRefusing(t)
	store := features.NewMemory()
	client := dial(t, []string{broker.Kafka})
	deadletter := client.Prefix() + event.TopicDeadLetter
	var records []stream.Record
	for n := range 10 {
		value := fmt.Sprintf(`{"id":"g%d","type":"click","user":"u1","time":"2026-11-25T08:59:00Z"}`, n)
		if n == 6 {
			value = "{broken"
		}
		records = append(records, stream.Record{Partition: 1, Key: []byte("u1"), Value: []byte(value)})
	}
	if err := client.Produce(t.Context(), event.TopicEvents, records); err != nil {
		t.Fatal(err)
	}
	id, err := client.TopicID(t.Context(), event.TopicEvents)
	if err != nil {
		t.Fatal(err)
	}
	at := func() int64 {
		p, err := store.Position(t.Context(), id, 1)
		if err != nil {
			t.Fatal(err)
		}
		return p.Next
	}
	broker.Refuse(deadletter, true)
	for range 2 {
		before := broker.Refused(deadletter)
		_, _, stop := run(t, client, DefaultConfig(), store, true)
		eventually(t, "a refused letter", func() bool { return broker.Refused(deadletter) >= before+3 })
		if n := at(); n > 6 {
			t.Fatalf("the position is %d while the letter of offset 6 is refused", n)
		}
		stop()
		if n := at(); n > 6 {
			t.Fatalf("the position is %d after the process was stopped with a letter of offset 6 that nobody has", n)
		}
	}
	broker.Refuse(deadletter, false)
	run(t, client, DefaultConfig(), store, true)
	eventually(t, "the position behind all", func() bool { return at() == 10 })
	found := deadLetters(t, client)
	if len(found) != 1 || found[0].Offset != 6 || found[0].Partition != 1 || string(found[0].Payload) != "{broken" {
		t.Errorf("dead letters %+v, want one of offset 6", found)
	}
}

// A request whose rejected events cannot be buried is not answered as taken: it is sent again, and
// then they are.
func TestARequestIsNotAcknowledgedBeforeItsDeadLetters(t *testing.T) {
	broker := backend.NewRefusing(t)
	client := dial(t, []string{broker.Kafka})
	cfg := DefaultConfig()
	cfg.Acknowledge = 300 * time.Millisecond
	_, server, _ := run(t, client, cfg, features.NewMemory(), false)
	body := `[{"id":"good","type":"page","user":"u1"},{"id":"bad","type":""}]`
	broker.Refuse(client.Prefix()+event.TopicDeadLetter, true)
	if status, h, _ := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(body)); status != 503 || h.Get("Retry-After") == "" {
		t.Errorf("status %d, want 503 with Retry-After", status)
	}
	broker.Refuse(client.Prefix()+event.TopicDeadLetter, false)
	if status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(body)); status != 200 || len(a.Results) != 2 || a.Results[1].Status != "rejected" {
		t.Errorf("status %d, %+v", status, a)
	}
	if found := deadLetters(t, client); len(found) == 0 || !strings.Contains(string(found[0].Payload), `"bad"`) {
		t.Errorf("dead letters %+v", found)
	}
}
