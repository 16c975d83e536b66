package stream

import (
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
)

// Where nothing comes, a reader asks again over the connection that it has: one that connected anew
// and waited before would get what comes next late.
func TestAnIdleReaderKeepsItsConnection(t *testing.T) {
	c, err := Dial(Config{Brokers: backend.Kafka(t), TLS: backend.TLS(), SASL: SASL(backend.Administrator()), Prefix: backend.Prefix(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.EnsureTopics(t.Context(), Topic{Name: "a", Partitions: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, filled := range []bool{false, true} {
		r := c.NewReader("a", 0, 0)
		defer r.Close()
		if filled {
			if err := c.Produce(t.Context(), "a", []Record{{Value: []byte("x")}}); err != nil {
				t.Fatal(err)
			}
			if records, err := r.Read(t.Context()); err != nil || len(records) != 1 {
				t.Fatalf("%d records, %v", len(records), err)
			}
		} else if err := r.connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		wire := r.wire
		for range 2 {
			if err := r.fetch(t.Context()); err != nil || r.wire != wire || len(r.records) > 0 {
				t.Errorf("filled %v: an idle fetch gave %v, %d records, the same connection: %v", filled, err, len(r.records), r.wire == wire)
			}
		}
	}
}
