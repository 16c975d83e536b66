package learner

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A question for everything before the end of the topic is answered though the last offset is the
// marker of a transaction. Aborted examples are not learned.
func TestMarkersAreLearnedPast(t *testing.T) {
	f := newFixture(t)
	r := f.run(t.TempDir(), nil)
	k, err := kgo.NewClient(append(backend.Franz(f.brokers...), kgo.TransactionalID(f.prefix+"x"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	transaction := func(how kgo.TransactionEndTry, records []stream.Record) {
		t.Helper()
		if err := k.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, rec := range records {
			if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: f.prefix + event.TopicExamples("click"), Key: rec.Key, Value: rec.Value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	learnedAll := func(want int64) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			ranges, err := f.client.Offsets(t.Context(), event.TopicExamples("click"))
			if err != nil {
				t.Fatal(err)
			}
			code, s := r.call(http.MethodGet, fmt.Sprintf("/v1/learner?objective=click&learned=%d", ranges[0].End))
			if code == http.StatusOK && s.Examples == want && s.Next >= ranges[0].End && s.Behind == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("answer %d, %+v; want %d examples up to %d", code, s, want, ranges[0].End)
			}
		}
	}
	transaction(kgo.TryCommit, recordsOf(1, 0, 20))
	learnedAll(20)
	transaction(kgo.TryAbort, []stream.Record{{Value: []byte("{never")}})
	learnedAll(20)
	f.produce(recordsOf(1, 20, 30))
	learnedAll(30)
	if s := r.await(30); s.Weights != straight(t, 30) {
		t.Errorf("the weights are %s, want %s", s.Weights, straight(t, 30))
	}
	if letters := f.read(event.TopicDeadLetter); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
	r.stop()
	again := f.run(t.TempDir(), nil) // from the start of the topic
	if s := again.await(30); s.Weights != straight(t, 30) {
		t.Errorf("learned again the weights are %s, want %s", s.Weights, straight(t, 30))
	}
}

// A learner that takes an objective proves that it owns it by a commit of where it goes on, before
// it learns anything.
func TestAClaimCommitsWhereLearningGoesOn(t *testing.T) {
	f := newFixture(t)
	f.produce(recordsOf(1, 0, 20))
	dir := t.TempDir()
	r := f.run(dir, nil)
	r.await(20)
	r.stop()
	c := &core{resumed: -1}
	files, err := newFiles(osDisk{}, dir, "click")
	if err != nil {
		t.Fatal(err)
	}
	o := &owner{objective: "click", key: "click", client: f.dial(), files: files, config: smallModel(), logger: quiet}
	if err := o.restore(c); err != nil || c.at.Next != 20 {
		t.Fatalf("the checkpoint goes on at %d, %v; want 20", c.at.Next, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	group := "claim"
	var claimed error
	_ = o.client.Join(ctx, group, []string{o.topic()}, func(ctx context.Context, g *stream.Generation) error {
		defer cancel()
		_, _, claimed = o.claim(ctx, g, c)
		return nil
	})
	if claimed != nil {
		t.Fatal(claimed)
	}
	if at := f.committed(group, o.topic()); at != 20 {
		t.Errorf("the group is at %d, want 20", at)
	}
}

// committed is the offset of a group in a topic's first partition, -1 for none.
func (f *fixture) committed(group, topic string) int64 {
	f.t.Helper()
	k, err := kgo.NewClient(backend.Franz(f.brokers...)...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer k.Close()
	name := f.prefix + topic
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = f.prefix + group
	req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: name, Partitions: []int32{0}}}
	req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: req.Group, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: name, Partitions: []int32{0}}}}}
	resp, err := req.RequestWith(f.t.Context(), k)
	if err != nil {
		f.t.Fatal(err)
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

var quiet = slog.New(slog.DiscardHandler)
