package repeats

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/clickloop/clickloop/event"
)

func TestOneRequestHasOneChoice(t *testing.T) {
	var c Choices
	offset := int64(0)
	f := func(id, request, choice string, at event.Time, want Verdict) {
		t.Helper()
		if got := c.Seen(&event.Prediction{ID: id, Request: request, Choice: choice}, offset, at); got != want {
			t.Errorf("%s of %s, choice %s at %d: verdict %d, want %d", id, request, choice, at, got, want)
		}
		offset++
	}
	f("r.0", "r", "a", 0, Fresh)
	f("r.0", "r", "a", 1, Repeat)   // written twice
	f("r.1", "r", "a", 1, Fresh)    // chosen beside it
	f("r.1", "r", "b", 2, Conflict) // the ranking has moved
	f("r.2", "r", "b", 2, Conflict)
	f("r.0", "r", "c", 2, Conflict) // other candidates
	f("r.2", "r", "a", 3, Fresh)    // a conflict takes no id of the choice that stands
	f("s.0", "s", "b", 3, Fresh)
	f("x", "", "", 4, Fresh) // of other producers: an id is all there is
	f("x", "", "", 4, Repeat)
	f("y.0", "y", "", 4, Fresh)
	f("y.0", "y", "", 4, Repeat)
	f("y.1", "y", "", 4, Fresh)
	for i := range Least {
		f("filler"+strconv.Itoa(i), "", "", 2*Age, Fresh)
	}
	f("r.0", "r", "c", 2*Age, Fresh) // a window later the id may stand for another request
	f("r.1", "r", "a", 2*Age, Conflict)
}

// Wherever a consumer begins, it decides as one that was never interrupted.
func TestChoicesDoNotDependOnWhereReadingBegan(t *testing.T) {
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 9))
		const n = 60_000
		log, at := make([]remembered, n), make([]identity, n)
		now := event.Time(1e12)
		for i := range log {
			now += event.Time(rng.ExpFloat64() * float64(Age) / 20_000)
			request := uint64(i + 1)
			if back := int(rng.ExpFloat64() * 3000); rng.IntN(4) == 0 && back < i {
				request = at[i-back].request // sent again, to another process
			}
			choice := uint64(1)
			if rng.IntN(3) == 0 {
				choice = 2
			}
			at[i] = identity{request<<2 | uint64(rng.IntN(2)), request, choice}
			log[i] = remembered{at[i], int64(i), now}
		}
		var whole Choices
		want, counts := make([]Verdict, n), map[Verdict]int{}
		for i, r := range log {
			want[i] = whole.seen(at[i], r.offset, r.at)
			counts[want[i]]++
		}
		if counts[Repeat] < 500 || counts[Conflict] < 500 {
			t.Fatalf("seed %d: verdicts are %v", seed, counts)
		}
		for range 3 {
			begin := rng.IntN(n)
			var c Choices
			back, err := stretches(int64(begin), func(from, to int64) ([]remembered, error) { return log[from:to], nil })
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range back {
				c.seen(r.identity, r.offset, r.at)
			}
			for i := begin; i < n; i++ {
				if got := c.seen(at[i], log[i].offset, log[i].at); got != want[i] {
					t.Fatalf("seed %d: begun at %d, record %d is %d, want %d", seed, begin, i, got, want[i])
				}
			}
		}
	}
}
