package feedback

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// beatAll writes the clock to n partitions of events.
func (r *rig) beatAll(t event.Time, n int) {
	r.Helper()
	e := event.Event{Type: event.TypeHeartbeat, Time: t, Received: t}
	var records []stream.Record
	for p := range n {
		records = append(records, stream.Record{Partition: p, Key: []byte("heartbeat"), Value: e.AppendJSON(nil)})
	}
	r.produce(event.TopicEvents, records...)
}

// grow gives a topic n partitions and waits until they are seen.
func (r *rig) grow(topic string, n int) {
	r.Helper()
	backend.AddPartitions(r, r.broker, r.client.Prefix()+topic, n)
	r.await(fmt.Sprint(n, " partitions of ", topic), func() bool { got, err := r.client.Partitions(r.Context(), topic); return err == nil && got == n })
}

func in(partition int, records ...stream.Record) []stream.Record {
	for i := range records {
		records[i].Partition = partition
	}
	return records
}

// Partitions that are added to events and predictions are counted by the watermark and labelled: a
// label waits for what stands in them.
func TestLabelsWaitForPartitionsThatAreAdded(t *testing.T) {
	r := newRig(t)
	r.join()
	r.produce(event.TopicPredictions, prediction(0), prediction(1))
	r.produce(event.TopicEvents, click(1, time.Second))
	r.beat(t0.Add(2 * time.Minute))
	r.awaitExamples(2)
	r.grow(event.TopicEvents, 5)
	r.grow(event.TopicPredictions, 6)
	r.produce(event.TopicPredictions, in(5, prediction(2), prediction(3))...)
	r.produce(event.TopicPredictions, in(0, prediction(4))...)
	r.beat(t0.Add(time.Hour)) // of the three partitions that were there
	if t := r.mark(5); t != 0 {
		r.Fatalf("the watermark of five partitions is %s, before two of them have any", t)
	}
	// evidence in a partition that is new
	r.produce(event.TopicEvents, in(4, click(2, time.Second))...)
	if fresh, _ := r.examples(); len(fresh) != 2 {
		t.Fatalf("%d examples, want 2: nothing is known of the new partitions", len(fresh))
	}
	r.beatAll(t0.Add(time.Hour), 5)
	labels := map[string]float64{}
	for _, x := range r.awaitExamples(5) {
		labels[x.Prediction] = x.Y
	}
	want := map[string]float64{"p0": 0, "p1": 1, "p2": 1, "p3": 0, "p4": 0}
	for id, y := range want {
		if got, ok := labels[id]; !ok || got != y {
			t.Errorf("%s has label %v (%v), want %v", id, got, ok, y)
		}
	}
}

// A prediction that is written again after partitions were added comes in another one, and is still
// one example: in one batch, in two, and after a restart between the two.
func TestAPredictionSentAgainIntoAnotherPartitionIsOneExample(t *testing.T) {
	r := newRig(t)
	_, stop := r.join()
	r.produce(event.TopicPredictions, in(0, prediction(0), prediction(1), prediction(2))...)
	r.beat(t0.Add(2 * time.Minute))
	r.awaitExamples(3)
	r.grow(event.TopicPredictions, 5)
	again := func(row int64) stream.Record { // scored a little later
		p, err := event.ParsePrediction(prediction(row).Value)
		if err != nil {
			t.Fatal(err)
		}
		p.Time += 10
		return stream.Record{Key: []byte(p.ID), Value: p.AppendJSON(nil)}
	}
	r.produce(event.TopicPredictions, in(4, again(1), prediction(10))...) // p1 was labelled before
	r.produce(event.TopicPredictions, in(1, prediction(11))...)
	r.produce(event.TopicPredictions, in(3, again(11))...) // both wait
	r.beat(t0.Add(3 * time.Minute))
	r.awaitExamples(5)
	r.await("the commit of what was labelled", func() bool { return r.lag() == 0 })
	stop()
	r.produce(event.TopicPredictions, in(3, again(2), again(10), prediction(12))...)
	r.join()
	r.beat(t0.Add(4 * time.Minute))
	seen := map[string]int{}
	for _, x := range r.awaitExamples(6) {
		seen[x.Prediction]++
	}
	for _, id := range []string{"p0", "p1", "p2", "p10", "p11", "p12"} {
		if seen[id] != 1 {
			t.Errorf("%s has %d examples, want 1", id, seen[id])
		}
	}
}

// lag is how many predictions are not committed by the labelers.
func (r *rig) lag() (n int64) {
	r.Helper()
	ranges, err := r.client.Offsets(r.Context(), event.TopicPredictions)
	if err != nil {
		r.Fatal(err)
	}
	for p, rg := range ranges {
		n += rg.End - max(r.fetchCommitted("labels.click", event.TopicPredictions, p), 0)
	}
	return n
}

// A partition that was assigned and of which the topic does not know must not keep the labeler busy
// for ever: its loop looks at its context, and says what is wrong.
func TestALabelerEndsWithItsContextWhateverIsHidden(t *testing.T) {
	r := newRig(t)
	f, err := New(r.cfg, Deps{Client: r.client, Objectives: []event.Objective{r.objective}, Outcomes: r.outcomes, Logger: quiet, Now: func() event.Time { return event.TimeOf(time.Now()) }})
	if err != nil {
		t.Fatal(err)
	}
	g := newLabeling(f.labelers[0], nil, "", 0)
	g.queues = []*queue{{partition: 1, waiting: []pending{{prediction: event.Prediction{ID: "p", Time: t0}}}}, {partition: 9}}
	topicID, err := r.client.TopicID(t.Context(), event.TopicEvents)
	if err != nil {
		t.Fatal(err)
	}
	id, err := f.outcomes.beginRun(t.Context(), topicID)
	for p := range partitions {
		if err == nil {
			err = r.store.Apply(t.Context(), 0, features.Position{TopicID: id, Partition: p, Next: 1, Received: t0.Add(time.Hour)}, nil)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.labelDue(t.Context()) }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "partition 9") {
			t.Errorf("it ended with %v, want the partition's name", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes round for ever")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.labelDue(ctx); err == nil {
		t.Error("a pass goes on when its context has ended")
	}
}

// Markers of transactions at the end of every partition make nobody wait.
func TestMarkersAtTheEndHoldNoLabelBack(t *testing.T) {
	r := newRig(t)
	k, err := kgo.NewClient(append(backend.Franz(r.broker), kgo.TransactionalID(r.client.Prefix()+"x"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	transaction := func(how kgo.TransactionEndTry, topic string, records ...stream.Record) {
		t.Helper()
		if err := k.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, rec := range records {
			if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: r.client.Prefix() + topic, Partition: int32(rec.Partition), Key: rec.Key, Value: rec.Value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	var aborted []stream.Record
	for p := range partitions {
		aborted = append(aborted, in(p, prediction(int64(100+p)))...)
	}
	transaction(kgo.TryCommit, event.TopicPredictions, append(in(0, prediction(0), prediction(1)), in(2, prediction(2))...)...)
	transaction(kgo.TryAbort, event.TopicPredictions, aborted...)
	transaction(kgo.TryCommit, event.TopicEvents, in(0, click(0, time.Second))...)
	// it never happened
	transaction(kgo.TryAbort, event.TopicEvents, in(1, click(1, time.Second))...)
	r.join()
	r.beat(t0.Add(time.Hour))
	labels := map[string]float64{}
	for _, x := range r.awaitExamples(3) {
		labels[x.Prediction] = x.Y
	}
	if labels["p0"] != 1 || labels["p1"] != 0 || labels["p2"] != 0 || len(labels) != 3 {
		t.Errorf("labels %v, want p0 alone to be positive", labels)
	}
	if letters := r.read(event.TopicDeadLetter); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
	transaction(kgo.TryCommit, event.TopicExamples("click")) // nothing
	transaction(kgo.TryAbort, event.TopicExamples("click"), stream.Record{Value: []byte("{")})
	// behind a marker at the examples' end
	transaction(kgo.TryCommit, event.TopicPredictions, in(1, prediction(5))...)
	r.await("the examples of all", func() bool { fresh, _ := r.examples(); return len(fresh) == 4 })
}

// A partition of events that is not folded while others are makes the stage unready after a while,
// by name.
func TestAPartitionThatIsNotFoldedIsNamed(t *testing.T) {
	r := newRig(t)
	f, _, _ := r.start()
	r.beat(t0)
	r.awaitMark(t0)
	u := unfolded{since: map[int]time.Time{}}
	for range 2 {
		if err := u.check(t.Context(), f.outcomes, 0); err != nil {
			t.Fatalf("all are folded: %v", err)
		}
	}
	hidden := &outcomes{client: r.client, store: without{f.outcomes.store, 1}}
	if err := u.check(t.Context(), hidden, 0); err != nil {
		t.Errorf("at first sight: %v", err)
	}
	if err := u.check(t.Context(), hidden, time.Hour); err != nil {
		t.Errorf("before its time: %v", err)
	}
	if err := u.check(t.Context(), hidden, 0); err == nil || !strings.Contains(err.Error(), "[1]") {
		t.Errorf("partition 1 is not folded: %v", err)
	}
	if err := f.Ready(t.Context()); err != nil {
		t.Errorf("the stage is not ready: %v", err)
	}
}

// An example that its topic does not take is buried, and those beside it are written.
func TestAnExampleThatTheTopicDoesNotTakeIsBuried(t *testing.T) {
	r := newRig(t)
	backend.AlterTopic(t, r.broker, r.client.Prefix()+event.TopicExamples("click"), "max.message.bytes", "3000")
	large, err := event.ParsePrediction(prediction(1).Value)
	if err != nil {
		t.Fatal(err)
	}
	large.Features = append(large.Features, event.Field{Name: "x", Value: event.Value{Kind: event.String, Str: strings.Repeat("y", 5000)}})
	r.produce(event.TopicPredictions, in(0, prediction(0), stream.Record{Key: []byte(large.ID), Value: large.AppendJSON(nil)}, prediction(2))...)
	r.join()
	r.beat(t0.Add(time.Hour))
	r.awaitExamples(2)
	r.await("the dead letter", func() bool { return len(r.read(event.TopicDeadLetter)) > 0 })
	d, err := event.ParseDeadLetter(r.read(event.TopicDeadLetter)[0].Value)
	if err != nil || d.Topic != event.TopicPredictions || d.Partition != 0 || d.Offset != 1 || !strings.Contains(d.Reason, "max.message.bytes is 3000") {
		t.Errorf("dead letter %+v, %v", d, err)
	}
}

var quiet = slog.New(slog.DiscardHandler)

// without is a store that has folded nothing of a partition.
type without struct {
	features.Store
	partition int
}

func (w without) Position(ctx context.Context, topicID string, partition int) (features.Position, error) {
	if partition == w.partition {
		return features.Position{TopicID: topicID, Partition: partition}, nil
	}
	return w.Store.Position(ctx, topicID, partition)
}

// fetchCommitted asks the broker for a group's offset, -1 for none.
func (r *rig) fetchCommitted(group, topic string, partition int) int64 {
	r.Helper()
	k, err := kgo.NewClient(backend.Franz(r.broker)...)
	if err != nil {
		r.Fatal(err)
	}
	defer k.Close()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = r.client.Prefix() + group
	req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: r.client.Prefix() + topic, Partitions: []int32{int32(partition)}}}
	req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: req.Group, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: r.client.Prefix() + topic, Partitions: []int32{int32(partition)}}}}}
	resp, err := req.RequestWith(r.Context(), k)
	if err != nil {
		r.Fatal(err)
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			return t.Partitions[0].Offset
		}
	}
	for _, t := range resp.Topics {
		return t.Partitions[0].Offset
	}
	return -1
}
