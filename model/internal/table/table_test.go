package table

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
)

func TestASketchNeverCountsTooFewUntilItForgets(t *testing.T) {
	s := sketch{counts: make([]uint8, 1<<16)}
	r := rand.New(rand.NewPCG(3, 9))
	exact, over := map[uint64]int{}, 0
	for range 4000 {
		k := uint64(r.ExpFloat64() * 60)
		exact[k]++
		got := s.add(k)
		if got < min(exact[k], 255) {
			t.Fatalf("key %d counts %d, it came %d times", k, got, exact[k])
		}
		if got > exact[k] {
			over++
		}
	}
	if over > 100 {
		t.Errorf("%d of 4000 counts were too high", over)
	}
	before := s.add(1)
	for s.adds < len(s.counts)/8-1 {
		s.add(r.Uint64())
	}
	if s.add(1); s.adds > len(s.counts)/16+2 || s.add(1) > (before+255)/2+2 {
		t.Errorf("it did not forget: %d sightings, key 1 counts %d", s.adds, s.add(1))
	}
}

// Keys can be chosen to fall on one place. Those without room are not learned; tokens that come
// later have their own entries as before.
func TestKeysChosenToCollideCostOnlyThemselves(t *testing.T) {
	x := New(Limits{Bits: 20}, true)
	admit := func(key uint64) uint32 {
		entry, _ := x.Admit(key, false, 0, 0)
		return entry
	}
	for i := range uint64(20000) {
		admit(arith.Mix(i, 76))
	}
	refused := 0
	for i := range uint64(4 * maxProbes) {
		if admit(0xABCDEF<<40|i) == 0 {
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("the bound on a search was never reached")
	}
	if x.Pooled {
		t.Fatal("the table counts as full")
	}
	for i := range uint64(1000) {
		key := arith.Mix(i, 77)
		if entry := admit(key); entry == 0 || x.Keys[entry] != key || x.Find(key) != entry {
			t.Fatalf("token %d has entry %d", i, entry)
		}
	}
}

// An entry goes from one token to the next; whoever watches hears of it before and after.
func TestAnExpiredTokensEntryIsGivenToTheNext(t *testing.T) {
	x := New(Limits{Bits: 8, Admission: 2, Expiry: 320}, true)
	var before, after []uint64
	x.BeforeChange = func(entry uint32) { before = append(before, x.Keys[entry]) }
	x.Changed = func(entry uint32, key uint64) { after = append(after, key) }
	if entry, created := x.Admit(71, false, 0, 0); entry != 0 || created {
		t.Fatalf("a token that came once has entry %d", entry)
	}
	entry, created := x.Admit(71, false, 0, 0)
	if entry != 1 || !created || x.Tokens() != 1 {
		t.Fatalf("a token that came twice has entry %d", entry)
	}
	for i := range int64(1000) {
		x.Expire(i)
	}
	if !x.IsFree(entry) || x.Tokens() != 0 || x.Expired() != 1 || x.Find(71) != 0 {
		t.Fatalf("a token that did not come for 1,000 examples has entry %d", x.Find(71))
	}
	x.BeginExample()
	x.Admit(72, false, 0, 1000)
	if next, created := x.Admit(72, false, 0, 1000); next != entry || !created || !x.IsReused(next) {
		t.Fatalf("the next token has entry %d", next)
	}
	x.Seen(entry, 1300)
	if x.Expire(1301); x.IsFree(entry) || x.Stamp(entry) != stamp(1300) {
		t.Fatal("a token that was seen has expired")
	}
	if !slices.Equal(before, []uint64{71, 0}) || !slices.Equal(after, []uint64{71, 0, 72}) {
		t.Fatalf("before %v, after %v", before, after)
	}
}

// When the table is full, tokens share the pool's entries, which never expire.
func TestAFullTableShares(t *testing.T) {
	x := New(Limits{Bits: 6, Expiry: 320}, true)
	entries := map[uint32]bool{}
	for key := range uint64(1000) {
		pooled, shared := x.Pooled, uint32(0)
		if pooled {
			shared = x.FindShared(arith.Mix(key, 5))
		}
		entry, _ := x.Admit(arith.Mix(key, 5), pooled, shared, 0)
		entries[entry] = true
	}
	if !x.Pooled || len(entries) > 64 || len(x.Keys) > 65 {
		t.Fatalf("1,000 tokens have %d entries", len(entries))
	}
	for i := range int64(2000) {
		x.Expire(i)
	}
	if left := x.Tokens(); left == 0 || left > 4 {
		t.Fatalf("%d entries are left, want those of the pool", left)
	}
}
