package deadletter

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// Whatever a record holds, its dead letter is one that the broker takes: a letter that could never
// be written would block the partition behind it.
func TestNoRecordMakesALetterThatIsTooLarge(t *testing.T) {
	by, login := backend.Secured(backend.Kafka(t))
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicDeadLetter, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	w := New("test", client, func() event.Time { return 1e12 }, slog.New(slog.DiscardHandler), reg)
	const mega = 1 << 20
	letters := []Letter{}
	for _, c := range []byte{0x01, 0xff, 'a', '"', '\n'} { // six bytes for one, base64, one, two
		letters = append(letters, Letter{Topic: "events", Record: stream.Record{Key: bytes.Repeat([]byte{c}, mega), Value: bytes.Repeat([]byte{c}, mega)}, Reason: "is wrong"})
	}
	letters = append(letters,
		Letter{Record: stream.Record{Value: []byte(strings.Repeat("é", 200_000))}, Reason: strings.Repeat("x\x02", mega)},
		Letter{Record: stream.Record{Offset: 7}, Reason: ""},
	)
	if err := w.Write(t.Context(), letters...); err != nil {
		t.Fatal(err)
	}
	if families, err := reg.Gather(); err != nil || len(families) != 1 || families[0].GetMetric()[0].GetCounter().GetValue() != float64(len(letters)) {
		t.Errorf("counted are %v (%v), want %d letters", families, err, len(letters))
	}
	r := client.NewReader(event.TopicDeadLetter, 0, 0)
	defer r.Close()
	for n := 0; n < len(letters); {
		records, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range records {
			d, err := event.ParseDeadLetter(rec.Value)
			switch {
			case err != nil:
				t.Errorf("letter %d: %v", n, err)
			case len(letters[n].Record.Value) > MaxPayload && !strings.HasSuffix(d.Reason, cutNote):
				t.Errorf("letter %d: the reason %.40q does not say that the payload was cut", n, d.Reason)
			case !bytes.HasPrefix(letters[n].Record.Value, d.Payload):
				t.Errorf("letter %d: the payload is not the beginning of the record", n)
			case len(d.Payload) < min(len(letters[n].Record.Value), 100_000):
				t.Errorf("letter %d: only %d bytes are kept", n, len(d.Payload))
			}
			n++
		}
	}
}

// A dead letter waits for Kafka as any record does, and for no longer than its caller.
func TestALetterEndsWithItsContext(t *testing.T) {
	client, err := stream.Dial(stream.Config{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := New("test", client, func() event.Time { return 1 }, slog.New(slog.DiscardHandler), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.Write(ctx, Letter{Reason: "is wrong"}); err == nil {
		t.Error("a letter without a broker counts as written")
	}
	if err := w.Write(ctx); err != nil {
		t.Errorf("no letters: %v", err)
	}
}
