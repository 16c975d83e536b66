package scorer

import (
	"math/rand/v2"
	"testing"
	"time"
)

// at is a virtual time of tests, in milliseconds.
func at(ms int) time.Time { return time.Unix(1_000_000, 0).Add(time.Duration(ms) * time.Millisecond) }

func TestABreakerOpensWhenMostReadsFailForAWhile(t *testing.T) {
	f := func(name string, want bool, fail func(ms int) (failed, any bool)) {
		t.Helper()
		b := newBreaker()
		for ms := range 1000 {
			if failed, any := fail(ms); any && failed {
				b.failed(at(ms), 20*time.Millisecond)
			} else if any {
				b.succeeded()
			}
		}
		if b.open() != want {
			t.Errorf("%s: open is %v, want %v", name, b.open(), want)
		}
	}
	f("all succeed", false, func(int) (bool, bool) { return false, true })
	f("all fail", true, func(int) (bool, bool) { return true, true })
	f("a hiccup of 40 ms fails all of its calls", false, func(ms int) (bool, bool) { return ms >= 100 && ms < 140, true })
	f("hiccups, a second of two", false, func(ms int) (bool, bool) { return ms%200 < 40, true })
	f("three of four fail", true, func(ms int) (bool, bool) { return ms%4 > 0, true })
	f("one of four fails", false, func(ms int) (bool, bool) { return ms%4 == 0, true })
	f("few calls, all of which fail", true, func(ms int) (bool, bool) { return true, ms%100 == 0 })
	f("six calls that fail", false, func(ms int) (bool, bool) { return true, ms%100 == 0 && ms < 600 })
}

// An open breaker closes after trials that succeed in a row, and takes no note of calls that began
// before.
func TestABreakerClosesByTrialsAlone(t *testing.T) {
	b := newBreaker()
	for ms := range 100 {
		b.failed(at(ms), time.Duration(20-ms%5)*time.Millisecond)
	}
	if !b.open() || b.trialWait() != 16*time.Millisecond {
		t.Fatalf("open %v, trials wait %v, want the shortest wait that failed, 16ms", b.open(), b.trialWait())
	}
	for range 50 {
		b.succeeded()
	}
	for i, step := range []struct{ ok, closes bool }{{true, false}, {true, false}, {false, false}, {true, false}, {true, false}, {true, true}} {
		if closed := b.tried(step.ok); closed != step.closes || b.open() == step.closes {
			t.Fatalf("trial %d: closed %v, open %v", i, closed, b.open())
		}
	}
	if b.tried(true) {
		t.Error("a closed breaker has closed again")
	}
	for ms := range 40 { // and it starts anew
		b.failed(at(500+ms), time.Second)
	}
	if b.open() {
		t.Error("open after 40 ms")
	}
}

// Whatever comes, a breaker that is told of successes alone ends closed, and one that is told of
// failures alone ends open.
func TestABreakerFollowsWhatItIsTold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b, ms := newBreaker(), 0
		for range rng.IntN(300) {
			ms += rng.IntN(30)
			switch rng.IntN(3) {
			case 0:
				b.succeeded()
			case 1:
				b.failed(at(ms), time.Duration(rng.IntN(50))*time.Millisecond)
			case 2:
				b.tried(rng.IntN(2) == 0)
			}
		}
		if b.trialWait() < breakerLeast {
			t.Fatal(b.trialWait())
		}
		for range 100 {
			ms += 10
			b.failed(at(ms), time.Second)
		}
		if !b.open() {
			t.Fatal("closed after a second of failures")
		}
		for range breakerTrials {
			b.tried(true)
		}
		for range 100 {
			b.succeeded()
		}
		if b.open() || !b.healthy.Load() {
			t.Fatal("open after successes")
		}
	}
}
