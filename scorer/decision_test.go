package scorer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// candidates are n ads in JSON; some have been learned, and two have one value.
func candidatesOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"ad":"a%d","value":%v},`, i*37%97, 1+float64(i/2)/10)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// What stands on the topic, the request's id and the seed make the same choice again, for every
// policy and number of chosen candidates.
func TestAChoiceIsMadeAgainFromTheTopic(t *testing.T) {
	s := runScorer(t, backend.Kafka(t), backend.Prefix(t), func(u *setup) { u.config.Seed = 42 })
	prefers(t, s, likeable(t), "a1")
	policies := []string{"epsilon:0.5", "softmax:0.3", "thompson", "thompson:1"}
	for i := range 40 {
		body := fmt.Sprintf(`{"request":"r%d","policy":%q,"choose":%d,"candidates":[%s]}`, i, policies[i%len(policies)], 1+i/8, candidatesOf(8))
		if w := post(s, body, ""); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	byRequest := map[string][]event.Prediction{}
	for _, r := range logged(t, s) {
		p, err := event.ParsePrediction(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		byRequest[p.Request] = append(byRequest[p.Request], p)
	}
	differ := 0
	for request, all := range byRequest {
		d, err := Decide(42, all)
		if err != nil || !d.Same() || d.Candidates != 8 {
			t.Errorf("%s: %+v, %v", request, d, err)
		}
		if d, err = Decide(43, all); err != nil || !d.Same() {
			differ++
		}
	}
	if len(byRequest) != 40 || differ < 10 {
		t.Errorf("%d choices are logged, %d differ by another seed", len(byRequest), differ)
	}
}

// Where the log does not suffice, the error says what is missing.
func TestAChoiceThatCannotBeMadeAgainSaysWhy(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxOthers = 3 })
	f := func(want string, all []event.Prediction) {
		t.Helper()
		if _, err := Decide(1, all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	make := func(policy string, n, k int) []event.Prediction {
		t.Helper()
		return predictions(t, s, fmt.Sprintf(`{"request":"r","policy":%q,"choose":%d,"candidates":[%s]}`, policy, k, ads(n, "")))
	}
	f("is empty", nil)
	f("by the policy greedy, which leaves nothing to chance", make("greedy", 3, 1))
	f("5 candidates that are counted and not listed (others_count): raise scorer.max_others", make("softmax:1", 6, 1))
	all := make("softmax:1", 5, 2)
	if d, err := Decide(1, all); err != nil || !d.Same() {
		t.Fatal(d, err)
	}
	f("candidate", all[:1])
	old := slices.Clone(all)
	old[0].Policy = "epsilon"
	f("did not log the parameter", old)
	old[0].Policy = "best"
	f(policyForms, old)
	other := slices.Clone(all)
	other[1].Choice = "0"
	f("are of two choices", other)
	other[1] = all[1]
	other[1].ID = "r.x"
	f("no index", other)
	moved := slices.Clone(all)
	moved[0].Propensity += 1e-6
	if d, err := Decide(1, moved); err != nil || d.Same() {
		t.Error("another propensity is the same choice")
	}
}

// A request may name its own policy, which is logged with its parameter and what it chose by. A
// greedy choice logs nothing more than before.
func TestARequestNamesItsPolicy(t *testing.T) {
	s := newScorer(t, nil)
	f := func(policy, want string) {
		t.Helper()
		all := predictions(t, s, fmt.Sprintf(`{"request":"r","policy":%q,"candidates":[%s]}`, policy, ads(3, "")))
		if p := all[0]; p.Policy != want || (p.Score > 0) != (want != "greedy") || (p.Spread > 0) != strings.HasPrefix(want, "thompson") || (p.Others[1].Score > 0) != (want != "greedy") {
			t.Errorf("%s: %+v", policy, p)
		}
	}
	f("greedy", "greedy")
	f("softmax:1e-1", "softmax:0.1")
	f("thompson", "thompson")
	f("epsilon:0.25", "epsilon:0.25")
	no := func(policy, want string) {
		t.Helper()
		if w := post(s, fmt.Sprintf(`{"policy":%s,"candidates":[%s]}`, policy, ads(3, "")), ""); w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", policy, w.Code, w.Body)
		}
	}
	no(`"best"`, `policy is \"best\", want greedy, epsilon:SHARE`)
	no(`""`, "policy is empty, want greedy")
	no(`{"name":"greedy"}`, "policy is an object")
}

// More than a policy can choose, and weights that do not know how uncertain they are, are left to
// the greedy policy. The prediction says so.
func TestTheGreedyPolicyTakesThePlaceOfAnother(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.Policy = "thompson" })
	policyOf := func(n, choose int) string {
		return predictions(t, s, fmt.Sprintf(`{"request":"r","choose":%d,"candidates":[%s]}`, choose, ads(n, "")))[0].Policy
	}
	if got := policyOf(40, mostDrawn) + policyOf(40, mostDrawn+1); got != "thompsongreedy" {
		t.Errorf("32 and 33 are chosen by %s", got)
	}
	c := model.DefaultConfig()
	c.Network = []string{"linear"}
	src := newSource(t, 1, c)
	var records []stream.Record
	records = append(records, src.message("snapshot")...)
	if err := s.followers[0].acceptAll(records); err != nil {
		t.Fatal(err)
	}
	if got := policyOf(3, 1); got != "greedy" {
		t.Errorf("without deviations %s chooses", got)
	}
}
