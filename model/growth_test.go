package model

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// A net that is written and read at any stage of its index's growth goes on as the one that was
// not, bit for bit, and so does its replica.
func TestResumedInTheMiddleOfAGrowthIsTheSame(t *testing.T) {
	for _, expiry := range []int64{0, 3000} {
		t.Run(fmt.Sprint("expiry=", expiry), func(t *testing.T) { resumedInGrowth(t, expiry) })
	}
}

func resumedInGrowth(t *testing.T, expiry int64) {
	n := mustNew(t, func(c *Config) { c.TableBits, c.Expiry, c.Network = 16, expiry, []string{"ffm"} })
	r := rand.New(rand.NewPCG(3, 9))
	var xs [][]Feature
	var ys []float64
	for i := range 3000 {
		x := []Feature{{Field: 1, Hash: uint64(i%50) + 1, Value: 1}}
		for range 4 {
			x = append(x, Feature{Field: 2, Hash: r.Uint64N(100_000), Value: 0.5})
		}
		xs, ys = append(xs, x), append(ys, float64(r.IntN(2)))
	}
	replica := NewReplica()
	if err := replica.Apply(n.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	var resumed []*Net
	stages := [3]int{}
	for at := 0; at < len(xs); at += 100 {
		mustLearn(t, n, xs[at:at+100], ys[at:at+100])
		for i, m := range resumed {
			mustLearn(t, m, xs[at:at+100], ys[at:at+100])
			if m.Hash() != n.Hash() {
				t.Fatalf("after %d examples net %d has gone its own way", at+100, i)
			}
		}
		clone := replica.Clone()
		delta := n.AppendDelta(nil)
		if err := errors.Join(replica.Apply(delta), clone.Apply(delta)); err != nil {
			t.Fatal(err)
		}
		stage := 0
		slots := 64
		for 2*(len(n.tokens.Keys)-1) > slots {
			slots *= 2
		}
		switch keys := 16 * len(n.tokens.Keys); { // as table.Index grows
		case keys > 7*slots:
			stage = 2
		case keys >= 6*slots:
			stage = 1
		}
		if stages[stage]++; stages[stage] > 2 {
			continue
		}
		var b bytes.Buffer
		if _, err := n.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		m, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		resumed = append(resumed, m)
	}
	if stages[1] == 0 || stages[2] == 0 {
		t.Fatalf("stages %v: the test tests too little", stages)
	}
	a, b := replica.NewScratch(), n.NewScratch()
	for _, x := range xs[:500] {
		if replica.Predict(x, a) != n.Predict(x, b) {
			t.Fatalf("the replica predicts otherwise")
		}
	}
}

// A net that expects examples learns them as one that does not.
func TestANetThatExpectsExamplesIsNoOther(t *testing.T) {
	eachShape(t, func(t *testing.T, change func(*Config)) {
		a, b := mustNew(t, change), mustNew(t, change)
		a.Expect()
		xs, ys := stream(5, 200)
		mustLearn(t, a, xs, ys)
		mustLearn(t, b, xs, ys)
		if a.Expect(); a.Hash() != b.Hash() {
			t.Fatal("their hashes differ")
		}
	})
}
