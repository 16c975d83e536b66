package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// transactor is another program that writes transactions to partition 0 of a topic.
type transactor struct {
	t     *testing.T
	c     *kgo.Client
	topic string
}

func newTransactor(t *testing.T, c *stream.Client, name, id string, opts ...kgo.Opt) *transactor {
	t.Helper()
	opts = append(append(opts, backend.Franz(backend.Kafka(t)...)...), kgo.TransactionalID(c.Prefix()+id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(time.Minute))
	k, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return &transactor{t, k, c.Prefix() + name}
}

func (x *transactor) begin() {
	x.t.Helper()
	if err := x.c.BeginTransaction(); err != nil {
		x.t.Fatal(err)
	}
}

// write writes values, each acknowledged.
func (x *transactor) write(values ...string) {
	x.t.Helper()
	for _, v := range values {
		if err := x.c.ProduceSync(x.t.Context(), &kgo.Record{Topic: x.topic, Key: []byte("k"), Value: []byte(v)}).FirstErr(); err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x *transactor) end(how kgo.TransactionEndTry) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.t.Context(), 30*time.Second)
	defer cancel()
	if err := x.c.EndTransaction(ctx, how); err != nil {
		x.t.Fatal(err)
	}
}

// closed waits until no transaction is open: a broker writes markers after it has answered.
func closed(t *testing.T, c *stream.Client, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		open, err := c.OpenTransactions(ctx, name, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == 0 {
			return
		}
	}
}

// readAll reads from an offset to the end that Offsets tells, and returns the values, having seen
// that offsets rise.
func readAll(t *testing.T, c *stream.Client, name string, from int64) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ranges, err := c.Offsets(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	r := c.NewReader(name, 0, from)
	defer r.Close()
	var values []string
	last := int64(-1)
	for r.Offset() < ranges[0].End {
		records, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("at %d of %d: %v", r.Offset(), ranges[0].End, err)
		}
		for _, rec := range records {
			if rec.Offset <= last || rec.Offset < from {
				t.Fatalf("offset %d came after %d, from %d", rec.Offset, last, from)
			}
			last = rec.Offset
			values = append(values, string(rec.Value))
		}
	}
	if r.Offset() != ranges[0].End || r.End() != ranges[0].End {
		t.Errorf("the reader is at %d and knows the end %d, want both %d", r.Offset(), r.End(), ranges[0].End)
	}
	return values
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: read %q, want %q", what, got, want)
	}
}

func TestReadersSeeCommittedTransactionsAndNoMarkers(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	x := newTransactor(t, c, "a", "x")
	if err := c.Produce(t.Context(), "a", []stream.Record{{Value: []byte("plain 1")}}); err != nil {
		t.Fatal(err)
	}
	x.begin()
	x.write("a1", "a2")
	x.end(kgo.TryAbort)
	x.begin()
	x.write("c1", "c2")
	x.end(kgo.TryCommit)
	closed(t, c, "a")
	expect(t, "a commit marker at the end", readAll(t, c, "a", 0), "plain 1", "c1", "c2")
	x.begin()
	x.write("a3")
	x.end(kgo.TryAbort)
	closed(t, c, "a")
	expect(t, "an abort marker at the end", readAll(t, c, "a", 0), "plain 1", "c1", "c2")
	if err := c.Produce(t.Context(), "a", []stream.Record{{Value: []byte("plain 2")}}); err != nil {
		t.Fatal(err)
	}
	expect(t, "a record behind markers", readAll(t, c, "a", 0), "plain 1", "c1", "c2", "plain 2")
	var got []string
	ranges, _ := c.Offsets(t.Context(), "a")
	err := c.ReadRange(t.Context(), "a", 0, 0, ranges[0].End, func(r *stream.Record) error { got = append(got, string(r.Value)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "ReadRange", got, "plain 1", "c1", "c2", "plain 2")
}

// Wherever a reader begins, inside an aborted transaction, on a marker or behind it, it sees what
// is committed from there on.
func TestAReaderMayBeginAnywhere(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 1)
	x, y := newTransactor(t, c, "a", "x"), newTransactor(t, c, "a", "y")
	x.begin()
	y.begin()
	x.write("a0")        // 0
	y.write("c1")        // 1
	x.write("a2")        // 2
	y.end(kgo.TryCommit) // 3
	y.begin()            //
	y.write("c4")        // 4
	x.end(kgo.TryAbort)  // 5
	y.end(kgo.TryCommit) // 6
	x.begin()            //
	x.write("c7")        // 7, or 6: Kafka writes markers behind its answer
	x.end(kgo.TryCommit) // 8
	closed(t, c, "a")
	whole, inOrder := map[int64]string{}, []string(nil)
	if err := c.ReadRange(t.Context(), "a", 0, 0, 9, func(r *stream.Record) error {
		whole[r.Offset], inOrder = string(r.Value), append(inOrder, string(r.Value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	expect(t, "whole", inOrder, "c1", "c4", "c7")
	for from := range int64(9) {
		var want []string
		for o := from; o < 9; o++ {
			if v := whole[o]; v != "" {
				want = append(want, v)
			}
		}
		expect(t, fmt.Sprintf("from %d", from), readAll(t, c, "a", from), want...)
	}
}

func TestAnOpenTransactionHoldsReadersBackAndIsNamed(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	c, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), TLS: backend.TLS(), SASL: stream.SASL(backend.Administrator()), Prefix: backend.Prefix(t), Registerer: reg, Logger: slog.New(slog.NewTextHandler(&locked{&mu, &log}, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	topic(t, c, "a", 1)
	stream.SetHeldPatience(t, 300*time.Millisecond)
	x := newTransactor(t, c, "a", "x")
	produce := func(v string) {
		t.Helper()
		if err := c.Produce(t.Context(), "a", []stream.Record{{Value: []byte(v)}}); err != nil {
			t.Fatal(err)
		}
	}
	produce("before")
	x.begin()
	x.write("inside")
	produce("behind")
	ranges, err := c.Offsets(t.Context(), "a")
	if err != nil || ranges[0].End != 1 {
		t.Fatalf("ends at %+v, %v; want 1, where the open transaction begins", ranges, err)
	}
	expect(t, "while it is open", readAll(t, c, "a", 0), "before")
	open, err := c.OpenTransactions(t.Context(), "a", 0)
	if err != nil || len(open) != 1 || open[0] != (stream.OpenTransaction{Partition: 0, Oldest: 1, Records: 2}) {
		t.Errorf("open transactions %+v, %v", open, err)
	}
	r := c.NewReader("a", 0, 1)
	defer r.Close()
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if records, err := r.Read(short); err == nil {
		t.Fatalf("read %q from behind an open transaction", records[0].Value)
	}
	if n := gauge(t, reg); n != 2 {
		t.Errorf("clickloop_kafka_held_records is %v, want 2", n)
	}
	mu.Lock()
	text := log.String()
	mu.Unlock()
	if !strings.Contains(text, "open transaction") || !strings.Contains(text, "offset=1") || !strings.Contains(text, "topic="+c.Prefix()+"a") {
		t.Errorf("the log does not name the open transaction:\n%s", text)
	}
	x.end(kgo.TryCommit)
	ctx, cancelRead := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancelRead()
	var got []string
	for _, rec := range readN(ctx, t, r, 2) {
		got = append(got, string(rec.Value))
	}
	expect(t, "once it has ended", got, "inside", "behind")
	closed(t, c, "a")
	for gauge(t, reg) != 0 { // the reader's next fetch tells
		short, cancel := context.WithTimeout(ctx, 600*time.Millisecond)
		_, _ = r.Next(short)
		cancel()
		if ctx.Err() != nil {
			t.Fatal("the gauge does not go back to 0")
		}
	}
}

func gauge(t *testing.T, reg *prometheus.Registry) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "clickloop_kafka_held_records" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// locked is a buffer that several goroutines may write to.
type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Codecs, headers, null keys and times read back as other programs wrote them.
func TestReadersUnderstandWhatOtherProducersWrite(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, backend.Kafka(t))
			topic(t, c, "a", 1)
			k, err := kgo.NewClient(append(backend.Franz(backend.Kafka(t)...), kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(50*time.Millisecond))...)
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
			var sent []*kgo.Record
			for i := range 500 {
				sent = append(sent, &kgo.Record{Topic: c.Prefix() + "a", Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat(fmt.Appendf(nil, "value %d ", i), 20), Timestamp: at.Add(time.Duration(i%7) * time.Second),
					Headers: []kgo.RecordHeader{{Key: "schema", Value: []byte("event/1")}, {Key: fmt.Sprint("h", i%3), Value: nil}}})
			}
			sent = append(sent, &kgo.Record{Topic: c.Prefix() + "a", Value: []byte("no key"), Timestamp: at}, &kgo.Record{Topic: c.Prefix() + "a", Key: []byte{}, Timestamp: at})
			if err := k.ProduceSync(t.Context(), sent...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r := c.NewReader("a", 0, 0)
			defer r.Close()
			got := slices.Clone(readN(ctx, t, r, len(sent)))
			for i, g := range got {
				w := sent[i]
				if g.Offset != w.Offset || !bytes.Equal(g.Key, w.Key) || (g.Key == nil) != (w.Key == nil) || !bytes.Equal(g.Value, w.Value) || (g.Value == nil) != (w.Value == nil) || !g.Time.Equal(w.Timestamp) || len(g.Headers) != len(w.Headers) {
					t.Fatalf("record %d: got %+v, want %+v", i, g, w)
				}
				for j := range g.Headers {
					if g.Headers[j].Key != w.Headers[j].Key || !bytes.Equal(g.Headers[j].Value, w.Headers[j].Value) {
						t.Fatalf("record %d header %d: got %+v, want %+v", i, j, g.Headers[j], w.Headers[j])
					}
				}
			}
			middle := c.NewReader("a", 0, 250) // inside a batch
			defer middle.Close()
			if first := readN(ctx, t, middle, 1)[0]; first.Offset != 250 || string(first.Key) != "k250" {
				t.Errorf("from 250: offset %d, key %s", first.Offset, first.Key)
			}
		})
	}
}
