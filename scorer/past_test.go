package scorer

import (
	"slices"
	"testing"
)

// The picks of a past choice go in front, in their order, and the others stay in theirs.
func TestAPastChoiceGoesInFront(t *testing.T) {
	f := func(picks, want []int) {
		t.Helper()
		p := &past{policy: "epsilon"}
		for _, i := range picks {
			p.picks = append(p.picks, pick{index: i, propensity: float64(i) / 10})
		}
		q := &request{choose: int64(len(picks)), policy: "greedy"}
		for i := range 5 {
			q.candidates = append(q.candidates, candidate{index: i})
		}
		applied := p.apply(q)
		var got []int
		for i := range q.candidates {
			got = append(got, q.candidates[i].index)
		}
		if applied != (want != nil) || applied && (!slices.Equal(got, want) || q.policy != "epsilon") || !applied && q.policy != "greedy" {
			t.Errorf("%v: %v %v %s, want %v", picks, applied, got, q.policy, want)
		}
		for i := range picks {
			if applied && q.candidates[i].propensity != float64(picks[i])/10 {
				t.Errorf("%v: the propensity of place %d is %v", picks, i, q.candidates[i].propensity)
			}
		}
	}
	f([]int{0}, []int{0, 1, 2, 3, 4})
	f([]int{4}, []int{4, 0, 1, 2, 3})
	f([]int{3, 1}, []int{3, 1, 0, 2, 4})
	f([]int{1, 0, 4}, []int{1, 0, 4, 2, 3})
	f([]int{4, 3, 2, 1, 0}, []int{4, 3, 2, 1, 0})
	f([]int{5}, nil)
	q := &request{choose: 2, candidates: []candidate{{index: 0}, {index: 1}}}
	if (&past{picks: []pick{{index: 1}}}).apply(q) || (*past)(nil).apply(q) {
		t.Error("a choice of which a part is known is applied")
	}
}
