package deadletter

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// A letter that the topic does not take is cut until it does: it would block the partition that its
// record came from.
func TestALetterFitsAnyTopic(t *testing.T) {
	by, login := backend.Secured(backend.Kafka(t))
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	backend.CreateTopic(t, backend.Kafka(t)[0], client.Prefix()+event.TopicDeadLetter, "max.message.bytes", "3000")
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicDeadLetter, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w := New("test", client, func() event.Time { return event.TimeOf(time.Now()) }, slog.New(slog.DiscardHandler), nil)
	letter := func(payload, reason, key string) Letter {
		return Letter{Topic: event.TopicEvents, Reason: reason, Record: stream.Record{Key: []byte(key), Value: []byte(payload)}}
	}
	err = w.Write(t.Context(), letter("short", "r1", "k"), letter(strings.Repeat("p", 100_000), "r2", "k"), letter("x", strings.Repeat("r", 5000), strings.Repeat("k", 5000)), letter(strings.Repeat("\x01", 2900), "r4", ""))
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := client.Offsets(t.Context(), event.TopicDeadLetter)
	if err != nil || ranges[0].End != 4 {
		t.Fatalf("%+v, %v; want 4 letters", ranges, err)
	}
	cut := 0
	err = client.ReadRange(t.Context(), event.TopicDeadLetter, 0, 0, 4, func(r *stream.Record) error {
		d, err := event.ParseDeadLetter(r.Value)
		if len(r.Value) > 3000 || d.Reason == "" || d.Stage != "test" {
			t.Errorf("letter of %d bytes: %.100s", len(r.Value), r.Value)
		}
		if strings.Contains(d.Reason, "cut") {
			cut++
		}
		return err
	})
	if err != nil || cut < 2 {
		t.Errorf("%v, %d are marked as cut", err, cut)
	}
}
