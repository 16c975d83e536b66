package ingest

import (
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A click that was aborted is counted nowhere, one that was committed is, and markers are no dead
// letters.
func TestAbortedEventsAreNotFolded(t *testing.T) {
	store := features.NewMemory()
	client := dial(t, backend.Kafka(t))
	k, err := kgo.NewClient(append(backend.Franz(backend.Kafka(t)...), kgo.TransactionalID(client.Prefix()+"x"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for id, how := range map[string]kgo.TransactionEndTry{"a": kgo.TryAbort, "b": kgo.TryCommit, "c": kgo.TryAbort} {
		if err := k.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		value := `{"id":"` + id + `","type":"click","user":"u1","time":"` + event.TimeOf(time.Now()).String() + `"}`
		if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: client.Prefix() + event.TopicEvents, Key: []byte("u1"), Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := k.EndTransaction(t.Context(), how); err != nil {
			t.Fatal(err)
		}
	}
	i, _, _ := run(t, client, DefaultConfig(), store, false)
	now := event.TimeOf(time.Now())
	if n := clicks(t, i, store, "u1", now); n != 1 {
		t.Errorf("%v clicks are counted, want the one that was committed", n)
	}
	if found := deadLetters(t, client); len(found) != 0 {
		t.Errorf("%d dead letters: %+v", len(found), found)
	}
}
