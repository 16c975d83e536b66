package scorer

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// smallModel is a network that learns fast and has all kinds of parts.
func smallModel() model.Config {
	c := model.DefaultConfig()
	c.TableBits, c.MaxFields = 10, 8
	return c
}

// example is one labelled vector.
type example struct {
	x []model.Feature
	y float64
}

// exampleOf is the n-th example of a stream: the same for every learner.
func exampleOf(seed uint64, n int64) example {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	var e example
	for f := range 4 {
		e.x = append(e.x, model.Feature{Field: model.FieldHash(strconv.Itoa(f)), Hash: model.TokenHash(strconv.Itoa(rng.IntN(40))), Value: 1})
	}
	e.x = append(e.x, model.Feature{Field: model.FieldHash("n"), Value: rng.Float64() * 100, Kind: model.Number})
	e.y = float64(rng.IntN(2))
	return e
}

// source learns a stream and makes messages of weights, as a learner does.
type source struct {
	t       testing.TB
	seed    uint64
	net     *model.Net
	scratch *model.Scratch
	epoch   int64
	from    int64
	part    int // bytes
	current bool
}

func newSource(t testing.TB, seed uint64, c model.Config) *source {
	net, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Helper()
	return &source{t: t, seed: seed, net: net, scratch: net.NewScratch(), epoch: 1, part: 8000}
}

func (s *source) learn(n int) {
	for range n {
		e := exampleOf(s.seed, s.net.Examples())
		if _, err := s.net.Learn(e.x, e.y, 1, s.scratch); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *source) message(kind string) []stream.Record {
	var body []byte
	if kind == "snapshot" {
		body = s.net.AppendSnapshot(nil)
	} else {
		body = s.net.AppendDelta(nil)
	}
	records := weights.CutAt(s.part, weights.Head{Kind: kind, Epoch: s.epoch, From: s.from, To: s.net.Examples(), Current: s.current && kind == "snapshot"}, "click", body)
	s.from = s.net.Examples()
	return records
}

// successor is a learner that resumed from an earlier state of s.
func (s *source) successor(checkpoint []byte) *source {
	net, err := model.Read(bytes.NewReader(checkpoint))
	if err != nil {
		s.t.Fatal(err)
	}
	return &source{t: s.t, seed: s.seed, net: net, scratch: net.NewScratch(), epoch: s.epoch + 1, part: s.part}
}

func (s *source) checkpoint() []byte {
	var b bytes.Buffer
	if _, err := s.net.WriteTo(&b); err != nil {
		s.t.Fatal(err)
	}
	return b.Bytes()
}

// truth remembers what the learner predicts at each version.
type truth struct {
	mu     sync.Mutex
	probes []example
	at     map[int64][]float64
}

func newTruth() *truth {
	w := &truth{at: map[int64][]float64{}}
	for i := range 8 {
		w.probes = append(w.probes, exampleOf(99, int64(i)))
	}
	return w
}

func (w *truth) note(s *source) {
	p := make([]float64, len(w.probes))
	for i := range p {
		p[i] = s.net.Predict(w.probes[i].x, s.scratch)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, ok := w.at[s.net.Examples()]; ok && !slices.Equal(before, p) {
		s.t.Errorf("a successor has other weights at %d", s.net.Examples())
	}
	w.at[s.net.Examples()] = p
}

// check compares what r serves with what the learner predicted at that version, and returns the
// version, -1 for none.
func (w *truth) check(r *replicas, scratch *model.Scratch) (int64, error) {
	s := r.acquire()
	if s == nil {
		return -1, nil
	}
	defer s.release()
	n := s.weights.Examples()
	w.mu.Lock()
	want, ok := w.at[n]
	w.mu.Unlock()
	if !ok {
		return n, fmt.Errorf("version %d was never published", n)
	}
	for i := range w.probes {
		if p := s.weights.Predict(w.probes[i].x, scratch); p != want[i] {
			return n, fmt.Errorf("version %d predicts %v, the learner %v", n, p, want[i])
		}
	}
	return n, nil
}

func newFollower() *follower {
	return &follower{
		objective: "click", network: "click", topic: topicState{parts: weights.Loading()}, now: func() event.Time { return testNow }, logger: slog.New(slog.DiscardHandler), metrics: newInstruments(nil),
	}
}

func TestReadersSeeWholeVersionsWhileWeightsChange(t *testing.T) {
	s, w, f := newSource(t, 5, smallModel()), newTruth(), newFollower()
	w.note(s)
	for _, r := range s.message("snapshot") {
		if err := f.accept(&r); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			scratch := &model.Scratch{}
			last := int64(0)
			for {
				n, err := w.check(&f.replicas, scratch)
				if err != nil || n < last {
					t.Errorf("version %d after %d: %v", n, last, err)
					return
				}
				last = n
				runtime.Gosched() // more readers than processors would keep the follower waiting
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 100 {
		s.learn(7)
		w.note(s)
		kind := "delta"
		if i%20 == 19 {
			kind = "snapshot"
		}
		for _, r := range s.message(kind) {
			if err := f.accept(&r); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	readers.Wait()
	if n, _ := f.replicas.version(); n != 700 {
		t.Errorf("version %d is served, want 700", n)
	}
}

// A learner that begins anew where the examples of long ago are gone never has as many as the one
// before it: it says when it has learned all there are.
func TestASuccessorThatIsCurrentServesWithFewerExamples(t *testing.T) {
	for _, followed := range []bool{false, true} {
		f := newFollower()
		send := func(records []stream.Record) {
			t.Helper()
			for _, r := range records {
				if err := f.accept(&r); err != nil {
					t.Fatal(err)
				}
			}
		}
		old := newSource(t, 1, smallModel())
		old.learn(100)
		send(old.message("snapshot"))
		s := newSource(t, 2, smallModel())
		s.epoch = 2
		if followed { // by a scorer that saw what was not current
			s.learn(20)
			send(s.message("snapshot"))
			s.learn(20)
			send(s.message("delta"))
		} else {
			s.learn(40)
		}
		if n, _ := f.replicas.version(); n != 100 {
			t.Errorf("followed %v: version %d is served before the successor is current", followed, n)
		}
		s.current = true
		send(s.message("snapshot"))
		for range 3 {
			if n, _ := f.replicas.version(); n != s.net.Examples() {
				t.Errorf("followed %v: the successor is at %d, version %d is served", followed, s.net.Examples(), n)
			}
			s.learn(10)
			send(s.message("delta"))
		}
	}
}

func TestASuccessorOfAnotherShapeServesOnceItHasCaughtUp(t *testing.T) {
	f := newFollower()
	send := func(records []stream.Record) {
		t.Helper()
		for _, r := range records {
			if err := f.accept(&r); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := newSource(t, 1, smallModel())
	old.learn(100)
	send(old.message("snapshot"))
	c := smallModel()
	c.TableBits, c.Seed = 11, 2
	s := newSource(t, 1, c)
	s.epoch = 2
	send(s.message("snapshot"))
	for range 9 {
		s.learn(10)
		send(s.message("delta"))
		if n, _ := f.replicas.version(); n != 100 || f.replicas.active.Load().weights.Config().TableBits != 10 {
			t.Fatalf("while the successor is at %d, version %d is served", s.net.Examples(), n)
		}
	}
	old.learn(10)
	send(old.message("delta")) // late words
	for range 3 {
		s.learn(10)
		send(s.message("delta"))
		if n, _ := f.replicas.version(); n != s.net.Examples() || f.replicas.active.Load().weights.Config().TableBits != 11 {
			t.Fatalf("the successor is at %d, version %d is served", s.net.Examples(), n)
		}
	}
	within := newSource(t, 1, smallModel())
	within.epoch = 2
	within.learn(500)
	send(within.message("snapshot"))
	if n, _ := f.replicas.version(); n != 120 {
		t.Errorf("a snapshot of another shape within an epoch was taken: version %d", n)
	}
}
