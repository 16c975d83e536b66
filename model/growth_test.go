package model

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// atOnce is the table of an index's keys, made at once at its present size.
func atOnce(t *index) []uint64 {
	slots := make([]uint64, len(t.slots))
	for r := 1; r < len(t.keys); r++ {
		if t.keys[r] != 0 || !t.exact {
			placeIn(slots, t.shift, t.keys[r], uint32(r))
		}
	}
	return slots
}

// No key that comes may have more than a few others placed, and the table is the one that is made
// at once.
func TestAnIndexGrowsAFewKeysAtATime(t *testing.T) {
	x, r := newIndex(), rand.New(rand.NewPCG(3, 9))
	grown := 0
	for range 5 * growSlots {
		before, slots := max(x.next.to, 1), len(x.slots)
		if _, ok := x.insert(r.Uint64()); !ok {
			t.Fatal("no place")
		}
		switch {
		case slots < growSlots:
		case len(x.slots) != slots:
			grown++
			if left := len(x.keys) - 1 - before; left > growRecord {
				t.Fatalf("%d keys were left to be placed at once", left)
			}
			if !slices.Equal(x.slots, atOnce(&x)) {
				t.Fatalf("the table of %d slots is not the one that is made at once", len(x.slots))
			}
			if cap(x.keys) < len(x.slots)/2+1 {
				t.Fatalf("the list of keys has room for %d, and would be moved", cap(x.keys))
			}
		case x.next.to-before > growRecord:
			t.Fatalf("one key had %d others placed", x.next.to-before)
		}
	}
	if grown < 3 {
		t.Fatalf("it grew %d times: the test tests too little", grown)
	}
}

// An index that knows how many keys there can be makes no table that is never needed.
func TestAFullIndexPreparesNothing(t *testing.T) {
	x, r := newIndex(), rand.New(rand.NewPCG(3, 9))
	x.most = 2 * growSlots
	for len(x.keys) < x.most {
		x.insert(r.Uint64())
	}
	if x.next.memory != nil || x.next.slots != nil || len(x.slots) != 2*x.most {
		t.Fatalf("%d slots for %d keys, and more in the making", len(x.slots), x.most)
	}
}

// Keys that come and go while the next table is made have their places in it, those that were
// placed before and those that were not.
func TestKeysComeAndGoWhileTheIndexGrows(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 9))
		x := newIndex()
		x.exact = true
		records, free := map[uint64]uint32{}, []uint32(nil)
		var keys []uint64
		moved := [2]int{}
		for len(x.slots) < 8*growSlots {
			if len(keys) > 0 && r.IntN(5) < 2 {
				i := r.IntN(len(keys))
				k := keys[i]
				moved[btoi(int(records[k]) < x.next.to)]++
				x.remove(records[k])
				free = append(free, records[k])
				delete(records, k)
				keys[i] = keys[len(keys)-1]
				keys = keys[:len(keys)-1]
			}
			k := r.Uint64() &^ (0xffff << 32) // equal tags are not rare
			if r.IntN(3) == 0 {
				k = r.Uint64()<<40 | uint64(r.IntN(50)) + 1
			}
			if _, ok := records[k]; ok {
				continue
			}
			slots := len(x.slots)
			if n := len(free); n > 0 && r.IntN(2) == 0 {
				if x.give(k, free[n-1]) {
					records[k], free, keys = free[n-1], free[:n-1], append(keys, k)
				}
			} else if at, ok := x.insert(k); ok {
				records[k], keys = at, append(keys, k)
			}
			if len(x.slots) == slots && (x.next.to == 0 || r.IntN(2000) > 0) {
				continue
			}
			clone := x.clone()
			for k, want := range records {
				if got, also := x.find(k), clone.find(k); got != want || also != want {
					t.Fatalf("seed %d, %d slots: key %x is at %d, in a clone at %d, want %d", seed, len(x.slots), k, got, also, want)
				}
			}
			for i, e := range atOnce(&x) { // which key lies where in a run depends on their order
				if (e == 0) != (x.slots[i] == 0) {
					t.Fatalf("seed %d: slot %d holds %x, and made at once %x", seed, i, x.slots[i], e)
				}
			}
		}
		if moved[0] < 100 || moved[1] < 100 {
			t.Fatalf("%v keys went before and after they were placed: the test tests too little", moved)
		}
	}
}

// A net that is written and read at any stage of its index's growth goes on as the one that was
// not, bit for bit, and so does its replica.
func TestResumedInTheMiddleOfAGrowthIsTheSame(t *testing.T) {
	for _, expiry := range []int64{0, 3000} {
		t.Run(fmt.Sprint("expiry=", expiry), func(t *testing.T) { resumedInGrowth(t, expiry) })
	}
}

func resumedInGrowth(t *testing.T, expiry int64) {
	n := mustNew(t, func(c *Config) { c.TableBits, c.Expiry, c.Network = 16, expiry, []string{"ffm"} })
	r := rand.New(rand.NewPCG(3, 9))
	var xs [][]Feature
	var ys []float64
	for i := range 3000 {
		x := []Feature{{Field: 1, Hash: uint64(i%50) + 1, Value: 1}}
		for range 4 {
			x = append(x, Feature{Field: 2, Hash: r.Uint64N(100_000), Value: 0.5})
		}
		xs, ys = append(xs, x), append(ys, float64(r.IntN(2)))
	}
	replica := NewReplica()
	if err := replica.Apply(n.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	var resumed []*Net
	stages := [3]int{}
	for at := 0; at < len(xs); at += 100 {
		mustLearn(t, n, xs[at:at+100], ys[at:at+100])
		for i, m := range resumed {
			mustLearn(t, m, xs[at:at+100], ys[at:at+100])
			if m.Hash() != n.Hash() {
				t.Fatalf("after %d examples net %d has gone its own way", at+100, i)
			}
		}
		clone := replica.Clone()
		delta := n.AppendDelta(nil)
		if err := errors.Join(replica.Apply(delta), clone.Apply(delta)); err != nil {
			t.Fatal(err)
		}
		stage := 0
		switch {
		case n.index.next.slots != nil:
			stage = 2
		case n.index.next.memory != nil:
			stage = 1
		}
		if stages[stage]++; stages[stage] > 2 {
			continue
		}
		var b bytes.Buffer
		if _, err := n.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		m, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if m.index.next.to != n.index.next.to || (m.index.next.memory != nil) != (n.index.next.memory != nil) {
			t.Fatalf("the growth of the one that was read is at %d, not %d", m.index.next.to, n.index.next.to)
		}
		resumed = append(resumed, m)
	}
	if stages[1] == 0 || stages[2] == 0 {
		t.Fatalf("stages %v: the test tests too little", stages)
	}
	a, b := replica.NewScratch(), n.NewScratch()
	for _, x := range xs[:500] {
		if replica.Predict(x, a) != n.Predict(x, b) {
			t.Fatalf("the replica predicts otherwise")
		}
	}
}

// A net that expects examples learns them as one that does not.
func TestANetThatExpectsExamplesIsNoOther(t *testing.T) {
	eachShape(t, func(t *testing.T, change func(*Config)) {
		a, b := mustNew(t, change), mustNew(t, change)
		a.Expect()
		xs, ys := stream(5, 200)
		mustLearn(t, a, xs, ys)
		mustLearn(t, b, xs, ys)
		if a.Expect(); a.Hash() != b.Hash() {
			t.Fatal("their hashes differ")
		}
	})
}
