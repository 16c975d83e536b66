package table

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Runs of taken slots grow with the number of keys; the bound on a search must lie above what
// chance brings at any size.
func TestEveryKeyBelowTheLimitIsPlacedAndFound(t *testing.T) {
	for seed := range uint64(4) {
		x, r := NewIndex(), rand.New(rand.NewPCG(seed, 1))
		keys := make([]uint64, sized(1<<20))
		for i := range keys {
			keys[i] = r.Uint64()
			if got, ok := x.Insert(keys[i]); !ok || got != uint32(i+1) {
				t.Fatalf("seed %d: key %d got record %d, %v", seed, i, got, ok)
			}
		}
		for i, k := range keys {
			if got := x.Find(k); got != uint32(i+1) {
				t.Fatalf("seed %d: key %d is at record %d", seed, i, got)
			}
		}
	}
}

// Keys that come and go are found as in a map, and an index built from the keys that are left finds
// the same.
func TestKeysComeAndGo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	x := NewIndex()
	x.exact = true
	records, free := map[uint64]uint32{}, []uint32(nil)
	// long runs, equal tags
	key := func() uint64 { return uint64(r.IntN(40))<<58 | uint64(r.IntN(300)) + 1 }
	for step := range 60000 {
		k := key()
		if at, ok := records[k]; ok && step%3 == 0 {
			x.remove(at)
			delete(records, k)
			free = append(free, at)
		} else if !ok {
			if n := len(free); n > 0 {
				if !x.give(k, free[n-1]) {
					continue
				}
				records[k], free = free[n-1], free[:n-1]
			} else if at, ok := x.Insert(k); ok {
				records[k] = at
			}
		}
		if step%500 != 0 {
			continue
		}
		again := NewIndex()
		again.exact = true
		for _, k := range x.Keys[1:] {
			again.Push(k)
		}
		for range 300 {
			if k := key(); x.Find(k) != records[k] || again.Find(k) != records[k] {
				t.Fatalf("step %d: key %x is at %d, in a copy at %d, want %d", step, k, x.Find(k), again.Find(k), records[k])
			}
		}
	}
}

// TestManyKeysAreReadAsTheyWereInserted compares an index with room from the start with one that
// grew.
func TestManyKeysAreReadAsTheyWereInserted(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		n := 1 + rng.IntN(5000)
		grown, roomy := NewIndex(), NewIndex()
		roomy.Reserve(n)
		for range n {
			k := rng.Uint64()
			if rng.IntN(8) > 0 {
				k >>= 12 // many fall together
			}
			grown.Push(k)
			roomy.Push(k)
		}
		if !slices.Equal(grown.slots, roomy.slots) || !slices.Equal(grown.Keys, roomy.Keys) || grown.shift != roomy.shift ||
			grown.next.placed != roomy.next.placed || (grown.next.memory == nil) != (roomy.next.memory == nil) {
			t.Fatalf("%d keys: another form", n)
		}
	}
}
