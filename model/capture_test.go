package model

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestACaptureIsTheStateAtItsStart learns on while the state is copied, in steps of all sizes.
func TestACaptureIsTheStateAtItsStart(t *testing.T) {
	for _, network := range [][]string{nil, {"linear"}, {"ffm"}, {"mlp"}, {"linear", "ffm", "mlp"}} {
		for _, optimizer := range []string{"adagrad", "ftrl"} {
			t.Run(fmt.Sprint(network, optimizer), func(t *testing.T) { captured(t, network, optimizer) })
		}
	}
}

func captured(t *testing.T, network []string, optimizer string) {
	c := DefaultConfig()
	c.Network, c.TableBits, c.MaxFields = network, 9, 12
	c.Linear.Optimizer.Kind, c.FFM.Optimizer.Kind = optimizer, optimizer
	net, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	s := net.NewScratch()
	learn := func(n int) {
		for range n {
			var x []Feature
			for range 2 + rng.IntN(6) { // fields come as the stream goes on
				x = append(x, Feature{Field: uint64(1 + rng.IntN(1+int(net.Examples())/40)), Hash: rng.Uint64N(60) + 1, Value: 1})
			}
			x = append(x, Feature{Field: 999, Value: rng.Float64(), Kind: Number})
			if _, err := net.Learn(x, float64(rng.IntN(2)), 1, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	var old *Capture
	for round := range 12 {
		learn(rng.IntN(60))
		var want, got bytes.Buffer
		if _, err := net.WriteTo(&want); err != nil {
			t.Fatal(err)
		}
		capture := net.StartCapture(old)
		for steps := 0; !capture.Step(1 + rng.IntN(3000)); steps++ {
			learn(rng.IntN(4))
			if round%4 == 3 && steps == 5 { // given up for another one
				want.Reset()
				if _, err := net.WriteTo(&want); err != nil {
					t.Fatal(err)
				}
				capture = net.StartCapture(nil)
			}
		}
		learn(3)
		if n, err := capture.WriteTo(&got); err != nil || n != int64(want.Len()) || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("round %d: %d bytes (%v), want %d", round, got.Len(), err, want.Len())
		}
		old = capture
	}
}

// Whole batches are learned between two steps, by two goroutines that each copy what they are about
// to change.
func TestACaptureIsTheStateAtItsStartWhateverBatchesAreLearned(t *testing.T) {
	eachShape(t, func(t *testing.T, change func(*Config)) {
		n, rng := mustNew(t, change), rand.New(rand.NewPCG(4, 4))
		xs, ys := stream(5, sized(6000))
		ws, ps := slices.Repeat([]float64{1}, len(xs)), make([]float64, len(xs))
		at, memory, apart := 0, (*Capture)(nil), 0
		learn := func(k int) {
			to := min(at+k, len(xs))
			if err := n.LearnBatch(xs[at:to], ys[at:to], ws[at:to], ps[at:to]); err != nil {
				t.Fatal(err)
			}
			at = to
		}
		for learn(200); at < len(xs); learn(rng.IntN(20)) {
			for ok := false; !ok; learn(rng.IntN(20)) { // more tokens come meanwhile
				memory, ok = n.Reserve(memory, true, 20000)
			}
			var want, got bytes.Buffer
			if _, err := n.WriteTo(&want); err != nil {
				t.Fatal(err)
			}
			for memory = n.StartCapture(memory); !memory.Step(1 + rng.IntN(60000)); {
				learn(rng.IntN(150))
				if slices.ContainsFunc(memory.entries.arenas[ofJT].copied, func(w uint64) bool { return w != 0 }) {
					apart++
				}
			}
			learn(rng.IntN(150))
			if _, err := memory.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Fatalf("%d bytes (%v), want %d", got.Len(), err, want.Len())
			}
		}
		if apart == 0 && len(n.tokens.Keys) > 1 {
			t.Fatal("nothing was copied before its turn: the test tests too little")
		}
	})
}

// Memory that was reserved is enough: nothing is taken while a copy is under way, however much is
// learned meanwhile.
func TestACaptureTakesItsMemoryBeforeItBegins(t *testing.T) {
	for _, full := range []bool{true, false} {
		n := mustNew(t, nil)
		xs, ys := stream(5, sized(2000))
		mustLearn(t, n, xs, ys)
		var memory *Capture
		begin := func() {
			steps, ok := 0, false
			for ; !ok; steps++ {
				memory, ok = n.Reserve(memory, full, 1000)
			}
			if steps < 3 {
				t.Fatalf("all memory was taken in %d steps", steps)
			}
			if full {
				memory = n.StartCapture(memory)
			} else {
				memory = n.StartSnapshot(memory)
			}
		}
		begin()
		all := func() (slabs []*byte) {
			for _, s := range memory.entries.sections() {
				for _, b := range s.slabs {
					if len(b) != slabEntries*s.size {
						t.Fatalf("a part has %d bytes of memory, want %d", len(b), slabEntries*s.size)
					}
					slabs = append(slabs, &b[0])
				}
			}
			return slabs
		}
		before := all()
		for !memory.Step(1000) {
			mustLearn(t, n, xs[:20], ys[:20])
		}
		if !slices.Equal(before, all()) {
			t.Fatal("memory was taken while the copy was under way")
		}
		if memory, ok := n.Reserve(memory, full, 1); !ok || !slices.Equal(before, all()) {
			t.Fatalf("the memory of a copy is not enough for the next (%v), or is another", memory.entries.tokens)
		}
	}
}

// A snapshot that is copied beside learning is the one of the moment when it began, and the delta
// behind it leads to the present.
func TestASnapshotIsCopiedBesideLearning(t *testing.T) {
	for name, change := range shapes {
		for _, bits := range []int{32, 16} {
			n, r, whole := mustNew(t, change), NewReplica(), NewReplica()
			n.ServeBits(bits)
			rng := rand.New(rand.NewPCG(2, 2))
			xs, ys := stream(9, sized(1500))
			s, a, b := n.NewScratch(), r.NewScratch(), r.NewScratch()
			learn := func(k int) {
				for ; k > 0 && len(xs) > 0; k-- {
					if _, err := n.Learn(xs[0], ys[0], 1, s); err != nil {
						t.Fatal(err)
					}
					xs, ys = xs[1:], ys[1:]
				}
			}
			var old *Capture
			for len(xs) > 0 {
				learn(rng.IntN(100))
				want := n.AppendSnapshot(nil)
				capture := n.StartSnapshot(old)
				for !capture.Step(1 + rng.IntN(20000)) {
					learn(rng.IntN(4))
				}
				learn(rng.IntN(3))
				if got := capture.AppendTo([]byte("before"))[6:]; !bytes.Equal(got, want) {
					t.Fatalf("%s, %d bits: a snapshot of %d bytes, want %d", name, bits, len(got), len(want))
				}
				delta := n.AppendDelta(nil)
				if err := errors.Join(r.Apply(want), r.Apply(delta), whole.Apply(n.AppendSnapshot(nil))); err != nil || r.Examples() != n.Examples() {
					t.Fatalf("%s, %d bits: %v", name, bits, err)
				}
				probe, _ := stream(4, 20)
				for _, x := range probe {
					if p, q := r.Predict(x, a), whole.Predict(x, b); p != q {
						t.Fatalf("%s, %d bits: the replica says %v, a new one %v", name, bits, p, q)
					}
				}
				old = capture
			}
		}
	}
}
