// Package freshness measures how long it takes from an example to predictions with weights that
// have learned it.
package freshness

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/scorer"
	"github.com/clickloop/clickloop/stream"
)

const (
	rate   = 2000                  // examples a second
	every  = 10 * time.Millisecond // between writes
	probes = 20                    // examples a second whose way is timed
)

// BenchmarkFreshness is the time from an example's production to the first served weights that have
// it, while 2,000 examples flow a second: a call is one second. By publishing interval, with what
// it costs in processor time and in bytes on the model topic.
func BenchmarkFreshness(b *testing.B) {
	for _, interval := range []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond} {
		b.Run(fmt.Sprint("publish=", interval), func(b *testing.B) { measure(b, interval) })
	}
}

func measure(b *testing.B, interval time.Duration) {
	client := dial(b)
	mux := run(b, client, interval)
	var took []time.Duration
	var mu sync.Mutex
	var waiting sync.WaitGroup
	rng := rand.New(rand.NewPCG(1, 1))
	n := int64(0)
	produce := func(count int) {
		var records []stream.Record
		for range count {
			e := example(rng, n)
			records = append(records, stream.Record{Key: []byte(e.Prediction), Value: e.AppendJSON(nil)})
			n++
		}
		if err := client.Produce(b.Context(), event.TopicExamples("click"), records); err != nil {
			b.Fatal(err)
		}
	}
	produce(20_000) // so that the network has grown
	if !await(mux, n) {
		b.Fatal("the first examples are not served")
	}
	cpu, bytes, messages := processor(b), published(b, client), deltas(b, client)
	began := time.Now()
	for b.Loop() {
		start := time.Now()
		for i := range int(time.Second / every) {
			// the rate of the stream, not a synchronisation
			time.Sleep(time.Until(start.Add(time.Duration(i) * every)))
			at := time.Now()
			produce(int(rate * every / time.Second))
			if i%(int(time.Second/every)/probes) == 0 {
				target := n
				waiting.Go(func() {
					if !await(mux, target) {
						b.Errorf("example %d is not served", target)
					}
					mu.Lock()
					took = append(took, time.Since(at))
					mu.Unlock()
				})
			}
		}
	}
	waiting.Wait()
	seconds := time.Since(began).Seconds()
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric((processor(b)-cpu).Seconds()/seconds*100, "cpu-%")
	bytes, messages = published(b, client)-bytes, deltas(b, client)-messages
	b.ReportMetric(float64(bytes)/seconds/1e6, "MB/s")
	b.ReportMetric(float64(bytes)/float64(messages)/float64(snapshot(b, mux, client))*100, "%-of-snapshots")
}

// snapshot is the size of one of the present weights.
func snapshot(b *testing.B, mux *http.ServeMux, client *stream.Client) int64 {
	before := published(b, client)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/learner/snapshot?objective=click", nil))
	if w.Code != http.StatusOK {
		b.Fatalf("no snapshot: %s", w.Body)
	}
	return published(b, client) - before
}

func dial(b *testing.B) *stream.Client {
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(b), Prefix: backend.Prefix(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	for _, t := range event.Topics(objectives, 1) {
		if err := client.EnsureTopics(b.Context(), stream.Topic{Name: t.Name, Partitions: t.Partitions}); err != nil {
			b.Fatal(err)
		}
	}
	return client
}

var objectives = []event.Objective{{Name: "click", Trigger: "prediction", Positive: "click", Window: time.Minute}}

// run runs a learner and a scorer, and returns their HTTP.
func run(b *testing.B, client *stream.Client, interval time.Duration) *http.ServeMux {
	set, err := features.Compile(features.Config{})
	if err != nil {
		b.Fatal(err)
	}
	now := func() event.Time { return event.TimeOf(time.Now()) }
	logger := slog.New(slog.DiscardHandler)
	cfg := learner.DefaultConfig()
	cfg.Publish = interval
	l, err := learner.New(cfg, learner.Deps{Client: client, Objectives: objectives, Model: model.DefaultConfig(), Dir: b.TempDir(), Now: now, Logger: logger})
	if err != nil {
		b.Fatal(err)
	}
	s, err := scorer.New(scorer.DefaultConfig(), scorer.Deps{Client: client, Objectives: objectives, Set: set, Store: features.NewMemory(), Now: now, Logger: logger}, nil)
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Register(mux, mux)
	l.Register(mux, mux)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) }) // both end with ctx's error
	running.Go(func() { _ = s.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return mux
}

// await waits until n examples are in the served weights.
func await(mux *http.ServeMux, n int64) bool {
	for range 60 {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/v1/model?objective=click&at_least=%d&wait=1s", n), nil))
		var served struct{ Examples int64 }
		if json.Unmarshal(w.Body.Bytes(), &served) == nil && served.Examples >= n {
			return true
		}
	}
	return false
}

// example has twelve fields, two of many ids.
func example(rng *rand.Rand, n int64) event.Example {
	e := event.Example{
		Objective: "click", Prediction: fmt.Sprint("p", n), Time: event.TimeOf(time.Now()), W: 1, Y: float64(rng.IntN(2)),
		Source: event.Source{Topic: "aaaaaaaa", Offset: n},
	}
	for i := range 12 {
		ids := 20
		if i < 2 {
			ids = 50_000
		}
		e.Features = append(e.Features, event.Field{Name: fmt.Sprint("f", i), Value: event.Value{Kind: event.String, Str: fmt.Sprint("v", rng.IntN(ids))}})
	}
	return e
}

// processor is the process's processor time.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// published is how many bytes the model topic holds.
func published(b *testing.B, client *stream.Client) (bytes int64) {
	each(b, client, func(r *stream.Record) { bytes += int64(len(r.Value)) })
	return bytes
}

// deltas is how many deltas it holds.
func deltas(b *testing.B, client *stream.Client) (n int64) {
	each(b, client, func(r *stream.Record) {
		if h, err := weights.ParseHead(r.Headers); err == nil && h.Kind == weights.Delta && h.Part == 0 {
			n++
		}
	})
	return n
}

func each(b *testing.B, client *stream.Client, do func(*stream.Record)) {
	ranges, err := client.Offsets(b.Context(), event.TopicModel("click"))
	if err != nil {
		b.Fatal(err)
	}
	r := client.NewReader(event.TopicModel("click"), 0, ranges[0].First)
	defer r.Close()
	for r.Offset() < ranges[0].End {
		records, err := r.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for i := range records {
			do(&records[i])
		}
	}
}

// BenchmarkLockstep is the way of ten examples, from their production to the weights that have
// learned them being served, when nothing is published later than it can be and the next ten wait
// for that.
func BenchmarkLockstep(b *testing.B) {
	client := dial(b)
	mux := run(b, client, 0)
	rng := rand.New(rand.NewPCG(1, 1))
	n := int64(0)
	for b.Loop() {
		var records []stream.Record
		for range 10 {
			e := example(rng, n)
			records = append(records, stream.Record{Key: []byte(e.Prediction), Value: e.AppendJSON(nil)})
			n++
		}
		if err := client.Produce(b.Context(), event.TopicExamples("click"), records); err != nil {
			b.Fatal(err)
		}
		if !await(mux, n) {
			b.Fatal("not served")
		}
	}
}
