package learner

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/weights"
)

// testOwner is an owner of click without a Kafka.
func testOwner(f *files) *owner {
	return &owner{
		cfg: DefaultConfig(), objective: "click", key: "click", config: smallModel(), files: f, logger: slog.New(slog.DiscardHandler),
		metrics: newInstruments(nil), requests: make(chan request),
	}
}

// testLearning is a learning whose goroutines do not run.
func testLearning(t *testing.T, f *files) *learning {
	return newLearning(testOwner(f), newCore(t), 1, nil)
}

// However much there is to be copied, a batch waits for one step of it, not for several in a row.
func TestABatchWaitsForOneStepOfACopy(t *testing.T) {
	f, err := newFiles(osDisk{}, t.TempDir(), "click")
	if err != nil {
		t.Fatal(err)
	}
	const batches = 200
	l := testLearning(t, f)
	l.o.cfg.CheckpointExamples, l.o.cfg.CheckpointEvery = 1, time.Hour
	l.copier.pace, l.checkpoints.gapFactor = pace{bytes: 300}, 0
	l.reader.full, l.reader.empty = make(chan *batch, batches), make(chan *batch, batches)
	take(l.core, recordsOf(1, 0, 2000))
	for n := range int64(batches) {
		l.reader.full <- batchOf(recordsOf(1, 2000+10*n, 2010+10*n), 2000+10*batches)
	}
	ctx, cancel := context.WithCancel(t.Context())
	learned, rests, copied := 0, 0, 0
	l.trace = func(what string) {
		switch what {
		case "question":
			if rests++; rests > 1 && len(l.reader.full) > 0 && learned > 0 {
				t.Errorf("batch %d waited for %d steps", learned, rests)
				cancel()
			}
			if l.copier.copying != nil {
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
	l := testLearning(t, nil)
	answered := make(chan error, 1)
	go func() {
		s, err := l.o.ask(t.Context(), untilSnapshot, 0)
		if err == nil && s.Examples != 7 {
			err = errors.New("another answer")
		}
		answered <- err
	}()
	for at := range l.questions.waiting {
		l.questions.waiting[at] = []request{<-l.o.requests}
		l.questions.requeue()
		l.questions.waiting[at] = nil
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
	l, now := testLearning(t, nil), time.UnixMilli(1764061200000)
	made := func() (kinds []string) {
		for len(l.writer.messages) > 0 {
			m := <-l.writer.messages
			kinds = append(kinds, m.head.Kind)
			l.acknowledged(written{m, 1000, time.Millisecond}, now)
			l.questions.waiting[untilCopied] = nil
		}
		return kinds
	}
	turn := func(n int64) []string {
		take(l.core, recordsOf(1, n, n+10))
		now = now.Add(time.Second)
		l.betweenBatches(now)
		return made()
	}
	for n := int64(0); l.publisher.snapshot.begun.IsZero() || l.copier.copying != nil; n += 10 {
		turn(n)
	}
	l.copier.pace = pace{bytes: 1} // of the memory for the snapshot that is asked for
	for i := range 200 {
		// more tokens than there is memory for
		take(l.core, recordsOf(1, int64(5000+200*i), int64(5200+200*i)))
	}
	l.questions.waiting[untilSnapshot], l.copier.served = []request{{first: untilSnapshot}}, memory{}
	for n := int64(50_000); n < 50_030; n += 10 {
		if kinds := turn(n); len(kinds) != 1 || kinds[0] != weights.Delta {
			t.Fatalf("%v were made while the memory for a snapshot was taken", kinds)
		}
	}
	l.copier.pace = pace{bytes: 64 << 10, time: time.Minute}
	if kinds := turn(50_030); len(kinds) != 2 || kinds[0] != weights.Delta || kinds[1] != weights.Snapshot {
		t.Fatalf("%v were made in the end", kinds)
	}
}
