package learner

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
)

// TestTheTopicTellsAJoiningReplicaWhereToBegin has a learner learn, write snapshots, end and begin
// again, and reads its topic meanwhile from where the record at the end says that the last snapshot
// begins: what is read from there is the learner's version to the bit, and never older than what
// had been published before.
func TestTheTopicTellsAJoiningReplicaWhereToBegin(t *testing.T) {
	const seed, examples = 11, 3900
	f := newFixture(t)
	dir := t.TempDir()
	var working sync.WaitGroup
	done := make(chan struct{})
	working.Go(func() {
		defer close(done)
		rng := rand.New(rand.NewPCG(seed, 1))
		for from := int64(0); from < examples; {
			r := f.run(dir, nil)
			for to := min(from+700, examples); from < to; {
				n := min(1+rng.Int64N(40), to-from)
				f.produce(recordsOf(1, from, from+n))
				from += n
				if rng.IntN(4) == 0 {
					if code, _ := r.call(http.MethodPost, "/v1/learner/snapshot?objective=click"); code != http.StatusOK {
						t.Errorf("a snapshot: %d", code)
					}
				}
			}
			r.await(from)
			r.stop()
		}
	})
	defer working.Wait()
	joined := 0
	for last := int64(-1); ; {
		running := true
		select {
		case <-done:
			running = false
		default:
		}
		at, end, err := weights.LastSnapshot(t.Context(), f.client, "click")
		if err != nil {
			t.Fatal(err)
		}
		sought, _, err := weights.FindSnapshot(t.Context(), f.client, "click")
		if err != nil {
			t.Fatal(err)
		}
		if at > sought || !running && at != sought {
			t.Fatalf("the last snapshot is said to begin at %d, it begins at %d", at, sought)
		}
		r := model.NewReplica()
		if err := weights.Each(t.Context(), f.client, "click", at, end, func(m weights.Message) error { return r.Apply(m.Body...) }); err != nil {
			t.Fatalf("from %d to %d: %v", at, end, err)
		}
		if r.Config().TableBits > 0 {
			joined++
			if got, want := predictions(r.Predict), said(r.Examples()); !slices.Equal(got, want) || r.Examples() < last {
				t.Fatalf("from %d to %d: version %d predicts %v, want %v; version %d had been there", at, end, r.Examples(), got, want, last)
			}
			last = r.Examples()
		}
		if !running {
			if joined < 2 || last != examples {
				t.Fatalf("%d joined, the last at version %d", joined, last)
			}
			t.Log(joined, "joined")
			return
		}
		time.Sleep(time.Millisecond)
	}
}
