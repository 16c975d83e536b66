package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/clickloop/clickloop/stream"
)

func dial(t testing.TB, brokers []string) *stream.Client {
	t.Helper()
	tls, login := backend.TLS(), stream.SASL(backend.Administrator())
	if !slices.Equal(brokers, backend.Kafka(t)) { // a broker of the test's own
		tls, login = tlsfiles.Client{}, stream.SASL{}
	}
	c, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: backend.Prefix(t), ClientID: "test", TLS: tls, SASL: login})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func topic(t testing.TB, c *stream.Client, name string, partitions int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.EnsureTopics(ctx, stream.Topic{Name: name, Partitions: partitions, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
}

func numbered(from, n int) []stream.Record {
	recs := make([]stream.Record, n)
	for i := range recs {
		recs[i] = stream.Record{Partition: -1, Key: []byte("k" + strconv.Itoa((from+i)%17)), Value: []byte(strconv.Itoa(from + i))}
	}
	return recs
}

// readN reads until n records came from a partition.
func readN(ctx context.Context, t *testing.T, r *stream.Reader, n int) []stream.Record {
	t.Helper()
	var got []stream.Record
	for len(got) < n {
		recs, err := r.Read(ctx)
		if err != nil {
			t.Fatalf("after %d of %d: %v", len(got), n, err)
		}
		got = append(got, recs...)
	}
	return got
}

func TestProducedRecordsReadBackInOrderOfTheirKey(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 3)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Produce(ctx, "a", numbered(0, 1000)); err != nil {
		t.Fatal(err)
	}
	ranges, err := c.Offsets(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for p, rg := range ranges {
		r := c.NewReader("a", p, 0)
		defer r.Close()
		last := map[string]int{}
		for _, rec := range readN(ctx, t, r, int(rg.End)) {
			if want := stream.Partition(rec.Key, 3); want != p {
				t.Fatalf("key %s is in partition %d, want %d", rec.Key, p, want)
			}
			n, _ := strconv.Atoi(string(rec.Value))
			if n < last[string(rec.Key)] {
				t.Fatalf("key %s: %d came after %d", rec.Key, n, last[string(rec.Key)])
			}
			last[string(rec.Key)] = n
			total++
		}
	}
	if total != 1000 {
		t.Fatalf("read %d records, want 1000", total)
	}
}

// The numbers are those of Java's DefaultPartitioner (murmur2, masked, modulo).
func TestPartitionIsJavas(t *testing.T) {
	f := func(key string, n, want int) {
		t.Helper()
		if got := stream.Partition([]byte(key), n); got != want {
			t.Errorf("%s of %d: %d, want %d", key, n, got, want)
		}
	}
	f("a", 1, 0)
	// murmur2("21") = -973932308 in Kafka's own UtilsTest
	f("21", 1000, int(uint32(-973932308&0x7fffffff)%1000))
	f("foobar", 1000, int(uint32(-790332482&0x7fffffff)%1000))
	f("a-little-bit-long-string", 1000, int(uint32(-985981536&0x7fffffff)%1000))
}

func TestATopicMadeAgainHasAnotherID(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	topic(t, c, "b", 1)
	a, err := c.TopicID(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := c.TopicID(t.Context(), "b")
	again, _ := c.TopicID(t.Context(), "a")
	if len(a) != 8 || a == b || a != again {
		t.Fatalf("ids %q, %q, again %q", a, b, again)
	}
}

func TestExistingTopicsAreChecked(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 2)
	var wrong *stream.TopicError
	err := c.EnsureTopics(t.Context(), stream.Topic{Name: "a", Partitions: 4})
	if !errors.As(err, &wrong) || wrong.Setting != "partitions" || wrong.Found != "2" {
		t.Fatalf("too few partitions: %v", err)
	}
	err = c.EnsureTopics(t.Context(), stream.Topic{Name: "a", Partitions: 2, Retention: 24 * time.Hour})
	if !errors.As(err, &wrong) || wrong.Setting != "retention.ms" {
		t.Fatalf("a retention that is too short: %v", err)
	}
	if err := c.EnsureTopics(t.Context(), stream.Topic{Name: "a", Partitions: 2, Retention: time.Minute}); err != nil {
		t.Fatalf("a topic that is good: %v", err)
	}
}

func TestATopicIsMadeToKeepMoreAndNeverLess(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	f := func(name string, has, want, wantBefore, wantNow int64) {
		t.Helper()
		now, before, err := c.KeepBytes(t.Context(), name, want)
		if err != nil || now != wantNow || before != wantBefore {
			t.Errorf("%s, which keeps %d, asked to keep %d: %d before, %d now, %v; want %d, %d", name, has, want, before, now, err, wantBefore, wantNow)
		}
	}
	if err := c.EnsureTopics(t.Context(), stream.Topic{Name: "bounded", Partitions: 1, RetentionBytes: 1 << 20}, stream.Topic{Name: "boundless", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	f("bounded", 1<<20, 1<<19, 1<<20, 1<<20)
	f("bounded", 1<<20, 1<<30, 1<<20, 1<<30)
	f("bounded", 1<<30, 1<<20, 1<<30, 1<<30)
	f("boundless", math.MaxInt64, 1<<30, math.MaxInt64, math.MaxInt64)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := c.KeepBytes(ctx, "nothing", 1); err == nil {
		t.Error("a topic that is not there keeps nothing")
	}
}

func TestATooLargeRecordIsFinalAndSparesTheOthers(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	var large *stream.TooLargeError
	err := c.Produce(t.Context(), "a", []stream.Record{{Value: make([]byte, 2<<20)}})
	if !errors.As(err, &large) {
		t.Fatalf("2 MiB: %v", err)
	}
	if err := c.Produce(t.Context(), "a", []stream.Record{{Value: make([]byte, 600_000)}, {Value: make([]byte, 600_000)}}); err != nil {
		t.Fatalf("two of 600 kB: %v", err)
	}
}

func TestAReaderBeyondTheEndSaysSo(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	if err := c.Produce(t.Context(), "a", numbered(0, 3)); err != nil {
		t.Fatal(err)
	}
	r := c.NewReader("a", 0, 100)
	defer r.Close()
	if _, err := r.Read(t.Context()); !errors.Is(err, stream.ErrBeyond) {
		t.Fatalf("got %v, want ErrBeyond", err)
	}
}

func TestAnIdleReadEndsWithItsContext(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	r := c.NewReader("a", 0, 0)
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := r.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Fatalf("took %v", d)
	}
}

// member joins and sends what it was given and what it reads on the channels.
func member(ctx context.Context, t *testing.T, c *stream.Client, group string, seen func(stream.Record)) *sync.WaitGroup {
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = c.Join(ctx, group, []string{"a"}, func(ctx context.Context, g *stream.Generation) error {
			return g.EachPartition(ctx, func(ctx context.Context, topic string, a stream.Assignment) error {
				r := c.NewReader(topic, a.Partition, max(a.Committed, 0))
				defer r.Close()
				for {
					recs, err := r.Read(ctx)
					if err != nil {
						return err
					}
					for _, rec := range recs {
						seen(rec)
					}
					if err := g.Commit(ctx, topic, map[int]int64{a.Partition: r.Offset()}); err != nil {
						return err
					}
				}
			})
		})
	})
	return &wg
}

func TestAGroupReadsEverythingOverARebalanceAndARestart(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	count := map[string]int{}
	seen := func(r stream.Record) {
		mu.Lock()
		defer mu.Unlock()
		count[string(r.Value)]++
	}
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
	if err := c.Produce(ctx, "a", numbered(0, 500)); err != nil {
		t.Fatal(err)
	}
	firstCtx, stopFirst := context.WithCancel(ctx)
	first := member(firstCtx, t, c, "g", seen)
	waitFor(500)
	secondCtx, stopSecond := context.WithCancel(ctx)
	second := member(secondCtx, t, c, "g", seen)
	if err := c.Produce(ctx, "a", numbered(500, 500)); err != nil {
		t.Fatal(err)
	}
	waitFor(1000)
	stopFirst()
	first.Wait()
	if err := c.Produce(ctx, "a", numbered(1000, 500)); err != nil {
		t.Fatal(err)
	}
	waitFor(1500)
	stopSecond()
	second.Wait()
}

func TestABrokerThatGoesAwayIsWaitedFor(t *testing.T) {
	if backend.Real() {
		t.Skip("scripts/services.sh stops real brokers")
	}
	s := backend.Embedded(t)
	c := dial(t, []string{s.Kafka})
	topic(t, c, "a", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Produce(ctx, "a", numbered(0, 10)); err != nil {
		t.Fatal(err)
	}
	r := c.NewReader("a", 0, 0)
	defer r.Close()
	readN(ctx, t, r, 10)
	s.StopKafka()
	short, cancelShort := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancelShort()
	if err := c.Produce(short, "a", numbered(10, 1)); err == nil {
		t.Fatal("a write without a broker was acknowledged")
	}
	written := make(chan error, 1)
	go func() { written <- c.Produce(ctx, "a", numbered(11, 10)) }()
	if err := s.StartKafka(); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatalf("the waiting write: %v", err)
	}
	seen := map[string]bool{}
	for len(seen) < 10 {
		recs, err := r.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range recs {
			if n, _ := strconv.Atoi(string(rec.Value)); n >= 11 {
				seen[string(rec.Value)] = true
			}
		}
	}
}

func TestAFaultThatRepeatsIsToldOfOnce(t *testing.T) {
	var log bytes.Buffer // Join's goroutine alone writes to it
	c, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), TLS: backend.TLS(), SASL: stream.SASL(backend.Administrator()), Prefix: backend.Prefix(t), Session: backend.Session(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	topic(t, c, "a", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	faults := 0
	// it ends with ctx's error
	_ = c.Join(ctx, "g", []string{"a"}, func(context.Context, *stream.Generation) error {
		if faults++; faults == 5 {
			cancel()
		}
		return errors.New("out of order")
	})
	if n := strings.Count(log.String(), "out of order"); faults != 5 || n != 1 {
		t.Errorf("%d faults were told of %d times:\n%s", faults, n, log.String())
	}
}

func TestABrokerThatStartsIsAwaited(t *testing.T) {
	s := backend.Embedded(t)
	c := dial(t, []string{s.Kafka})
	s.StopKafka()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Await(short); err == nil || !strings.Contains(err.Error(), s.Kafka) {
		t.Errorf("without a broker: %v", err)
	}
	answered := make(chan error, 1)
	go func() {
		long, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answered <- c.Await(long)
	}()
	if err := s.StartKafka(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("with a broker that started: %v", err)
	}
}

func BenchmarkHop(b *testing.B) {
	c := dial(b, backend.Kafka(b))
	topic(b, c, "a", 1)
	r := c.NewReader("a", 0, 0)
	defer r.Close()
	value := make([]byte, 500)
	for b.Loop() {
		if err := c.Produce(b.Context(), "a", []stream.Record{{Value: value}}); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProduce(b *testing.B) {
	for _, n := range []int{100, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := dial(b, backend.Kafka(b))
			topic(b, c, "a", 4)
			recs := numbered(0, n)
			for i := range recs {
				recs[i].Value = make([]byte, 400)
			}
			for b.Loop() {
				if err := c.Produce(b.Context(), "a", recs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
