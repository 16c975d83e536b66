package model

import (
	"math/rand/v2"
	"testing"
)

// Keys that come and go are found as in a map, and an index built from the keys that are left finds
// the same.
func TestKeysComeAndGo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	x := newIndex()
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
			} else if at, ok := x.insert(k); ok {
				records[k] = at
			}
		}
		if step%500 != 0 {
			continue
		}
		again := newIndex()
		again.exact = true
		for _, k := range x.keys[1:] {
			again.push(k)
		}
		for range 300 {
			if k := key(); x.find(k) != records[k] || again.find(k) != records[k] {
				t.Fatalf("step %d: key %x is at %d, in a copy at %d, want %d", step, k, x.find(k), again.find(k), records[k])
			}
		}
	}
}

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

// A stream whose ids never end: what is kept does not grow, and ids that come back often are among
// it.
func TestTokensThatDoNotComeAgainMakeRoom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	n := mustNew(t, func(c *Config) { c.TableBits, c.Admission, c.Expiry = 12, 2, 2000 })
	s := n.NewScratch()
	most := 0
	for i := range sized(40000) {
		var id uint64
		switch k := i % 20; {
		case k < 5: // each of a hundred every 400 examples
			id = uint64((i/20*5+k)%100 + 1)
		case k%10 == 5: // twice, then never again
			id = 1<<40 + uint64(i/20)
		default: // once
			id = r.Uint64()
		}
		if _, err := n.Learn([]Feature{{Field: 7, Hash: id, Value: 1}}, float64(id&1), 1, s); err != nil {
			t.Fatal(err)
		}
		most = max(most, n.Occupancy().Tokens)
	}
	o := n.Occupancy()
	if o.Pooled || most > 1500 || o.Expired < int64(sized(40000))/40 {
		t.Errorf("most tokens at a time %d; in the end %+v", most, o)
	}
	for id := range uint64(100) {
		if n.index.find(mix(7^kindToken, id+1)) == 0 {
			t.Fatalf("id %d comes every 400 examples and has no record", id+1)
		}
	}
}
