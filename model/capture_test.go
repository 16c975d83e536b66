package model

import (
	"bytes"
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
	var buf []byte
	for round := range 12 {
		learn(rng.IntN(60))
		var want, got bytes.Buffer
		if _, err := net.WriteTo(&want); err != nil {
			t.Fatal(err)
		}
		capture := net.StartCapture(buf)
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
		buf = capture.Buffer()
	}
}
