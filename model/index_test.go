package model

import (
	"math/rand/v2"
	"testing"
)

// Runs of taken slots grow with the number of keys; the bound on a search must lie above what
// chance brings at any size.
func TestEveryKeyBelowTheLimitIsPlacedAndFound(t *testing.T) {
	for seed := range uint64(4) {
		x, r := newIndex(), rand.New(rand.NewPCG(seed, 1))
		keys := make([]uint64, sized(1<<20))
		for i := range keys {
			keys[i] = r.Uint64()
			if got, ok := x.insert(keys[i]); !ok || got != uint32(i+1) {
				t.Fatalf("seed %d: key %d got record %d, %v", seed, i, got, ok)
			}
		}
		for i, k := range keys {
			if got := x.find(k); got != uint32(i+1) {
				t.Fatalf("seed %d: key %d is at record %d", seed, i, got)
			}
		}
	}
}

// Keys can be chosen to fall on one place. Those without room are not learned; tokens that come
// later have their own records as before.
func TestKeysChosenToCollideCostOnlyThemselves(t *testing.T) {
	n := mustNew(t, func(c *Config) { c.TableBits = 20 })
	for i := range uint64(20000) {
		n.newToken(mix(i, 76), 0, false)
	}
	refused := 0
	for i := range uint64(4 * maxProbes) {
		if n.newToken(0xABCDEF<<40|i, 0, false) == 0 {
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("the bound on a search was never reached")
	}
	if n.pooled {
		t.Fatal("the table counts as full")
	}
	for i := range uint64(1000) {
		key := mix(i, 77)
		r := n.newToken(key, 0, false)
		if r == 0 || n.index.keys[r] != key || n.index.find(key) != r {
			t.Fatalf("token %d has record %d", i, r)
		}
	}
}
