package learner

import (
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// However many records a snapshot has, the last record of the topic leads a joining replica to it,
// and not to the one before.
func TestTheLastRecordNamesTheSnapshotThatItCompletes(t *testing.T) {
	f := newFixture(t)
	w := newWriter(&owner{client: f.client, key: "click", logger: quiet, metrics: newInstruments(nil)})
	cfg := smallModel()
	cfg.TableBits = 16
	net, err := model.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	scratch := net.NewScratch()
	seen, end := map[int64]bool{}, int64(0)
	for records := int64(0); records < 5; {
		for range 1500 {
			x := []model.Feature{{Field: 1, Hash: uint64(net.Examples()+1) * 0xD1B54A32D192ED03, Value: 1}}
			if _, err := net.Learn(x, 1, 1, scratch); err != nil {
				t.Fatal(err)
			}
		}
		snapshot := net.StartSnapshot(nil)
		for !snapshot.Step(1 << 20) {
		}
		if err := w.writeSnapshot(t.Context(), message{head: weights.Head{Kind: weights.Snapshot, To: net.Examples()}, snapshot: snapshot}); err != nil {
			t.Fatal(err)
		}
		<-w.done
		begins := end
		at, newEnd, err := weights.LastSnapshot(t.Context(), f.client, "click")
		if err != nil || at != begins || w.lastSnapshot != begins {
			t.Errorf("a snapshot at %d to %d: the last record leads to %d, the writer says %d, %v", begins, newEnd, at, w.lastSnapshot, err)
		}
		end, records = newEnd, newEnd-begins
		seen[records] = true
	}
	for n := int64(1); n <= 4; n++ {
		if !seen[n] {
			t.Errorf("no snapshot had %d records: the test tests too little", n)
		}
	}
}

// A snapshot that outgrows what the topic keeps makes it keep more, before it is written.
func TestATopicKeepsTwoSnapshots(t *testing.T) {
	f := newFixture(t)
	topic := event.TopicModel("grown")
	if err := f.client.EnsureTopics(t.Context(), stream.Topic{Name: topic, Partitions: 1, RetentionBytes: event.ModelRetentionBytes}); err != nil {
		t.Fatal(err)
	}
	w := newWriter(&owner{client: f.client, key: "grown", logger: quiet})
	keeps := func(want int64) {
		t.Helper()
		if _, got, err := f.client.KeepBytes(t.Context(), topic, 0); err != nil || got != want {
			t.Errorf("the topic keeps %d, %v; want %d", got, err, want)
		}
	}
	w.raiseRetention(t.Context(), 100<<20)
	keeps(event.ModelRetentionBytes)
	w.raiseRetention(t.Context(), 1<<30)
	keeps(2<<30 + 256<<20 + 1<<30 + 128<<20)
	w.raiseRetention(t.Context(), 1<<30+200<<20) // there is room still
	keeps(2<<30 + 256<<20 + 1<<30 + 128<<20)
}
