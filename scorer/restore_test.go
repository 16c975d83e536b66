package scorer

import (
	"slices"
	"testing"
)

// The picks of a past choice go in front, in their order, and the others stay in theirs.
func TestAPastChoiceGoesInFront(t *testing.T) {
	f := func(picks, want []int) {
		t.Helper()
		var past []Scored
		for _, i := range picks {
			past = append(past, Scored{Index: i, Propensity: float64(i) / 10})
		}
		q := &Request{Choose: len(picks), claim: claim{whole: true}}
		for i := range 5 {
			q.Answer.Ranked = append(q.Answer.Ranked, Scored{Index: i})
		}
		applied := q.choosePast(past)
		var got []int
		for _, s := range q.Answer.Ranked {
			got = append(got, s.Index)
		}
		if applied != (want != nil) || applied && !slices.Equal(got, want) {
			t.Errorf("%v: %v %v, want %v", picks, applied, got, want)
		}
		for i, s := range q.Chosen() {
			if applied && s.Propensity != float64(picks[i])/10 {
				t.Errorf("%v: the propensity of place %d is %v", picks, i, s.Propensity)
			}
		}
	}
	f([]int{0}, []int{0, 1, 2, 3, 4})
	f([]int{4}, []int{4, 0, 1, 2, 3})
	f([]int{3, 1}, []int{3, 1, 0, 2, 4})
	f([]int{1, 0, 4}, []int{1, 0, 4, 2, 3})
	f([]int{4, 3, 2, 1, 0}, []int{4, 3, 2, 1, 0})
	f([]int{5}, nil)
	q := &Request{Choose: 2, Answer: Answer{Ranked: []Scored{{Index: 0}, {Index: 1}}}}
	if q.choosePast([]Scored{{Index: 1}}) || q.choosePast(nil) {
		t.Error("a choice of which a part is known is applied")
	}
}
