package model

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/model/internal/codec"
)

// same checks that the replica answers bit for bit as the net, on known and unknown examples.
func same(t *testing.T, n *Net, r *Replica, seed uint64) {
	t.Helper()
	xs, _ := stream(seed, 60)
	a, b := n.NewScratch(), r.NewScratch()
	for i, x := range xs {
		if p, q := n.Predict(x, a), r.Predict(x, b); p != q {
			t.Fatalf("at version %d, example %d: the net says %v, its replica %v", n.Examples(), i, p, q)
		}
	}
	if r.Examples() != n.Examples() {
		t.Fatalf("versions %d and %d", n.Examples(), r.Examples())
	}
}

func TestAReplicaEqualsItsNetAtEveryVersion(t *testing.T) {
	eachShape(t, func(t *testing.T, change func(*Config)) {
		n, r, late := mustNew(t, change), NewReplica(), NewReplica()
		s, rnd := n.NewScratch(), rand.New(rand.NewPCG(8, 8))
		xs, ys := stream(9, sized(900))
		if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(xs); {
			for range min(1+rnd.IntN(30), len(xs)-at) {
				if _, err := n.Learn(xs[at], ys[at], 1, s); err != nil {
					t.Fatal(err)
				}
				at++
			}
			if rnd.IntN(8) == 0 {
				late = NewReplica()
				m := n.AppendSnapshot([]byte("before"))[6:]
				if err := errors.Join(late.Apply(m), r.Apply(m)); err != nil {
					t.Fatal(err)
				}
				same(t, n, late, 1)
				continue
			}
			d := n.AppendDelta(nil)
			if err := r.Apply(d); err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(2) == 0 {
				r = r.Clone()
			}
			same(t, n, r, 10)
			if late.Examples() > 0 {
				if err := late.Apply(d); err != nil {
					t.Fatal(err)
				}
			}
		}
		if late.Examples() > 0 {
			same(t, n, late, 11)
		}
	})
}

func TestLostRepeatedAndDamagedMessagesChangeNothing(t *testing.T) {
	n, r := mustNew(t, nil), NewReplica()
	xs, ys := stream(12, 200)
	var msgs [][]byte
	msgs = append(msgs, n.AppendSnapshot(nil))
	for i := 0; i < 200; i += 20 {
		mustLearn(t, n, xs[i:i+20], ys[i:i+20])
		msgs = append(msgs, n.AppendDelta(nil))
	}
	if err := r.Apply(msgs[1]); !errors.Is(err, ErrGap) {
		t.Fatalf("a delta before any snapshot: %v", err)
	}
	probe := func() []float64 {
		var ps []float64
		for _, x := range xs[:50] {
			ps = append(ps, r.Predict(x, r.NewScratch()))
		}
		return append(ps, float64(r.Examples()))
	}
	rnd := rand.New(rand.NewPCG(3, 3))
	for i, m := range msgs {
		before := probe()
		for range 30 {
			bad := slices.Clone(m)
			bad[rnd.IntN(len(bad))] ^= byte(1 + rnd.IntN(255))
			if err := r.Apply(bad); err == nil {
				t.Fatal("a damaged message was applied")
			}
			if err := r.Apply(m[:rnd.IntN(len(m))]); err == nil {
				t.Fatal("a message cut short was applied")
			}
		}
		if i+1 < len(msgs) && i > 0 {
			if err := r.Apply(msgs[i+1]); !errors.Is(err, ErrGap) {
				t.Fatalf("a delta was lost: %v", err)
			}
		}
		if !slices.Equal(before, probe()) {
			t.Fatal("a refused message changed the replica")
		}
		if err := r.Apply(m); err != nil {
			t.Fatal(err)
		}
		if after := probe(); i > 0 {
			if err := r.Apply(m); err != nil || !slices.Equal(after, probe()) {
				t.Fatalf("a repeated delta is not harmless: %v", err)
			}
		}
	}
	same(t, n, r, 13)
	other := mustNew(t, func(c *Config) { c.Seed = 5 })
	other.AppendSnapshot(nil)
	if err := r.Apply(other.AppendDelta(nil)); !errors.Is(err, ErrShape) {
		t.Fatalf("a delta of another net: %v", err)
	}
}

func TestADeltaIsAsLargeAsWhatWasTouched(t *testing.T) {
	n := mustNew(t, nil)
	xs, ys := stream(14, 3000)
	mustLearn(t, n, xs, ys)
	whole := len(n.AppendSnapshot(nil))
	mustLearn(t, n, xs[:1], ys[:1])
	if d := len(n.AppendDelta(nil)); d > 30000 || d > whole {
		t.Fatalf("one example makes a delta of %d bytes; a snapshot has %d", d, whole)
	}
	if d := len(n.AppendDelta(nil)); d > 20000 {
		t.Fatalf("no example makes a delta of %d bytes", d)
	}
}

func TestWhatCannotBeListedBecomesASnapshot(t *testing.T) {
	n, r := mustNew(t, nil), NewReplica()
	n.AppendSnapshot(nil)
	n.changes.lost = true
	xs, ys := stream(15, 50)
	mustLearn(t, n, xs, ys)
	if err := r.Apply(n.AppendDelta(nil)); err != nil {
		t.Fatal(err)
	}
	same(t, n, r, 16)
}

func FuzzApplyNeverPanics(f *testing.F) {
	n := mustNew(f, func(c *Config) { c.TableBits, c.MaxFields = 8, 8 })
	xs, ys := stream(17, 12)
	mustLearn(f, n, xs[:6], ys[:6])
	snap := n.AppendSnapshot(nil)
	mustLearn(f, n, xs[6:], ys[6:])
	f.Add(snap)
	f.Add(n.AppendDelta(nil))
	f.Fuzz(func(t *testing.T, msg []byte) {
		r := NewReplica()
		if err := r.Apply(snap); err != nil {
			t.Fatal(err)
		}
		r.Apply(msg)
		if len(msg) > 8 { // with the checksum made right, only the structure is left to refuse it
			good := codec.Seal(slices.Clone(msg[:len(msg)-4]), 0)
			r.Apply(good)
			r.Apply(good[:len(msg)/3], nil, good[len(msg)/3:len(msg)-2], good[len(msg)-2:])
		}
		for _, x := range xs {
			r.Predict(x, &Scratch{})
		}
	})
}

func TestManyPredictAtOnce(t *testing.T) {
	n, r := mustNew(t, nil), NewReplica()
	xs, ys := stream(18, 300)
	mustLearn(t, n, xs, ys)
	if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	for range 4 {
		g.Go(func() {
			a, b := n.NewScratch(), r.NewScratch()
			for _, x := range xs {
				if p, q := n.Predict(x, a), r.Predict(x, b); p != q {
					t.Errorf("%v and %v", p, q)
				}
			}
		})
	}
	g.Wait()
}
