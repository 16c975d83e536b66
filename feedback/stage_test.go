package feedback

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	partitions = 3
	span       = time.Minute // of the objective's window
)

var t0 = func() event.Time { t, _ := event.ParseTime("2026-11-25T09:00:00Z"); return t }()

// rig is topics and a store of outcomes, over which a test runs one Feedback or several.
type rig struct {
	testing.TB
	moves     bool // the ownership of evaluations may move: what is written twice must be the same
	client    *stream.Client
	broker    string
	store     *faultStore
	outcomes  features.Store // what processes are given: store unless a test says otherwise
	cfg       Config
	oneOrder  bool
	watermark watermark.Config // zero: the default
	objective event.Objective
	wall      atomic.Int64 // added to the wall's clock, ms
	registry  *prometheus.Registry
	keys      *signing.Ring
	maxAge    event.AgeLimits
	shown     *features.Shown
}

func newRig(t testing.TB) *rig {
	t.Helper()
	brokers := backend.Kafka(t)
	by, login := backend.Secured(brokers)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: backend.Prefix(t), ClientID: "test", Session: backend.Session(), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r := &rig{
		TB: t, client: client, broker: brokers[0], store: newFaultStore(), cfg: DefaultConfig(),
		objective: event.Objective{Name: "click", Trigger: event.TriggerPrediction, Positive: event.TypeClick, Window: span},
	}
	r.outcomes = r.store
	r.makeTopics()
	return r
}

func (r *rig) makeTopics() {
	r.Helper()
	err := r.client.EnsureTopics(r.Context(),
		stream.Topic{Name: event.TopicEvents, Partitions: partitions}, stream.Topic{Name: event.TopicPredictions, Partitions: partitions},
		stream.Topic{Name: event.TopicExamples(r.objective.Name), Partitions: 1}, stream.Topic{Name: event.TopicEvaluations, Partitions: 1},
		stream.Topic{Name: event.TopicDeadLetter, Partitions: 1})
	if err != nil {
		r.Fatal(err)
	}
}

// recreate deletes a topic and makes it again.
func (r *rig) recreate(topic string) {
	r.Helper()
	backend.DeleteTopic(r, r.broker, r.client.Prefix()+topic)
	r.makeTopics()
}

// start runs a Feedback; stop ends it and waits.
func (r *rig) start() (f *Feedback, mux *http.ServeMux, stop func()) {
	r.Helper()
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("CLICKLOOP_TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	deps := Deps{
		Client: r.client, Objectives: []event.Objective{r.objective}, OneOrder: r.oneOrder, Outcomes: r.outcomes, Watermark: r.watermark, Logger: logger, Keys: r.keys, MaxAge: r.maxAge, Shown: r.shown,
		Now: func() event.Time { return event.TimeOf(time.Now()) + event.Time(r.wall.Load()) },
	}
	if r.registry != nil {
		deps.Registerer = r.registry
	}
	f, err := New(r.cfg, deps)
	if err != nil {
		r.Fatal(err)
	}
	mux = http.NewServeMux()
	f.Register(mux, mux)
	ctx, cancel := context.WithCancel(r.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
	r.Cleanup(stop)
	return f, mux, stop
}

// join is start that waits until the process owns a part: one that is stopped while it joins keeps
// its place in the groups for a session.
func (r *rig) join() (mux *http.ServeMux, stop func()) {
	r.Helper()
	f, mux, stop := r.start()
	r.await("a part of events", func() bool { _, ok := f.outcomes.Own(1); return ok })
	return mux, stop
}

// commit moves a group's offset in every partition of a topic.
func (r *rig) commit(group, topic string, next int64) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var failed error
	_ = r.client.Join(ctx, group, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
		offsets := map[int]int64{}
		for _, a := range g.Assigned[topic] {
			offsets[a.Partition] = next
		}
		failed = g.Commit(ctx, topic, offsets)
		cancel()
		return failed
	})
	if failed != nil {
		r.Fatal(failed)
	}
}

// produce writes records to a topic.
func (r *rig) produce(topic string, records ...stream.Record) {
	r.Helper()
	if err := r.client.Produce(r.Context(), topic, records); err != nil {
		r.Fatal(err)
	}
}

// prediction is the record of a prediction of row, made row milliseconds after t0.
func prediction(row int64) stream.Record {
	p := event.Prediction{ID: fmt.Sprint("p", row), Request: fmt.Sprint("r", row), Row: row, Time: t0 + event.Time(row), User: "u", Ad: "a",
		P: []event.ObjectiveP{{Objective: "click", P: 0.25}}, Model: []event.ObjectiveVersion{{Objective: "click", Version: "click@0"}}, Propensity: 1,
		Features: event.Fields{{Name: "device", Value: event.Value{Kind: event.String, Str: "mobile"}}}}
	return stream.Record{Partition: -1, Key: []byte(p.ID), Value: p.AppendJSON(nil)}
}

// click is the record of a click on the prediction of row, at a time after the prediction.
func click(row int64, after time.Duration) stream.Record {
	at := (t0 + event.Time(row)).Add(after)
	e := event.Event{ID: fmt.Sprint("c", row, after), Type: event.TypeClick, Time: at, Received: at, User: fmt.Sprint("u", row), Prediction: fmt.Sprint("p", row)}
	return stream.Record{Partition: -1, Key: []byte(e.User), Value: e.AppendJSON(nil)}
}

// beat writes the clock to every partition of events.
func (r *rig) beat(t event.Time) {
	r.Helper()
	e := event.Event{Type: event.TypeHeartbeat, Time: t, Received: t}
	var records []stream.Record
	for p := range partitions {
		records = append(records, stream.Record{Partition: p, Key: []byte("heartbeat"), Value: e.AppendJSON(nil)})
	}
	r.produce(event.TopicEvents, records...)
}

// read returns all that a topic holds, partition after partition.
func (r *rig) read(topic string) (records []stream.Record) {
	r.Helper()
	ranges, err := r.client.Offsets(r.Context(), topic)
	if err != nil {
		r.Fatal(err)
	}
	for p, rg := range ranges {
		err := r.client.ReadRange(r.Context(), topic, p, rg.First, rg.End, func(rec *stream.Record) error {
			records = append(records, *rec)
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
	}
	return records
}

// examples returns those that a reader takes, and how many repeats it drops.
func (r *rig) examples() (fresh []event.Example, repeats int) {
	r.Helper()
	var water event.HighWater
	for _, rec := range r.read(event.TopicExamples(r.objective.Name)) {
		x, err := event.ParseExample(rec.Value)
		if err != nil {
			r.Fatalf("example %s: %v", rec.Value, err)
		}
		if !water.Fresh(x.Source, x.Revision) {
			repeats++
			continue
		}
		fresh = append(fresh, x)
	}
	return fresh, repeats
}

// await polls until ok, or fails with what.
func (r *rig) await(what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("waited 20s for %s", what)
		}
	}
}

// awaitMetric waits until a metric has a value; labels are values, in the order of their names,
// with spaces between.
func (r *rig) awaitMetric(want float64, name, labels string) {
	r.Helper()
	got := 0.0
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if got = r.metric(name, labels); got == want {
			return
		}
		if time.Now().After(end) {
			r.Fatalf("%s of %q is %v, want %v", name, labels, got, want)
		}
	}
}

func (r *rig) metric(name, labels string) float64 {
	r.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if f.GetName() == name && strings.Join(values, " ") == labels {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// awaitExamples waits until readers have taken n.
func (r *rig) awaitExamples(n int) []event.Example {
	r.Helper()
	var fresh []event.Example
	r.await(fmt.Sprint(n, " examples"), func() bool { fresh, _ = r.examples(); return len(fresh) >= n })
	if len(fresh) != n {
		r.Fatalf("there are %d examples, want %d", len(fresh), n)
	}
	return fresh
}

// positionsID is the id under which a store keeps positions of the events topic id.
func (r *rig) positionsID(store features.Store, id string) string {
	r.Helper()
	positions, err := (&outcomes{store: store}).currentRun(r.Context(), id)
	if err != nil {
		r.Fatal(err)
	}
	return positions
}

// mark is the watermark of n partitions in the store, as a new process would see it.
func (r *rig) mark(n int) event.Time {
	r.Helper()
	id, err := r.client.TopicID(r.Context(), event.TopicEvents)
	if err != nil {
		r.Fatal(err)
	}
	t, err := r.store.Watermark(r.Context(), r.positionsID(r.store, id), n)
	if err != nil {
		r.Fatal(err)
	}
	return t
}

// awaitMark waits until outcomes are folded up to t.
func (r *rig) awaitMark(t event.Time) {
	r.Helper()
	r.await("the watermark "+t.String(), func() bool { return r.mark(partitions) >= t })
}

var _ features.Store = (*faultStore)(nil)
