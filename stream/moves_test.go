package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kfake"
)

// A reader and a producer follow a partition's leader from broker to broker; no record is lost or
// comes twice.
func TestReadersFollowTheLeader(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c := dial(t, slices.Clone(cluster.ListenAddrs()))
	topic(t, c, "a", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := c.NewReader("a", 0, 0)
	defer r.Close()
	last := int64(-1)
	for move := range 6 {
		if err := c.Produce(ctx, "a", numbered(10*move, 10)); err != nil {
			t.Fatal(err)
		}
		for _, rec := range readN(ctx, t, r, 10) {
			if rec.Offset != last+1 {
				t.Fatalf("offset %d came after %d", rec.Offset, last)
			}
			last = rec.Offset
		}
		if err := cluster.MoveTopicPartition(c.Prefix()+"a", 0, int32(move%3)); err != nil {
			t.Fatal(err)
		}
	}
}

// A reader whose next record was deleted says which are gone, once, and goes on at the first held
// one.
func TestAReaderNamesWhatWasDeleted(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	if err := c.Produce(t.Context(), "a", numbered(0, 20)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begun := c.NewReader("a", 0, 3) // it has a connection when they are deleted
	defer begun.Close()
	readN(ctx, t, begun.Fetch(1), 17)
	backend.DeleteRecords(t, backend.Kafka(t)[0], c.Prefix()+"a", 0, 12)
	r := c.NewReader("a", 0, 3)
	defer r.Close()
	_, err := r.Read(ctx)
	var gone *stream.TrimmedError
	if !errors.Is(err, stream.ErrTrimmed) || !errors.As(err, &gone) || gone.Wanted != 3 || gone.First != 12 {
		t.Fatalf("got %v, want the offsets 3 to 11", err)
	}
	if first := readN(ctx, t, r, 1)[0]; first.Offset != 12 {
		t.Errorf("it goes on at %d, want 12", first.Offset)
	}
	fresh := c.NewReader("a", 0, 0) // who begins at the start wants what there is
	defer fresh.Close()
	if first := readN(ctx, t, fresh, 1)[0]; first.Offset != 12 {
		t.Errorf("from the start it begins at %d, want 12", first.Offset)
	}
}
