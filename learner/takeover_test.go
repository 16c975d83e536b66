package learner

import (
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
)

func TestANetworkTakesOverWhenItHasCaughtUp(t *testing.T) {
	f := func(published, end, examples, next int64, ready, current bool) {
		t.Helper()
		o := takeover{published: published, end: end}
		if r, c := o.mayPublish(examples, next); r != ready || c != current {
			t.Errorf("published %d, end %d, at %d examples and offset %d: %v, %v; want %v, %v", published, end, examples, next, r, c, ready, current)
		}
	}
	f(0, 0, 0, 0, true, false) // a loop that begins
	f(0, 500, 0, 0, true, false)
	f(100, 150, 90, 90, false, false) // resumed from a checkpoint
	f(100, 150, 100, 100, true, false)
	f(90_000, 80_000, 79_999, 79_999, false, false) // begun anew
	f(90_000, 80_000, 80_000, 80_000, true, true)
	f(90_000, 95_000, 9_999, 95_000, false, false) // the topic has lost most
	f(90_000, 95_000, 10_000, 95_001, true, true)
	f(300, 300, 0, 300, false, false) // or all
	f(300, 300, 300, 600, true, false)
}

// The weights before are served until the new network has learned the whole topic, which may hold
// fewer examples than they had learned.
func TestAChangedNetworkIsPublishedWhenItHasCaughtUp(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	f.produce(recordsOf(1, 0, 12_000))
	r := f.run(dir, nil)
	first := r.await(12_000)
	r.stop()
	f.trim(event.TopicExamples("click"), 1_000)
	r = f.run(dir, func(_ *Config, d *Deps) { d.Model = plainModel() })
	second := r.await(11_000)
	f.produce(recordsOf(1, 12_000, 12_100))
	r.await(11_100)
	r.stop()
	begun := false
	for _, record := range f.read(event.TopicModel("click")) {
		h, err := weights.ParseHead(record.Headers)
		if err != nil {
			t.Fatal(err)
		}
		if h.Epoch != second.Epoch {
			continue
		}
		if !begun && (h.Kind != weights.Snapshot || h.To != 11_000 || !h.Current) {
			t.Errorf("it begins with %+v, want a snapshot of 11000 examples that is current", h)
		}
		begun = true
	}
	if !begun || second.Epoch <= first.Epoch {
		t.Errorf("epochs %d and %d, published %v", first.Epoch, second.Epoch, begun)
	}
}
