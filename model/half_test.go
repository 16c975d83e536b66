package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A replica of sixteen bits holds its net's weights, each rounded once: whether they came by deltas
// or in one snapshot is all the same, and so is whether vector instructions read them.
func TestAReplicaOf16BitsIsItsNetRounded(t *testing.T) {
	for name, change := range shapes {
		n, r := mustNew(t, change), NewReplica()
		n.ServeBits(16)
		xs, ys := stream(9, sized(900))
		rnd := rand.New(rand.NewPCG(8, 8))
		s, a, b := n.NewScratch(), r.NewScratch(), r.NewScratch()
		for at := 0; at < len(xs); {
			for range min(1+rnd.IntN(60), len(xs)-at) {
				if _, err := n.Learn(xs[at], ys[at], 1, s); err != nil {
					t.Fatal(err)
				}
				at++
			}
			if err := r.Apply(n.AppendDelta(nil)); err != nil {
				t.Fatal(err)
			}
			whole := NewReplica()
			state := *n.core // so that the changes of n are kept
			other := &Net{core: &state, serveHalf: true}
			if err := whole.Apply(other.AppendSnapshot(nil)); err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(2) == 0 {
				r = r.Clone()
			}
			for i, x := range xs[:40] {
				p, q, full := r.Predict(x, a), whole.Predict(x, b), n.Predict(x, s)
				if p != q || math.Abs(p-full) > 0.02 {
					t.Fatalf("%s: version %d, example %d: by deltas %v, by a snapshot %v, the net %v", name, n.Examples(), i, p, q, full)
				}
				wasVector := useVectors(false)
				p = r.Predict(x, a)
				useVectors(wasVector)
				if p != q {
					t.Fatalf("%s: version %d, example %d: without vectors %v, with them %v", name, n.Examples(), i, p, q)
				}
			}
		}
	}
}

func TestAChangeOfBitsNeedsASnapshot(t *testing.T) {
	n, r := mustNew(t, nil), NewReplica()
	xs, ys := stream(9, 60)
	mustLearn(t, n, xs[:20], ys[:20])
	r.Apply(n.AppendSnapshot(nil))
	wide := len(n.AppendSnapshot(nil))
	n.ServeBits(16)
	msg := n.AppendDelta(nil)
	if string(msg[:4]) != snapshotMagic || len(msg) > wide*6/10 {
		t.Fatalf("after a change of bits comes %q of %d bytes, where a snapshot had %d", msg[:4], len(msg), wide)
	}
	mustLearn(t, n, xs[20:40], ys[20:40])
	if err := r.Apply(n.AppendDelta(nil)); err == nil || r.Examples() != 20 {
		t.Fatalf("a delta of 16 bits was applied to a replica of 32: %v", err)
	}
}
