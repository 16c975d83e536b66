package scorer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
)

// question is features that candidates have in common, and each candidate's own.
type question struct {
	shared     []model.Feature
	candidates [][]model.Feature
}

// questions are random requests of ten fields, with candidates of three.
func questions(seed uint64, n, candidates int) (all []question) {
	r := rand.New(rand.NewPCG(seed, 3))
	features := func(from, to int) (x []model.Feature) {
		for f := from; f < to; f++ {
			x = append(x, model.Feature{Field: model.FieldHash(fmt.Sprint("f", f)), Hash: model.TokenHash(fmt.Sprint(r.IntN(2000))), Value: 1})
		}
		return x
	}
	for range n {
		q := question{shared: features(0, 10)}
		for range candidates {
			q.candidates = append(q.candidates, features(10, 13))
		}
		all = append(all, q)
	}
	return all
}

// swaps is a recording of a learner: a snapshot, deltas to further versions, and what the learner
// predicts at each version for the candidates of some questions.
type swaps struct {
	snapshot []byte
	deltas   [][]byte
	versions []int64 // from the snapshot's on
	asked    []question
	truth    map[int64][]float64 // by version: of all candidates in turn
}

func recordSwaps(t testing.TB, learned, deltas, examples int) *swaps {
	c := model.DefaultConfig()
	c.TableBits = 20
	src := newSource(t, 1, c)
	w := &swaps{asked: questions(2, 4, 10), truth: map[int64][]float64{}}
	r := rand.New(rand.NewPCG(5, 5))
	learn := func(n int) {
		for _, q := range questions(r.Uint64(), n, 1) {
			if _, err := src.net.Learn(slices.Concat(q.shared, q.candidates[0]), float64(r.IntN(2)), 1, src.scratch); err != nil {
				t.Fatal(err)
			}
		}
	}
	note := func() {
		var p []float64
		for _, q := range w.asked {
			for _, own := range q.candidates {
				p = append(p, src.net.Predict(slices.Concat(q.shared, own), src.scratch))
			}
		}
		w.versions = append(w.versions, src.net.Examples())
		w.truth[src.net.Examples()] = p
	}
	learn(learned)
	note()
	w.snapshot = src.net.AppendSnapshot(nil)
	for range deltas {
		learn(examples)
		note()
		w.deltas = append(w.deltas, src.net.AppendDelta(nil))
	}
	return w
}

// message is the i-th message of an endless repetition: each time a new learner begins with the
// snapshot.
func (w *swaps) message(i int) weights.Message {
	n := len(w.deltas) + 1
	at := i % n
	h := weights.Head{Kind: weights.Snapshot, Epoch: int64(1 + i/n), To: w.versions[0], Current: true}
	if at == 0 {
		return weights.Message{Head: h, Body: [][]byte{w.snapshot}}
	}
	h.Kind, h.From, h.To = weights.Delta, w.versions[at-1], w.versions[at]
	return weights.Message{Head: h, Body: [][]byte{w.deltas[at-1]}}
}

// score scores the candidates of a question with what is served, and says whether any score is not
// the learner's of that version.
func (w *swaps) score(r *replicas, scratch *model.Scratch, k int) (scored int, err error) {
	s := r.acquire()
	defer s.release()
	q := &w.asked[k%len(w.asked)]
	want := w.truth[s.weights.Examples()][k%len(w.asked)*len(q.candidates):]
	s.weights.Share(q.shared, scratch)
	for i, own := range q.candidates {
		if p := s.weights.PredictShared(own, nil, scratch); p != want[i] {
			return i, fmt.Errorf("version %d scores %v, the learner %v", s.weights.Examples(), p, want[i])
		}
	}
	return len(q.candidates), nil
}

// While weights change as fast as they can, each score is that of exactly one version, and memory
// does not grow. CLICKLOOP_SWAP_SCORES=10000000 makes it longer.
func TestNoScoreIsTornWhileWeightsAreSwapped(t *testing.T) {
	most := int64(20_000)
	if text := os.Getenv("CLICKLOOP_SWAP_SCORES"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		most = n
	}
	w := recordSwaps(t, 2000, 20, 5)
	var served replicas
	apply := func(i int) {
		if result, err := served.apply(w.message(i), testNow); err != nil || result != applied {
			t.Errorf("message %d is %q: %v", i, result, err)
		}
	}
	apply(0)
	var scored atomic.Int64
	var done atomic.Bool
	var readers sync.WaitGroup
	for k := range 2 {
		readers.Go(func() {
			scratch := &model.Scratch{}
			for ; !done.Load() && !t.Failed(); k++ {
				n, err := w.score(&served, scratch, k)
				if scored.Add(int64(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	swapped, early := 0, uint64(0)
	for (scored.Load() < most || swapped < 50) && !t.Failed() {
		swapped++
		apply(swapped)
		if swapped == 25 {
			early = heap()
		}
	}
	done.Store(true)
	readers.Wait()
	if late := heap(); late > early+early/4+8<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", early, late)
	}
	t.Logf("%d scores while weights were swapped %d times", scored.Load(), swapped)
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkScoreWhileSwapping compares the latency of requests of ten candidates while nothing
// changes with that while fifty versions a second are swapped in, by turns.
func BenchmarkScoreWhileSwapping(b *testing.B) {
	w := recordSwaps(b, 50_000, 400, 20)
	var served replicas
	if _, err := served.apply(w.message(0), testNow); err != nil {
		b.Fatal(err)
	}
	scratch, next := &model.Scratch{}, 1
	var took [2][]time.Duration
	turn := func(swapping bool) {
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				if swapping && next <= len(w.deltas) {
					if _, err := served.apply(w.message(next), testNow); err != nil {
						b.Error(err)
					}
					next++
				}
			}
		}()
		pace := time.NewTicker(time.Millisecond)
		for k := range 500 {
			<-pace.C
			began := time.Now()
			if _, err := w.score(&served, scratch, k); err != nil {
				b.Error(err)
			}
			i := 0
			if swapping {
				i = 1
			}
			took[i] = append(took[i], time.Since(began))
		}
		pace.Stop()
		close(stop)
		<-done
	}
	for b.Loop() {
		turn(false)
		turn(true)
	}
	for i, name := range []string{"quiet", "swapping"} {
		slices.Sort(took[i])
		at := func(q float64) float64 {
			return float64(took[i][int(q*float64(len(took[i])-1))].Nanoseconds()) / 1000
		}
		b.ReportMetric(at(0.5), name+"-p50-µs")
		b.ReportMetric(at(0.99), name+"-p99-µs")
	}
}

// BenchmarkApplyDelta is what a delta of twenty examples costs a follower, for both copies.
func BenchmarkApplyDelta(b *testing.B) {
	w := recordSwaps(b, 50_000, 400, 20)
	var served replicas
	if _, err := served.apply(w.message(0), testNow); err != nil {
		b.Fatal(err)
	}
	size, applied := 0, 0
	var took time.Duration
	b.ReportAllocs()
	for i := 1; b.Loop(); i++ {
		m := w.message(i)
		began := time.Now()
		if _, err := served.apply(m, testNow); err != nil {
			b.Fatal(err)
		}
		if m.Kind == weights.Delta {
			took, size, applied = took+time.Since(began), size+len(m.Body[0]), applied+1
		}
	}
	b.ReportMetric(float64(took.Microseconds())/float64(applied), "µs/delta")
	b.ReportMetric(float64(size)/float64(applied), "bytes/delta")
}
