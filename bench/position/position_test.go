package main

import "testing"

// The network learns what an ad is worth by itself, apart from where it stood.
func TestTheLearnedOrderIsThatOfTheQualities(t *testing.T) {
	for seed := range uint64(3) {
		r, err := run(policies[0], seed, 50, 20_000)
		if err != nil {
			t.Fatal(err)
		}
		if r.with < 0.95 || r.without > 0.93 {
			t.Errorf("seed %d: Spearman's correlation %.3f with the position, %.3f without; want 0.95 and less", seed, r.with, r.without)
		}
	}
}

// A page in twenty in random order suffices where the policy has placed by nearly the opposite.
func TestAFewRandomPagesTellPositionAndAdApart(t *testing.T) {
	few, err := run(policies[6], 1, 50, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	none, err := run(policies[3], 1, 50, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	if few.with < 0.95 || few.with < none.with {
		t.Errorf("%.3f with random pages, %.3f without them", few.with, none.with)
	}
}

func TestSpearman(t *testing.T) {
	f := func(want float64, b ...float64) {
		t.Helper()
		if got := spearman([]float64{1, 2, 3, 4}, b); got != want {
			t.Errorf("%v: %v, want %v", b, got, want)
		}
	}
	f(1, 10, 20, 30, 99)
	f(-1, 4, 3, 2, 1)
	f(0.8, 2, 1, 3, 4)
}
