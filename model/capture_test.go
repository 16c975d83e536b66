package model

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
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

// A snapshot that is copied beside learning is the one of the moment when it began, and the delta behind it leads to the present.
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
