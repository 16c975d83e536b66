package model

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestHalvesRoundToTheNearestEven(t *testing.T) {
	for h := range 1 << 16 {
		if h&0x7c00 == 0x7c00 {
			continue // infinite or not a number: never made
		}
		if got := toHalf(fromHalf(uint16(h))); got != uint16(h) {
			t.Fatalf("%#04x becomes %v and %#04x", h, fromHalf(uint16(h)), got)
		}
	}
	// Between two neighbours the nearer wins, in the middle the even one.
	for h := uint16(0); h < 0x7bff; h++ {
		a, b := fromHalf(h), fromHalf(h+1)
		mid := (a + b) / 2
		even := h + h&1
		for _, c := range []struct {
			f    float32
			want uint16
		}{{mid, even}, {math.Nextafter32(mid, a), h}, {math.Nextafter32(mid, b), h + 1}, {-mid, even | 0x8000}} {
			if got := toHalf(c.f); got != c.want {
				t.Fatalf("%v becomes %#04x, want %#04x", c.f, got, c.want)
			}
		}
	}
	for f, want := range map[float32]float32{1e9: 65504, -1e9: -65504, 65519: 65504, 1e-9: 0, float32(math.Inf(1)): 65504} {
		if got := fromHalf(toHalf(f)); got != want {
			t.Errorf("%v becomes %v, want %v", f, got, want)
		}
	}
}

func TestVectorHalvesAreThePlainOnes(t *testing.T) {
	if !vectorHalf {
		t.Skip("this machine has no vector instructions for halves")
	}
	r := rand.New(rand.NewPCG(5, 5))
	src, back := make([]float32, 83), make([]float32, 83)
	dst := make([]uint16, 83)
	for range 20000 {
		for i := range src {
			src[i] = math.Float32frombits(r.Uint32())
			if src[i] != src[i] {
				src[i] = float32(math.Copysign(0, -1))
			}
			if i%3 == 0 {
				src[i] = float32(r.NormFloat64() * 0.03)
			}
		}
		packHalf(dst, src)
		unpackHalf(back, dst)
		for i, f := range src {
			if dst[i] != toHalf(f) || math.Float32bits(back[i]) != math.Float32bits(fromHalf(dst[i])) {
				t.Fatalf("%v: %#04x and %v, plain %#04x and %v", f, dst[i], back[i], toHalf(f), fromHalf(dst[i]))
			}
		}
	}
}

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
			other := &Net{core: n.core, serveHalf: true} // so that the changes of n are kept
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
				wasVector := vector
				vector, vectorHalf = false, false
				p = r.Predict(x, a)
				vector, vectorHalf = wasVector, wasVector
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
