package repeats

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

func TestAnIdIsARepeatWithinTheWindow(t *testing.T) {
	var w Window
	f := func(id string, at event.Time, want bool) {
		t.Helper()
		if got := w.Repeat(id, at); got != want {
			t.Errorf("%q at %d: repeat %v, want %v", id, at, got, want)
		}
	}
	f("a", 0, false)
	f("a", 1, true)
	f("", 1, false)
	f("", 1, false)
	for i := range Least {
		f("x"+strconv.Itoa(i), Age/2, false)
	}
	f("a", Age, true) // old enough to be there still
	for i := range Least {
		f("y"+strconv.Itoa(i), 2*Age, false)
	}
	f("a", 2*Age, true) // it came again a window ago
	for i := range Least {
		f("z"+strconv.Itoa(i), 3*Age+1, false)
	}
	f("a", 3*Age+1, false) // too old, and enough newer records
}

func TestAWindowNeverHoldsMoreThanItsBound(t *testing.T) {
	var w Window
	for i := range Most + 5000 {
		w.Repeat(strconv.Itoa(i), 1)
	}
	if len(w.last) != Most || cap(w.ring) > 4*Most {
		t.Fatalf("holds %d ids, room for %d; the bound is %d", len(w.last), cap(w.ring), Most)
	}
}

// One id that is sent without end costs no memory, and stays a repeat.
func TestARetryStormIsOneId(t *testing.T) {
	var w Window
	w.Seen("a", 0, 0)
	for i := range int64(3 * Most) {
		if !w.Seen("a", i+1, event.Time(i)) {
			t.Fatalf("record %d is no repeat", i+1)
		}
	}
	if len(w.last) != 1 || cap(w.ring) > 4*Most {
		t.Fatalf("holds %d ids, room for %d", len(w.last), cap(w.ring))
	}
}

// A record whose producer gave it no time is held to the offsets alone, and shortens nobody else's
// window.
func TestARecordWithoutATimeIsARepeatByItsOffset(t *testing.T) {
	const now = event.Time(1e12)
	f := func(first, second event.Time, distance int64, want bool) {
		t.Helper()
		var w Window
		w.Seen("a", 0, first)
		for o := int64(1); o < distance; o++ {
			w.Seen("x"+strconv.FormatInt(o, 10), o, []event.Time{now, 0}[o%2])
		}
		if got := w.Seen("a", distance, second); got != want {
			t.Errorf("at %d, then at %d %d records later: repeat %v, want %v", first, second, distance, got, want)
		}
	}
	f(0, 0, Least, true)
	f(0, 0, Least+1, false)
	f(now, 0, Least, true)
	f(now, 0, Least+1, false)
	f(0, now, Least, true)
	f(0, now, Least+1, false)
	f(now, now, 3*Least, true)
}

// log is a partition: ids, some empty (heartbeats), some repeated at any distance, with times that
// jitter; a part of untimed has none.
func randomLog(rng *rand.Rand, n int, untimed float64) []remembered {
	log := make([]remembered, n)
	now := event.Time(1e12)
	for i := range log {
		now += event.Time(rng.ExpFloat64() * float64(Age) / 12_000)
		log[i] = remembered{offset: int64(i), at: now + event.Time(rng.IntN(2000)) - 1000}
		if rng.Float64() < untimed {
			log[i].at = 0
		}
		switch back := int(rng.ExpFloat64() * 9000); {
		case rng.IntN(5) == 0:
		case rng.IntN(3) == 0 && back < i:
			log[i].id = log[i-back].id
		default:
			log[i].id = xxhash.Sum64String("id" + strconv.Itoa(i))
		}
	}
	return log
}

// Wherever a consumer begins, it decides as one that was never interrupted.
func TestDecisionsDoNotDependOnWhereReadingBegan(t *testing.T) {
	for seed := range uint64(3) { // all have a time, half of them, none
		rng := rand.New(rand.NewPCG(seed, 8))
		log := randomLog(rng, 70_000, float64(seed)/2)
		want := make([]bool, len(log))
		var whole Window
		repeats := 0
		for i, r := range log {
			if r.id != 0 {
				want[i] = whole.seen(r.id, r.offset, r.at)
			}
			if want[i] {
				repeats++
			}
		}
		if repeats < 1000 {
			t.Fatalf("seed %d: only %d repeats are in the log", seed, repeats)
		}
		for range 4 {
			begin := rng.IntN(len(log))
			var w Window
			read := 0
			back, err := stretches(int64(begin), func(from, to int64) ([]remembered, error) {
				read += int(to - from)
				var found []remembered
				for _, r := range log[from:to] {
					if r.id != 0 {
						found = append(found, r)
					}
				}
				return found, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if read == begin && begin > 60_000 && seed < 2 {
				t.Errorf("seed %d: all %d records before the beginning were read", seed, begin)
			}
			for _, r := range back {
				w.seen(r.id, r.offset, r.at)
			}
			for i, r := range log[begin:] {
				if r.id == 0 {
					continue
				}
				if got := w.seen(r.id, r.offset, r.at); got != want[begin+i] {
					t.Fatalf("seed %d: begun at %d, record %d is a repeat: %v, want %v", seed, begin, begin+i, got, want[begin+i])
				}
			}
		}
	}
}

func TestStretchesCoverWhatIsNeededInOrder(t *testing.T) {
	f := func(next int64, everyMs event.Time, want int64) {
		t.Helper()
		lowest := next
		got, err := stretches(next, func(from, to int64) ([]remembered, error) {
			if to != lowest {
				return nil, fmt.Errorf("a stretch ends at %d, want %d", to, lowest)
			}
			lowest = from
			var found []remembered
			for o := from; o < to; o++ {
				found = append(found, remembered{identity{id: 1}, o, event.Time(o) * everyMs})
			}
			return found, nil
		})
		if err != nil || lowest != want {
			t.Errorf("before %d, a record each %d ms: read from %d (%v), want %d", next, everyMs, lowest, err, want)
		}
		for i := range got {
			if got[i].offset != lowest+int64(i) {
				t.Fatalf("record %d has offset %d", i, got[i].offset)
			}
		}
	}
	f(0, 1, 0)
	f(100, 1, 0)
	f(1_000_000, 1, 1_000_000-Most) // ten minutes are more than a window may hold
	f(1_000_000, 1000, 1_000_000-Least)
	f(1_000_000, 100, 1_000_000-Least-2*Least)  // 20 minutes are 12,000 records
	f(1_000_000, 20, 1_000_000-(1+2+4+8)*Least) // 60,000 records
}
