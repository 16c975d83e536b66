package model

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// shown is an example of an ad on one of two devices, with a number if there is one.
func shown(ad string, device int, numbers ...float64) []Feature {
	x := []Feature{
		{Field: FieldHash("device"), Hash: TokenHash(fmt.Sprint(device)), Value: 1},
		{Field: FieldHash("ad"), Hash: TokenHash(ad), Value: 1},
	}
	for _, v := range numbers {
		x = append(x, Feature{Field: FieldHash("age"), Value: v, Kind: Number})
	}
	return x
}

// teach has n learn an ad so often, with a rate of positives.
func teach(t *testing.T, n *Net, ad string, times int, rate float64, seed uint64) {
	t.Helper()
	r, s := rand.New(rand.NewPCG(seed, 1)), n.NewScratch()
	for i := range times {
		y := 0.0
		if r.Float64() < rate {
			y = 1
		}
		if _, err := n.Learn(shown(ad, i%2), y, 1, s); err != nil {
			t.Fatal(err)
		}
	}
}

// part is what a field adds to the variance of the logit of x.
func part(n interface {
	Predict([]Feature, *Scratch) float64
	Variances([]FieldVariance, *Scratch) []FieldVariance
}, field string, x []Feature) float64 {
	s := &Scratch{}
	n.Predict(x, s)
	for _, v := range n.Variances(nil, s) {
		if v.Field == FieldHash(field) {
			return v.Variance
		}
	}
	return 0
}

func TestSightingsShrinkTheDeviation(t *testing.T) {
	n := mustNew(t, nil)
	teach(t, n, "old", 2000, 0.2, 1)
	for _, times := range []int{30, 100, 1000} {
		ad := fmt.Sprint("ad", times)
		if before := part(n, "ad", shown(ad, 0)); before != tokenVariance {
			t.Errorf("before it was learned %s adds %v", ad, before)
		}
		teach(t, n, ad, times, 0.2, 7)
		want := 1 / (1 + float64(times)*0.2*0.8)
		if got := part(n, "ad", shown(ad, 0)); math.Abs(got/want-1) > 0.3 {
			t.Errorf("after %d sightings %s adds %v, want about %v", times, ad, got, want)
		}
	}
	s := n.NewScratch()
	n.Predict(shown("new", 0), s)
	stranger := n.Deviation(s)
	n.Predict(shown("old", 0), s)
	if known := n.Deviation(s); stranger < 0.99 || known > 0.12 {
		t.Errorf("a new ad has deviation %v, an old one %v", stranger, known)
	}
}

// A fresh net is as uncertain as of a new token.
func TestAFreshNetIsUncertain(t *testing.T) {
	n, s := mustNew(t, nil), &Scratch{}
	n.Predict(shown("a", 0), s)
	if got := n.Deviation(s); got != math.Sqrt(tokenVariance) {
		t.Errorf("it deviates by %v", got)
	}
}

// A number of which the place among the quantiles is known is known, whatever its digits.
func TestANumberIsAsKnownAsItsBestToken(t *testing.T) {
	n, s := mustNew(t, nil), &Scratch{}
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 4000 {
		if _, err := n.Learn(shown("a", 0, 100*r.Float64()), float64(i%4/3), 1, s); err != nil {
			t.Fatal(err)
		}
	}
	if got := part(n, "age", shown("a", 0, 54.321)); got > 0.03 {
		t.Errorf("a number among 4000 others adds %v", got)
	}
}

// Replicas of either width tell the deviation of their net, by snapshots and by deltas.
func TestReplicasKnowTheDeviation(t *testing.T) {
	for bits, tolerance := range map[int]float64{32: 0, 16: 2e-3} {
		n, r := mustNew(t, nil), NewReplica()
		n.ServeBits(bits)
		if r.Uncertain() {
			t.Error("a replica of nothing knows how uncertain it is")
		}
		a, b := n.NewScratch(), r.NewScratch()
		for round := range 4 {
			teach(t, n, fmt.Sprint("ad", round%3), 300, 0.1, uint64(round))
			if err := r.Apply(n.AppendDelta(nil)); err != nil || !r.Uncertain() {
				t.Fatal(err)
			}
			for _, ad := range []string{"ad0", "ad1", "ad2", "ad3"} {
				n.Predict(shown(ad, 1, 5), a)
				r.Predict(shown(ad, 1, 5), b)
				want, got := n.Deviation(a), r.Deviation(b)
				if math.Abs(got/want-1) > tolerance {
					t.Errorf("%d bits: the net's deviation of %s is %v, its replica's %v", bits, ad, want, got)
				}
				if again := r.Clone().Deviation(b); again != got {
					t.Errorf("a clone says %v, not %v", again, got)
				}
			}
		}
	}
}

// A checkpoint without sightings has the counts from which they follow.
func TestACheckpointOfAFormerReleaseGetsItsSightings(t *testing.T) {
	n := mustNew(t, nil)
	teach(t, n, "a", 500, 0.2, 3)
	want := n.Hash()
	for i := 1; i < n.tokensJT.Len; i++ {
		n.tokensJT.At(uint32(i))[sightingsAt] = 0
	}
	var file bytes.Buffer
	if _, err := n.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	if back, err := Read(&file); err != nil || back.Hash() != want {
		t.Errorf("it was read as another net: %v", err)
	}
}

func TestAPlainNetIsNotUncertain(t *testing.T) {
	n, s, r := mustNew(t, func(c *Config) { c.Network = []string{"ffm"} }), &Scratch{}, NewReplica()
	teach(t, n, "a", 50, 0.2, 3)
	if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	n.Predict(shown("a", 0), s)
	if n.Uncertain() || r.Uncertain() || !math.IsNaN(n.Deviation(s)) || len(n.Variances(nil, s)) > 0 {
		t.Error("a net without counts says how uncertain it is")
	}
}

func TestTheDeviationAllocatesNothing(t *testing.T) {
	n, s := mustNew(t, nil), &Scratch{}
	teach(t, n, "a", 50, 0.2, 3)
	x := shown("a", 0, 3)
	if got := testing.AllocsPerRun(100, func() { n.Predict(x, s); n.Deviation(s) }); got > 0 {
		t.Errorf("it allocates %v times", got)
	}
}

// What candidates share is uncertain all the same: the deviation is that of the whole example.
func TestSharedPredictionsKnowTheDeviation(t *testing.T) {
	n, r := mustNew(t, nil), NewReplica()
	teach(t, n, "a", 300, 0.2, 3)
	teach(t, n, "b", 20, 0.2, 4)
	if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	whole, joint := r.NewScratch(), r.NewScratch()
	r.Share(shown("a", 1)[:1], joint)
	for _, ad := range []string{"a", "b", "c", "a"} {
		x := shown(ad, 1, 7)
		p, q := r.Predict(x, whole), r.PredictShared(x[1:], nil, joint)
		if want, got := r.Deviation(whole), r.Deviation(joint); p != q || want != got || !(want > 0) {
			t.Errorf("%s: %v and %v deviate by %v and %v", ad, p, q, want, got)
		}
	}
}
