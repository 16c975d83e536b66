package table

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// atOnce is the table of an index's keys, made at once at its present size.
func atOnce(t *Index) []uint64 {
	slots := make([]uint64, len(t.slots))
	for r := 1; r < len(t.Keys); r++ {
		if t.Keys[r] != 0 || !t.exact {
			place(slots, t.shift, t.Keys[r], uint32(r))
		}
	}
	return slots
}

// No key that comes may have more than a few others placed, and the table is the one that is made
// at once.
func TestAnIndexGrowsAFewKeysAtATime(t *testing.T) {
	x, r := NewIndex(), rand.New(rand.NewPCG(3, 9))
	grown := 0
	for range 5 * growSlots {
		before, slots := max(x.next.placed, 1), len(x.slots)
		if _, ok := x.Insert(r.Uint64()); !ok {
			t.Fatal("no place")
		}
		switch {
		case slots < growSlots:
		case len(x.slots) != slots:
			grown++
			if left := len(x.Keys) - 1 - before; left > growKeys {
				t.Fatalf("%d keys were left to be placed at once", left)
			}
			if !slices.Equal(x.slots, atOnce(&x)) {
				t.Fatalf("the table of %d slots is not the one that is made at once", len(x.slots))
			}
			if cap(x.Keys) < len(x.slots)/2+1 {
				t.Fatalf("the list of keys has room for %d, and would be moved", cap(x.Keys))
			}
		case x.next.placed-before > growKeys:
			t.Fatalf("one key had %d others placed", x.next.placed-before)
		}
	}
	if grown < 3 {
		t.Fatalf("it grew %d times: the test tests too little", grown)
	}
}

// An index that knows how many keys there can be makes no table that is never needed.
func TestAFullIndexPreparesNothing(t *testing.T) {
	x, r := NewIndex(), rand.New(rand.NewPCG(3, 9))
	x.most = 2 * growSlots
	for len(x.Keys) < x.most {
		x.Insert(r.Uint64())
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
		x := NewIndex()
		x.exact = true
		records, free := map[uint64]uint32{}, []uint32(nil)
		var keys []uint64
		moved := [2]int{}
		for len(x.slots) < 8*growSlots {
			if len(keys) > 0 && r.IntN(5) < 2 {
				i := r.IntN(len(keys))
				k, at := keys[i], 0
				if int(records[keys[i]]) < x.next.placed {
					at = 1
				}
				moved[at]++
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
			} else if at, ok := x.Insert(k); ok {
				records[k], keys = at, append(keys, k)
			}
			if len(x.slots) == slots && (x.next.placed == 0 || r.IntN(2000) > 0) {
				continue
			}
			clone := x.clone()
			for k, want := range records {
				if got, also := x.Find(k), clone.Find(k); got != want || also != want {
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
