package scorer

import (
	"fmt"
	"math"
	"testing"
)

// checkPropensities has the policy that cfg asks for choose many times, and compares how often each
// candidate is chosen with the propensities that the policy gave: over all decisions the difference
// is a sum of independent errors, so its square over the variance is small.
func checkPropensities(t *testing.T, name string, cfg Config) {
	t.Helper()
	const n, rounds = 5, 20_000
	for choose := 1; choose <= n; choose++ {
		e := Engine{cfg: cfg, policy: policyOf(&cfg)}
		var c Call
		var difference, variance [n]float64
		for i := range rounds {
			q := Request{ID: fmt.Sprint("r", i), Choose: choose}
			for j := range n {
				q.Answer.Ranked = append(q.Answer.Ranked, Scored{Index: j, Score: 1 / float64(j+2)})
			}
			e.choose(&c, &q)
			seen, sum := 0, 0.0
			for rank, s := range q.Answer.Ranked {
				seen |= 1 << s.Index
				sum += s.Propensity
				difference[s.Index] -= s.Propensity
				variance[s.Index] += s.Propensity * (1 - s.Propensity)
				if rank < choose {
					difference[s.Index]++
				}
			}
			if seen != 1<<n-1 || q.Answer.Policy != name || math.Abs(sum-float64(choose)) > 1e-9 {
				t.Fatalf("%s chooses %d of candidates %b, with propensities that add up to %v", q.Answer.Policy, choose, seen, sum)
			}
		}
		for j := range n {
			if d := difference[j]; d*d > 16*variance[j]+1e-6 { // four standard deviations
				t.Errorf("%s, choose %d: candidate %d was chosen %.0f times more than promised", name, choose, j, d)
			}
		}
	}
}

func TestPropensitiesAreTheProbabilitiesOfBeingChosen(t *testing.T) {
	checkPropensities(t, "greedy", Config{})
	checkPropensities(t, "epsilon", Config{Epsilon: 0.4, Seed: 1})
	checkPropensities(t, "epsilon", Config{Epsilon: 1, Seed: 2})
}

// The seed and the request's id decide what a request gets: the same in every process and version.
func TestAChoiceCanBeReplayed(t *testing.T) {
	cfg := Config{Epsilon: 0.5, Seed: 7}
	e := Engine{cfg: cfg, policy: policyOf(&cfg)}
	chosen := ""
	for i := range 40 {
		q := Request{ID: fmt.Sprint("r", i), Choose: 1, Answer: Answer{Ranked: []Scored{{Index: 0}, {Index: 1}, {Index: 2}}}}
		e.choose(&Call{}, &q)
		chosen += fmt.Sprint(q.Chosen()[0].Index)
	}
	if want := "0120000200101002000000010000100000010200"; chosen != want {
		t.Errorf("chosen are %s, want %s", chosen, want)
	}
}

// Without a choice nothing is random, and the prediction says so.
func TestOneCandidateIsChosenGreedily(t *testing.T) {
	cfg := Config{Epsilon: 0.5}
	e := Engine{cfg: cfg, policy: policyOf(&cfg)}
	q := Request{Choose: 1, Answer: Answer{Ranked: []Scored{{}}}}
	if e.choose(&Call{}, &q); q.Answer.Policy != "greedy" || q.Chosen()[0].Propensity != 1 {
		t.Errorf("%+v", q.Answer)
	}
}
