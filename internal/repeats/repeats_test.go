package repeats

import (
	"strconv"
	"testing"

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
	f("a", 2*Age, false) // too old, and enough newer ids
}

func TestAWindowNeverHoldsMoreThanItsBound(t *testing.T) {
	var w Window
	for i := range Most + 5000 {
		w.Repeat(strconv.Itoa(i), 1)
	}
	if w.Len() != Most || len(w.held) != Most || cap(w.ring) > 4*Most {
		t.Fatalf("holds %d ids, %d in the set, room for %d; the bound is %d", w.Len(), len(w.held), cap(w.ring), Most)
	}
}
