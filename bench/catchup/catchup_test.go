// Package catchup measures how fast a learner learns the examples that wait in Kafka, against fit
// over the same examples in a file.
package catchup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

const examples = 300_000

var objectives = []event.Objective{{Name: "click", Trigger: event.TriggerPrediction, Positive: "click", Window: time.Minute}}

// BenchmarkCatchUp lets fit and then a learner learn the same 300,000 JSON examples, in each
// iteration, and compares their weights. The learner has no checkpoint. Its time lasts from its
// start until it has learned the last example; meanwhile it writes checkpoints and publishes. The
// reported ratio is one of medians.
func BenchmarkCatchUp(b *testing.B) {
	prefix := backend.Prefix(b)
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(b), Prefix: prefix, Session: backend.Session()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	for _, t := range event.Topics(objectives, 1) {
		if err := client.EnsureTopics(b.Context(), stream.Topic{Name: t.Name, Partitions: t.Partitions}); err != nil {
			b.Fatal(err)
		}
	}
	path := write(b, client)
	var fits, learners []float64
	for b.Loop() {
		seconds, want := offline(b, path)
		fits = append(fits, examples/seconds)
		seconds, got := online(b, client)
		learners = append(learners, examples/seconds)
		if got != want {
			b.Fatalf("the learner has weights %s, fit %s", got, want)
		}
	}
	b.Logf("fit %.0f, learner %.0f examples/s", fits, learners)
	b.ReportMetric(median(fits), "fit-examples/s")
	b.ReportMetric(median(learners), "learner-examples/s")
	b.ReportMetric(median(learners)/median(fits), "ratio")
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// write puts the same examples into Kafka and into a file, and returns the path of the file.
func write(b *testing.B, client *stream.Client) string {
	rng := rand.New(rand.NewPCG(1, 1))
	var file bytes.Buffer
	var records []stream.Record
	for n := range int64(examples) {
		e := example(rng, n)
		value := e.AppendJSON(nil)
		file.Write(value)
		file.WriteByte('\n')
		records = append(records, stream.Record{Key: []byte(e.Prediction), Value: value})
		if len(records) == 1000 || n == examples-1 {
			if err := client.Produce(b.Context(), event.TopicExamples("click"), records); err != nil {
				b.Fatal(err)
			}
			records = records[:0]
		}
	}
	path := filepath.Join(b.TempDir(), "examples.jsonl")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

// example has twelve fields, of which two have many ids.
func example(rng *rand.Rand, n int64) event.Example {
	e := event.Example{
		Objective: "click", Prediction: fmt.Sprint("p", n), Time: 1764061200000 + event.Time(n), W: 1, Y: float64(rng.IntN(2)),
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

// offline lets fit learn the file.
func offline(b *testing.B, path string) (seconds float64, weights string) {
	began := time.Now()
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fit.NewRun("click", net).Learn(b.Context(), &fit.Files{Format: "jsonl"}, []string{path}, 0); err != nil {
		b.Fatal(err)
	}
	return time.Since(began).Seconds(), learner.WeightsHash(net)
}

// online lets a learner learn the topic from its start.
func online(b *testing.B, client *stream.Client) (seconds float64, weights string) {
	now := func() event.Time { return event.TimeOf(time.Now()) }
	registry := prometheus.NewRegistry()
	began := time.Now()
	l, err := learner.New(learner.DefaultConfig(), learner.Deps{
		Client: client, Objectives: objectives, Model: model.DefaultConfig(), Dir: b.TempDir(), Now: now, Logger: slog.New(slog.DiscardHandler), Registerer: registry,
	})
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	l.Register(mux, mux)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Run(ctx) // ends with ctx's error
	}()
	defer func() {
		cancel()
		<-done
	}()
	for learned(b, registry) < examples {
		time.Sleep(2 * time.Millisecond)
	}
	seconds = time.Since(began).Seconds()
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/learner?objective=click", nil))
	var state struct{ Weights string }
	if err := json.Unmarshal(w.Body.Bytes(), &state); err != nil {
		b.Fatalf("%s: %v", w.Body, err)
	}
	return seconds, state.Weights
}

// learned is the learner's metric of learned examples. A question for its state would make it copy
// the weights.
func learned(b *testing.B, registry *prometheus.Registry) float64 {
	families, err := registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "clickloop_learner_examples_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}
