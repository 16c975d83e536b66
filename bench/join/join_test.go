// Package join measures how long a scorer takes from its start until it serves what the learner had
// published by then.
package join

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/scorer"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	rate   = 2000                  // examples a second
	every  = 10 * time.Millisecond // between writes
	fields = 12
	probes = 100 // predictions that are compared for each scorer that joins
)

var objectives = []event.Objective{{Name: "click", Trigger: "prediction", Positive: "click", Window: time.Minute}}

// BenchmarkJoin has scorers join at random moments while 2,000 examples flow a second; a call is
// one of them. It times each from the start of its stage until it serves the version that the
// learner had published at that moment, or a later one, and then compares its predictions, bit for
// bit, with those of a net that has learned the same examples up to the very version that it
// serves. By the number of tokens, of which the default table of 2^20 has room for the last.
func BenchmarkJoin(b *testing.B) {
	for _, tokens := range []int{5_000, 300_000, 1_000_000} {
		b.Run(fmt.Sprint("tokens=", tokens), func(b *testing.B) { measure(b, tokens) })
	}
}

func measure(b *testing.B, tokens int) {
	seed := uint64(time.Now().UnixNano())
	b.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	w := start(b, source{seed: seed, ids: tokens / fields})
	ctx, cancel := context.WithCancel(b.Context())
	var flowing sync.WaitGroup
	flowing.Go(func() { w.flow(ctx) })
	defer flowing.Wait()
	defer cancel()
	time.Sleep(time.Second)
	var took []time.Duration
	var seen []answer
	for b.Loop() {
		// the moment is random, not a synchronisation
		time.Sleep(time.Duration(rng.Int64N(int64(time.Second))))
		d, a := w.join(uint64(len(seen)))
		took, seen = append(took, d), append(seen, a)
	}
	cancel()
	flowing.Wait()
	w.compare(seen)
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(0, "ns/op")
}

// source makes examples: the n-th is the same whenever it is made.
type source struct {
	seed uint64
	ids  int // by field
}

// features of the first examples name every id once, so that the net has grown after them.
func (s source) features(n int64) event.Fields {
	rng := rand.New(rand.NewPCG(s.seed, uint64(n)))
	var x event.Fields
	for i := range fields {
		id := rng.IntN(s.ids)
		if n < int64(s.ids) {
			id = int(n)
		}
		name := fmt.Sprintf("f%02d", i)
		if i == fields-1 {
			name = "ad" // stands last in what a scorer assembles
		}
		x = append(x, event.Field{Name: name, Value: event.Value{Kind: event.String, Str: fmt.Sprint("v", id)}})
	}
	return x
}

func (s source) label(n int64) float64 {
	return float64(rand.New(rand.NewPCG(s.seed+1, uint64(n))).IntN(2))
}

func (s source) record(n int64) stream.Record {
	e := event.Example{
		Objective: "click", Prediction: fmt.Sprint("p", n), Time: event.TimeOf(time.Now()), W: 1, Y: s.label(n),
		Source: event.Source{Topic: "aaaaaaaa", Offset: n}, Features: s.features(n),
	}
	return stream.Record{Key: []byte(e.Prediction), Value: e.AppendJSON(nil)}
}

// world is a learner at work on examples.
type world struct {
	b        *testing.B
	source   source
	client   *stream.Client
	prefix   string
	registry *prometheus.Registry
	set      *features.Set
	n        int64 // examples that were produced
}

// start runs a learner until it has learned and published the first examples, so that the net has
// grown.
func start(b *testing.B, s source) *world {
	w := &world{b: b, source: s, prefix: backend.Prefix(b), registry: prometheus.NewRegistry()}
	w.client = w.dial()
	b.Cleanup(func() { _ = w.client.Close() })
	for _, t := range event.Topics(objectives, 1) {
		if err := w.client.EnsureTopics(b.Context(), stream.Topic{Name: t.Name, Partitions: t.Partitions, RetentionBytes: t.RetentionBytes, SegmentBytes: t.SegmentBytes}); err != nil {
			b.Fatal(err)
		}
	}
	var err error
	if w.set, err = features.Compile(features.Config{Context: []string{"*"}}); err != nil {
		b.Fatal(err)
	}
	l, err := learner.New(learner.DefaultConfig(), learner.Deps{
		Client: w.client, Objectives: objectives, Model: model.DefaultConfig(), Dir: b.TempDir(), Now: now, Logger: slog.New(slog.DiscardHandler), Registerer: w.registry,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Run(ctx) // ends with ctx's error
	}()
	b.Cleanup(func() {
		cancel()
		<-done
	})
	for total := int64(s.ids) + 20_000; w.n < total; {
		w.produce(int(min(2000, total-w.n)))
	}
	for deadline := time.Now().Add(2 * time.Minute); w.published() < w.n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("the learner has published version %d of %d", w.published(), w.n)
		}
	}
	return w
}

func now() event.Time { return event.TimeOf(time.Now()) }

func (w *world) dial() *stream.Client {
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(w.b), Prefix: w.prefix})
	if err != nil {
		w.b.Fatal(err)
	}
	return client
}

// produce writes the next count examples.
func (w *world) produce(count int) {
	var records []stream.Record
	for range count {
		records = append(records, w.source.record(w.n))
		w.n++
	}
	if err := w.client.Produce(w.b.Context(), event.TopicExamples("click"), records); err != nil {
		w.b.Error(err)
	}
}

// flow produces examples until ctx ends.
func (w *world) flow(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		w.produce(int(rate * every / time.Second))
	}
}

// published is the version that Kafka has acknowledged to the learner.
func (w *world) published() int64 {
	families, err := w.registry.Gather()
	if err != nil {
		w.b.Error(err)
	}
	for _, f := range families {
		if f.GetName() == "clickloop_learner_version_examples" {
			return int64(f.Metric[0].GetGauge().GetValue())
		}
	}
	return -1
}

// answer is what a scorer that has joined predicts for the features of some examples, and with
// which version.
type answer struct {
	version int64
	of      []int64 // examples
	p       []float64
}

// join runs a scorer of its own until it serves what is published now, and asks it for predictions.
func (w *world) join(seed uint64) (time.Duration, answer) {
	published := w.published()
	began := time.Now()
	client := w.dial()
	defer func() { _ = client.Close() }()
	s, err := scorer.New(scorer.DefaultConfig(), scorer.Deps{Client: client, Objectives: objectives, Set: w.set, Store: features.NewMemory(), Now: now, Logger: slog.New(slog.DiscardHandler)}, nil)
	if err != nil {
		w.b.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Register(mux, mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx) // ends with ctx's error
	}()
	defer func() {
		cancel()
		<-done
	}()
	var served struct{ Examples int64 }
	for tries := 0; served.Examples < published; tries++ {
		if tries == 60 {
			w.b.Fatalf("version %d is served after a minute, the learner had published %d", served.Examples, published)
		}
		body := call(w.b, mux, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/v1/model?objective=click&at_least=%d&wait=1s", published), nil))
		if err := json.Unmarshal(body, &served); err != nil {
			w.b.Fatal(err)
		}
	}
	took := time.Since(began)
	return took, w.ask(mux, seed, published)
}

// ask asks for predictions of examples that were learned before.
func (w *world) ask(mux *http.ServeMux, seed uint64, learned int64) answer {
	rng := rand.New(rand.NewPCG(w.source.seed, seed))
	var a answer
	var body strings.Builder
	fmt.Fprintf(&body, `{"request":"r%d","context":{},"choose":0,"candidates":[`, seed)
	for i := range probes {
		n := rng.Int64N(learned)
		if i > 0 {
			body.WriteByte(',')
		}
		x := w.source.features(n)
		fmt.Fprintf(&body, `{"ad":%q,"context":{`, x[fields-1].Value.Str)
		for k, f := range x[:fields-1] {
			if k > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, "%q:%q", f.Name, f.Value.Str)
		}
		body.WriteString(`}}`)
		a.of = append(a.of, n)
	}
	body.WriteString(`]}`)
	var got struct {
		Model       map[string]string
		Predictions []struct {
			Prediction string
			P          map[string]float64
		}
	}
	if err := json.Unmarshal(call(w.b, mux, httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(body.String()))), &got); err != nil {
		w.b.Fatal(err)
	}
	if _, err := fmt.Sscanf(got.Model["click"], "click@%d", &a.version); err != nil || a.version < learned || len(got.Predictions) != probes {
		w.b.Fatalf("version %q answers with %d predictions, want version %d or later and %d: %v", got.Model["click"], len(got.Predictions), learned, probes, err)
	}
	a.p = make([]float64, probes)
	for _, p := range got.Predictions { // the likeliest first
		i, err := strconv.Atoi(p.Prediction[strings.LastIndexByte(p.Prediction, '.')+1:])
		if err != nil {
			w.b.Fatal(err)
		}
		a.p[i] = p.P["click"]
	}
	return a
}

func call(b *testing.B, mux *http.ServeMux, r *http.Request) []byte {
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		b.Fatalf("%s: %d %s", r.URL, rec.Code, rec.Body)
	}
	return rec.Body.Bytes()
}

// compare learns the examples again, in their order, and compares what was answered at each
// version.
func (w *world) compare(seen []answer) {
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		w.b.Fatal(err)
	}
	scratch := net.NewScratch()
	var x []model.Feature
	for _, a := range seen { // versions rise
		for net.Examples() < a.version {
			n := net.Examples()
			x = features.Encode(x[:0], w.source.features(n))
			if _, err := net.Learn(x, w.source.label(n), 1, scratch); err != nil {
				w.b.Fatal(err)
			}
		}
		for i, n := range a.of {
			x = features.Encode(x[:0], w.source.features(n))
			if want := net.Predict(x, scratch); a.p[i] != want {
				w.b.Fatalf("a scorer that joined predicts %v at version %d, the learner %v", a.p[i], a.version, want)
			}
		}
	}
}
