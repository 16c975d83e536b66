package fold

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const partitions = 2

var t0, _ = event.ParseTime("2026-11-25T09:00:00Z")

// rig is topics and a store. Its handler folds a record that is an event into a profile of the
// event's user, and gives others to the dead letters.
type rig struct {
	*testing.T
	client *stream.Client
	store  *features.Memory
	cfg    Config
}

func newRig(t *testing.T) *rig {
	t.Helper()
	by, login := backend.Secured(backend.Kafka(t))
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), Session: backend.Session(), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	err = client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicEvents, Partitions: partitions}, stream.Topic{Name: event.TopicDeadLetter, Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	now := func() event.Time { return 0 }
	r := &rig{T: t, client: client, store: features.NewMemory()}
	r.cfg = Config{
		Client: client, Group: "test", Store: r.store, Into: "users", Letters: deadletter.New("test", client, now, logger, nil),
		Watermark: watermark.DefaultConfig(), Beats: watermark.NewReporter("test", now, logger, nil), Now: now,
		Moved: prometheus.NewCounter(prometheus.CounterOpts{Name: "moved"}), Rewound: prometheus.NewCounter(prometheus.CounterOpts{Name: "rewound"}), Logger: logger,
		Start: func(context.Context, features.Position) (Handler, error) { return handle, nil },
	}
	return r
}

func handle(b *Batch, r *stream.Record) {
	switch e, err := event.ParseEvent(r.Value); {
	case err != nil:
		b.Letters = append(b.Letters, deadletter.Letter{Topic: event.TopicEvents, Record: *r, Reason: err.Error()})
	case e.Type == event.TypeHeartbeat:
		b.Beat(&e, r)
	default:
		b.Settle(&e, r)
		b.Updates = append(b.Updates, features.Update{Key: e.User, Offset: r.Offset, Ops: []features.Op{{Kind: features.OpAdd, Field: "events", Add: 1}}})
	}
}

// start runs a fold until the test ends.
func (r *rig) start() *Fold {
	f := New(r.cfg)
	ctx, cancel := context.WithCancel(r.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = f.Run(ctx) }) // ends with ctx's error
	r.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return f
}

func (r *rig) produce(values ...string) {
	r.Helper()
	var records []stream.Record
	for i, v := range values {
		records = append(records, stream.Record{Partition: i % partitions, Value: []byte(v)})
	}
	if err := r.client.Produce(r.Context(), event.TopicEvents, records); err != nil {
		r.Fatal(err)
	}
}

// of is an event of a user, beat the clock.
func of(user string) string {
	e := event.Event{ID: user, Type: event.TypePage, User: user, Time: t0, Received: t0}
	return string(e.AppendJSON(nil))
}

func beat(t event.Time) string {
	e := event.Event{Type: event.TypeHeartbeat, Time: t, Received: t}
	return string(e.AppendJSON(nil))
}

func (r *rig) await(what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("waited 20s for %s", what)
		}
	}
}

func (r *rig) awaitWatermark(f *Fold, want event.Time) {
	r.Helper()
	r.await("the watermark "+want.String(), func() bool { t, err := f.Watermark(r.Context()); return err == nil && t == want })
}

// counts are the events of users in the store.
func (r *rig) counts(users ...string) string {
	r.Helper()
	found, err := r.store.Read(r.Context(), users)
	if err != nil {
		r.Fatal(err)
	}
	var counts []string
	for _, user := range users {
		counts = append(counts, found[user].Fields["events"])
	}
	return fmt.Sprint(counts)
}

func TestTheWatermarkIsThatOfTheSlowestPartition(t *testing.T) {
	r := newRig(t)
	f := r.start()
	r.produce(of("a"), of("b"))
	r.produce(beat(t0.Add(time.Minute)), beat(t0))
	r.awaitWatermark(f, t0)
	if got := r.counts("a", "b"); got != "[1 1]" {
		t.Errorf("counts %s, want [1 1]", got)
	}
	r.produce(beat(t0.Add(time.Minute)), beat(t0.Add(time.Second)))
	r.awaitWatermark(f, t0.Add(time.Second))
	if own, ok := f.Own(partitions); !ok || own != t0.Add(time.Second) {
		t.Errorf("the own watermark is %v, %v", own, ok)
	}
	elsewhere := New(r.cfg) // folds nothing itself
	r.awaitWatermark(elsewhere, t0.Add(time.Second))
	if _, ok := elsewhere.Own(1); ok {
		t.Error("a fold that does not run knows a watermark of its own")
	}
}

// A store that is emptied is filled again, with records and without.
func TestAnEmptiedStoreIsFoldedAgain(t *testing.T) {
	r := newRig(t)
	f := r.start()
	r.produce(of("a"), of("b"), beat(t0), beat(t0))
	r.awaitWatermark(f, t0)
	r.store.Reset()
	r.await("the fold without records", func() bool { return r.counts("a", "b") == "[1 1]" })
	r.store.Reset()
	r.produce(of("c"), of("d"), beat(t0+1), beat(t0+1))
	r.awaitWatermark(f, t0+1)
	r.await("the fold with records", func() bool { return r.counts("a", "b", "c", "d") == "[1 1 1 1]" })
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.cfg.Moved)
	metrics, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if rewound := testutil.ToFloat64(r.cfg.Rewound); rewound < 2 {
		t.Errorf("%v runs began before what was folded, want each partition's", rewound)
	}
	if moved := metrics[0].GetMetric()[0].GetCounter().GetValue(); moved < 2 {
		t.Errorf("%v runs ended because the store had moved, want each partition's", moved)
	}
}

// A new id has no positions, so events are folded from their start once more.
func TestANewPositionsIDFoldsFromTheStart(t *testing.T) {
	r := newRig(t)
	var id atomic.Int64
	current := func(_ context.Context, topicID string) (string, error) {
		return fmt.Sprint(topicID, ".", id.Load()), nil
	}
	r.cfg.Positions = &Positions{Begin: current, Current: current}
	f := r.start()
	r.produce(of("a"), of("b"), beat(t0), beat(t0))
	r.awaitWatermark(f, t0)
	id.Add(1)
	r.await("the second fold", func() bool { return r.counts("a", "b") == "[2 2]" }) // fences go by id
	r.awaitWatermark(f, t0)
}

// No position passes a record whose dead letter is not written.
func TestDeadLettersAreWrittenBeforeTheBatchIsApplied(t *testing.T) {
	r := newRig(t)
	early := make(chan int64, 1)
	r.cfg.Store = &spied{Store: r.store, apply: func(features.Position) {
		if ranges, err := r.client.Offsets(context.Background(), event.TopicDeadLetter); err == nil {
			select {
			case early <- ranges[0].End:
			default:
			}
		}
	}}
	f := r.start()
	r.produce("{")
	if letters := <-early; letters != 1 {
		t.Errorf("%d letters when the batch is applied, want 1", letters)
	}
	r.produce(beat(t0), beat(t0))
	r.awaitWatermark(f, t0)
}

// What a process knows of a partition is forgotten before a run counts itself: between the two, a
// lookup could trust what the store no longer holds.
func TestARunForgetsTheOldWatermarkBeforeItBegins(t *testing.T) {
	r := newRig(t)
	var f *Fold
	known := true
	begin := func(_ context.Context, topicID string) (string, error) {
		_, known = f.Own(1)
		return topicID, nil
	}
	r.cfg.Positions = &Positions{Begin: begin, Current: begin}
	f = New(r.cfg)
	f.folded.set(0, t0)
	x := &run{Fold: f, topicID: "aaaaaaaa", logger: f.logger}
	if err := x.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if known {
		t.Error("the old watermark stands while the run begins")
	}
}

// A fold that starts again goes on with what the collectors beside the position say.
func TestARunGoesOnAtThePositionOfTheStore(t *testing.T) {
	r := newRig(t)
	first := r.start()
	r.produce(of("a"), of("b"), beat(t0), beat(t0))
	r.awaitWatermark(first, t0)
	var mu sync.Mutex
	var begun []int64
	r.cfg.Group = "another"
	r.cfg.Start = func(_ context.Context, at features.Position) (Handler, error) {
		mu.Lock()
		defer mu.Unlock()
		begun = append(begun, at.Next)
		return handle, nil
	}
	second := r.start()
	r.await("its runs", func() bool { _, ok := second.Own(partitions); return ok })
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(begun, []int64{2, 2}) {
		t.Errorf("the runs begin at %v, want 2 and 2", begun)
	}
}

// spied is a Store that calls apply before each Apply.
type spied struct {
	features.Store
	apply func(to features.Position)
}

func (s *spied) Apply(ctx context.Context, from int64, to features.Position, batch []features.Update) error {
	s.apply(to)
	return s.Store.Apply(ctx, from, to, batch)
}

// The group's offsets reach the end of the topic although nothing comes behind it.
func TestWhatIsFoldedIsCommittedWhileNothingComes(t *testing.T) {
	r := newRig(t)
	r.produce(`{"id":"e1","type":"click","user":"u1"}`, `{"id":"e2","type":"click","user":"u2"}`)
	r.start()
	survey := r.client.NewSurvey()
	defer survey.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		committed, err := survey.Committed(ctx, r.cfg.Group, event.TopicEvents, partitions)
		if ctx.Err() != nil {
			t.Fatalf("%v, %v are committed, want 1 of each partition", committed, err)
		}
		if err == nil && slices.Equal(committed, []int64{1, 1}) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
