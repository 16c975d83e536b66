package learner

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/weights"
)

func newLearning(t *testing.T, f *files) *learning {
	o := &owner{cfg: DefaultConfig(), objective: "click", key: "click", logger: slog.New(slog.DiscardHandler), metrics: newInstruments(nil), requests: make(chan request)}
	return &learning{o: o, core: newCore(t), pub: newPublisher("click", 1, o.metrics), saver: newSaver(f, -1), hasher: newHasher(), mark: func(string) {}}
}

// However much there is to be copied, a batch waits for one step of it, not for several in a row.
func TestABatchWaitsForOneStepOfACopy(t *testing.T) {
	f, err := newFiles(osDisk{}, t.TempDir(), "click")
	if err != nil {
		t.Fatal(err)
	}
	const batches = 200
	l := newLearning(t, f)
	l.o.cfg.CheckpointExamples, l.o.cfg.CheckpointEvery = 1, time.Hour
	l.saver.step, l.saver.spacing, l.pub.step = pace{bytes: 300}, 0, pace{bytes: 300}
	l.full, l.empty = make(chan *decoded, batches), make(chan *decoded, batches)
	take(l.core, recordsOf(1, 0, 2000))
	dec := decoder{objective: "click"}
	for n := range int64(batches) {
		d := &decoded{}
		dec.decode(d, recordsOf(1, 2000+10*n, 2010+10*n), 2000+10*batches)
		l.full <- d
	}
	ctx, cancel := context.WithCancel(t.Context())
	learned, rests, copied := 0, 0, 0
	l.mark = func(what string) {
		switch what {
		case "question":
			if rests++; rests > 1 && len(l.full) > 0 && learned > 0 {
				t.Errorf("batch %d waited for %d steps", learned, rests)
				cancel()
			}
			if l.saver.capture != nil || l.pub.copying != nil {
				copied++
			}
		case "learn":
			rests = 0
			if learned++; learned == batches {
				cancel()
			}
		}
	}
	if err := l.loop(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if copied < 20 {
		t.Errorf("%d steps were copied: the test tests too little", copied)
	}
}

// A question that was taken by a generation that ends, as when a busy machine is late with a
// heartbeat, is asked again instead of waiting for its end.
func TestAQuestionOutlivesItsGeneration(t *testing.T) {
	l := newLearning(t, nil)
	answered := make(chan error, 1)
	go func() {
		s, err := l.o.ask(t.Context(), askSnapshot, 0)
		if err == nil && s.Examples != 7 {
			err = errors.New("another answer")
		}
		answered <- err
	}()
	take := []func(request){
		func(r request) { l.early = []request{r} }, func(r request) { l.early, l.asked = nil, []request{r} },
		func(r request) { l.asked, l.hasher.asked = nil, []request{r} }, func(r request) { l.hasher.asked, l.hasher.waiting = nil, []request{r} },
	}
	for _, taken := range take {
		taken(<-l.o.requests)
		l.giveBack()
	}
	r := <-l.o.requests
	r.answer <- state{Examples: 7}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// A delta whose time has come does not wait until a snapshot can be begun: all that is learned
// meanwhile would be in it.
func TestADeltaDoesNotWaitForASnapshot(t *testing.T) {
	l, now := newLearning(t, nil), time.UnixMilli(1764061200000)
	made := func() (kinds []string) {
		for len(l.pub.jobs) > 0 {
			m := <-l.pub.jobs
			kinds = append(kinds, m.head.Kind)
			l.pub.finished(sent{m, 1000, time.Millisecond}, now)
			if m.copy != nil {
				l.asked = nil
			}
		}
		return kinds
	}
	turn := func(n int64) []string {
		take(l.core, recordsOf(1, n, n+10))
		now = now.Add(time.Second)
		l.publish(now)
		return made()
	}
	for n := int64(0); l.pub.snapshot.IsZero() || l.pub.copying != nil; n += 10 {
		turn(n)
	}
	l.pub.step = pace{bytes: 1} // of the memory for the snapshot that is asked for
	for i := range 200 {
		// more tokens than there is memory for
		take(l.core, recordsOf(1, int64(5000+200*i), int64(5200+200*i)))
	}
	l.asked, l.pub.old = []request{{kind: askSnapshot}}, nil
	for n := int64(50_000); n < 50_030; n += 10 {
		if kinds := turn(n); len(kinds) != 1 || kinds[0] != weights.Delta {
			t.Fatalf("%v were made while the memory for a snapshot was taken", kinds)
		}
	}
	l.pub.step = pace{bytes: 64 << 10, time: time.Minute}
	if kinds := turn(50_030); len(kinds) != 2 || kinds[0] != weights.Delta || kinds[1] != weights.Snapshot {
		t.Fatalf("%v were made in the end", kinds)
	}
}
