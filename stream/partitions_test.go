package stream_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

func addPartitions(t *testing.T, c *stream.Client, name string, n int) {
	t.Helper()
	backend.AddPartitions(t, backend.Kafka(t)[0], c.Prefix()+name, n)
}

// awaitPartitions waits until a client sees n partitions, and fails when that takes longer than a
// number may be old. A real broker shows them some moments after it has answered.
func awaitPartitions(t *testing.T, c *stream.Client, name string, n int) {
	t.Helper()
	for until := time.Now().Add(stream.CountAge + 3*time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, err := c.Partitions(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got == n {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%d partitions are seen, want %d", got, n)
		}
	}
}

func TestPartitionsThatAreAddedAreSeenSoonAndChosenLater(t *testing.T) {
	stream.SetSettleTime(t, 4*time.Second)
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 2)
	write := func(from, n int) {
		t.Helper()
		if err := c.Produce(t.Context(), "a", numbered(from, n)); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 100)
	addPartitions(t, c, "a", 5)
	awaitPartitions(t, c, "a", 5)
	seen := time.Now()
	write(100, 100)
	ranges, err := c.Offsets(t.Context(), "a")
	if err != nil || len(ranges) != 5 {
		t.Fatalf("ranges %+v, %v", ranges, err)
	}
	if time.Since(seen) < 3*time.Second && ranges[2].End+ranges[3].End+ranges[4].End != 0 {
		t.Errorf("new partitions were chosen at once: %+v", ranges)
	}
	if err := c.Produce(t.Context(), "a", []stream.Record{{Partition: 4, Value: []byte("named")}}); err != nil {
		t.Errorf("a new partition that is named: %v", err)
	}
	for at := 200; ; at += 100 { // until readers have had the time to see them
		write(at, 100)
		ranges, err = c.Offsets(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if ranges[2].End > 0 && ranges[3].End > 0 {
			break
		}
		if time.Since(seen) > 15*time.Second {
			t.Fatalf("new partitions are never chosen: %+v", ranges)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if waited := time.Since(seen); waited < 3*time.Second {
		t.Errorf("new partitions were chosen after %v", waited)
	}
}

// Records of added partitions are read by a member that was there before, each once, and what was
// committed stays.
func TestAGroupReadsPartitionsThatAreAdded(t *testing.T) {
	stream.SetSettleTime(t, 0)
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	count := map[string]int{}
	one := member(ctx, t, c, "g", func(r stream.Record) {
		mu.Lock()
		defer mu.Unlock()
		count[string(r.Value)]++
	})
	two := member(ctx, t, c, "g", func(r stream.Record) {
		mu.Lock()
		defer mu.Unlock()
		count[string(r.Value)]++
	})
	waitFor := func(n int) {
		t.Helper()
		for {
			mu.Lock()
			have := len(count)
			mu.Unlock()
			if have >= n {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("%d of %d read", have, n)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if err := c.Produce(ctx, "a", numbered(0, 200)); err != nil {
		t.Fatal(err)
	}
	waitFor(200)
	addPartitions(t, c, "a", 6)
	awaitPartitions(t, c, "a", 6)
	var recs []stream.Record
	for p := range 6 {
		for i := range 20 {
			recs = append(recs, stream.Record{Partition: p, Value: []byte(strconv.Itoa(1000 + 20*p + i))})
		}
	}
	if err := c.Produce(ctx, "a", recs); err != nil {
		t.Fatal(err)
	}
	waitFor(200 + 120)
	cancel()
	stopped := time.Now()
	one.Wait()
	two.Wait()
	if took := time.Since(stopped); took > 5*time.Second { // half of a session
		t.Errorf("leaving the group took %v", took)
	}
}

func TestATopicThatIsMadeAgainWithFewerPartitionsIsWritten(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 4)
	if err := c.Produce(t.Context(), "a", numbered(0, 50)); err != nil {
		t.Fatal(err)
	}
	backend.DeleteTopic(t, backend.Kafka(t)[0], c.Prefix()+"a")
	topic(t, c, "a", 2)
	awaitPartitions(t, c, "a", 2)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Produce(ctx, "a", numbered(0, 50)); err != nil {
		t.Error(err)
	}
}

// A process that starts just after partitions were added waits with them too, where an empty one
// tells that it is new.
func TestAProcessThatStartsChoosesNoPartitionThatIsNew(t *testing.T) {
	first := dial(t, backend.Kafka(t))
	topic(t, first, "a", 2)
	fill := func(n int) {
		t.Helper()
		for p := range n {
			if err := first.Produce(t.Context(), "a", []stream.Record{{Partition: p, Value: []byte("beat")}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(2)
	addPartitions(t, first, "a", 4)
	awaitPartitions(t, first, "a", 4)
	start := func() *stream.Client {
		t.Helper()
		c, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), TLS: backend.TLS(), SASL: stream.SASL(backend.Administrator()), Prefix: first.Prefix()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.EnsureTopics(t.Context(), stream.Topic{Name: "a", Partitions: 2, Busy: true}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	new := func() int64 {
		t.Helper()
		ranges, err := first.Offsets(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return ranges[2].End + ranges[3].End
	}
	if err := start().Produce(t.Context(), "a", numbered(0, 100)); err != nil || new() != 0 {
		t.Errorf("%d records are in new partitions, %v; want none", new(), err)
	}
	fill(4)
	if err := start().Produce(t.Context(), "a", numbered(100, 100)); err != nil || new() < 10 {
		t.Errorf("%d records are in partitions that are known to all, %v", new(), err)
	}
}
