package stream

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
)

// dialA returns a client of a cluster that has the topic a.
func dialA(t *testing.T) *Client {
	t.Helper()
	c, err := Dial(Config{Brokers: backend.Kafka(t), TLS: backend.TLS(), SASL: SASL(backend.Administrator()), Prefix: backend.Prefix(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.EnsureTopics(t.Context(), Topic{Name: "a", Partitions: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	return c
}

// Where nothing comes, a reader asks again over the connection that it has: one that connected anew
// and waited before would get what comes next late.
func TestAnIdleReaderKeepsItsConnection(t *testing.T) {
	c := dialA(t)
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

// A paced reader lets records gather once it has read all; one that is behind, or is not paced, or
// whose client has no pace, does not wait.
func TestAPacedReaderLetsRecordsGather(t *testing.T) {
	c := dialA(t)
	write := func(n int) {
		for range n {
			if err := c.Produce(t.Context(), "a", []Record{{Value: make([]byte, 1000)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(r *Reader, to int64) {
		for r.Offset() < to {
			if _, err := r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Pace(time.Hour)
	write(5)
	usual, paced := c.NewReader("a", 0, 0), c.NewReader("a", 0, 0).Fetch(1500).Paced()
	defer usual.Close()
	defer paced.Close()
	read(usual, 5)
	read(paced, 5) // in several fetches
	write(2)
	read(usual, 7)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if records, err := paced.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d records, %v within its pace", len(records), err)
	}
	c.Pace(0)
	read(paced, 7)
}
