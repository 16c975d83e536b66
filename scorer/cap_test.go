package scorer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// naive is what the caps mean: the candidates in order, one after another, that exceed no cap.
func naive(q *Request, order []int) (chosen []int) {
	counts := map[string]int{}
	for _, index := range order {
		if len(chosen) == q.Choose {
			break
		}
		c := &q.Candidates[index]
		var keys []string
		fits := true
		for i, limit := range q.Caps {
			values := map[string]bool{}
			switch v, _ := c.Context.Lookup(limit.Field); {
			case limit.Field == "ad":
				values[c.Ad] = true
			case limit.Field == "campaign":
				values[c.Campaign] = c.Campaign != ""
			case v.Kind == event.List:
				for _, t := range v.List {
					values[t.Token] = true
				}
			case v.Kind != event.Null:
				values[fmt.Sprint(v)] = true
			}
			for value, has := range values {
				if key := fmt.Sprint(i, value); has {
					keys = append(keys, key)
					fits = fits && counts[key] < limit.Most
				}
			}
		}
		if fits {
			chosen = append(chosen, index)
			for _, key := range keys {
				counts[key]++
			}
		}
	}
	return chosen
}

// cappedRequest has up to 12 candidates in a random ranking, with up to three caps.
func cappedRequest(random *rand.Rand, id int) *Request {
	q := &Request{ID: fmt.Sprint("r", id), Choose: 2 + random.IntN(5)}
	for i := range 2 + random.IntN(11) {
		c := q.Add()
		c.Ad = fmt.Sprint("a", random.IntN(9))
		c.Campaign = []string{"", "c1", "c2", "c3"}[random.IntN(4)]
		if random.IntN(3) > 0 {
			c.Context = event.Fields{{Name: "shop", Value: event.Value{Kind: event.Number, Num: float64(random.IntN(3))}}}
		}
		tags := event.Value{Kind: event.List}
		for range random.IntN(4) {
			tags.List = append(tags.List, event.WeightedToken{Token: string(rune('a' + random.IntN(4))), Weight: 1})
		}
		c.Context = append(c.Context, event.Field{Name: "tags", Value: tags})
		q.Answer.Ranked = append(q.Answer.Ranked, Scored{Index: i})
	}
	random.Shuffle(len(q.Answer.Ranked), func(i, j int) {
		q.Answer.Ranked[i], q.Answer.Ranked[j] = q.Answer.Ranked[j], q.Answer.Ranked[i]
	})
	for _, name := range []string{"campaign", "ad", "shop", "tags"} {
		if random.IntN(2) == 0 {
			q.Caps = append(q.Caps, Cap{Field: name, Most: 1 + random.IntN(3)})
		}
	}
	return q
}

func indicesOf(ranked []Scored) (all []int) {
	for _, s := range ranked {
		all = append(all, s.Index)
	}
	return all
}

// The chosen ones are those that the definition gives, and a propensity is the share of the first
// places with which the definition gives the candidate.
func TestCapsHoldAndPropensitiesUnderThemAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var c Call
	binding, fewer := 0, 0
	for i := range 3000 {
		q := cappedRequest(random, i)
		n := len(q.Candidates)
		q.Choose = min(q.Choose, n)
		order := indicesOf(q.Answer.Ranked)
		cfg := Config{Seed: uint64(i), Epsilon: []float64{0, 0.3, 1}[i%3]}
		e := Engine{cfg: cfg, policy: policyOf(&cfg), greedy: greedy()}
		e.choose(&c, q, e.policy)

		best := naive(q, order)
		want := map[int]float64{}
		for _, index := range best {
			want[index] += 1 - cfg.Epsilon
		}
		possible := [][]int{best}
		for first := range order {
			explored := naive(q, append([]int{order[first]}, slices.Delete(slices.Clone(order), first, first+1)...))
			for _, index := range explored {
				want[index] += cfg.Epsilon / float64(n)
			}
			possible = append(possible, explored)
		}
		got := indicesOf(q.Chosen())
		if cfg.Epsilon == 0 {
			possible = possible[:1]
		}
		if !slices.ContainsFunc(possible, func(p []int) bool { return slices.Equal(p, got) }) {
			t.Fatalf("request %d, ranking %v, caps %v: chosen are %v, want one of %v", i, order, q.Caps, got, possible)
		}
		for _, s := range q.Answer.Ranked {
			if math.Abs(s.Propensity-want[s.Index]) > 1e-12 {
				t.Fatalf("request %d: the propensity of %d is %v, want %v", i, s.Index, s.Propensity, want[s.Index])
			}
		}
		var rest []int
		for _, index := range order {
			if !slices.Contains(got, index) {
				rest = append(rest, index)
			}
		}
		if behind := indicesOf(q.Answer.Ranked[q.Answer.Chosen:]); !slices.Equal(behind, rest) {
			t.Fatalf("request %d: behind the chosen ones are %v, want %v", i, behind, rest)
		}
		if !slices.Equal(best, order[:q.Choose]) {
			binding++
		}
		if len(best) < q.Choose {
			fewer++
		}
	}
	if binding < 500 || fewer < 100 {
		t.Errorf("%d of 3000 requests are capped, %d get fewer than they ask for", binding, fewer)
	}
}

// How often candidates are chosen agrees with their propensities.
func TestCandidatesUnderCapsAreChosenAsOftenAsPromised(t *testing.T) {
	cfg := Config{Epsilon: 0.5, Seed: 3}
	e := Engine{cfg: cfg, policy: policyOf(&cfg), greedy: greedy()}
	var c Call
	const n, rounds = 6, 50_000
	var difference, variance [n]float64
	for i := range rounds {
		q := Request{ID: fmt.Sprint("r", i), Choose: 3, Caps: []Cap{{"campaign", 1}}}
		for j := range n {
			q.Add().Campaign = []string{"x", "x", "y", "", "y", "x"}[j]
			q.Answer.Ranked = append(q.Answer.Ranked, Scored{Index: j})
		}
		e.choose(&c, &q, e.policy)
		for rank, s := range q.Answer.Ranked {
			difference[s.Index] -= s.Propensity
			variance[s.Index] += s.Propensity * (1 - s.Propensity)
			if rank < q.Answer.Chosen {
				difference[s.Index]++
			}
		}
	}
	for j := range n {
		if d := difference[j]; d*d > 16*variance[j]+1e-6 {
			t.Errorf("candidate %d was chosen %.0f times more than promised", j, d)
		}
	}
}

func TestCapsOfARequest(t *testing.T) {
	s := newScorer(t, nil)
	f := func(rest, want, warns string) {
		t.Helper()
		body := `{` + rest + `,"candidates":[{"ad":"a","value":9,"campaign":"c1","context":{"shop":1,"geo":{"city":"x"}}},{"ad":"b","value":8,"campaign":"c1","context":{"shop":1}},
			{"ad":"c","value":7,"campaign":"c1","context":{"shop":2}},{"ad":"d","value":6,"context":{"shop":2,"tags":["t","u"]}},{"ad":"e","value":5,"context":{"tags":["u"]}}]}`
		a := parseAnswer(t, post(s, body, "").Body.Bytes())
		got := ""
		for _, p := range a.Predictions {
			if p.Chosen {
				got += p.Ad
			}
		}
		if got != want || warned(a) != warns {
			t.Errorf("%s: chosen are %s, want %s; warnings %v, want %s", rest, got, want, a.Warnings, warns)
		}
	}
	f(`"choose":3,"cap":{"field":"campaign","most":1}`, "ade", "") // d and e have no campaign
	f(`"choose":3,"cap":{"field":"campaign","most":2}`, "abd", "")
	f(`"choose":9,"cap":{"field":"campaign","most":2}`, "abde", "") // fewer than asked for
	f(`"choose":3,"cap":[{"field":"campaign","most":2},{"field":"shop","most":1}]`, "ace", "")
	f(`"choose":5,"cap":{"field":"tags","most":1}`, "abcd", "")
	f(`"choose":1,"cap":{"field":"campaign","most":1}`, "a", "")
	f(`"choose":0,"cap":{"field":"campaign","most":1}`, "", "")
	f(`"choose":2,"cap":[]`, "ab", "")
	f(`"choose":2,"cap":null`, "ab", "")
	f(`"choose":2,"cap":{"field":"ad","most":1}`, "ab", "")
	f(`"choose":5,"cap":{"field":"geo.city","most":1}`, "abcde", "")
	f(`"choose":2,"cap":{"field":"shops","most":1}`, "ab", "cap>shop")
	f(`"choose":2,"cap":{"field":"none","most":1,"least":1}`, "ab", "cap.least cap")
	f(`"choose":2,"exclude":["a"],"cap":{"field":"campaign","most":1}`, "bd", "")
}

// The choice under caps is found again on the topic by another process.
func TestAPastChoiceUnderCapsIsWhole(t *testing.T) {
	body := `{"request":"r","choose":3,"cap":{"field":"campaign","most":1},"candidates":[{"ad":"a","campaign":"c"},{"ad":"b","campaign":"c"},{"ad":"d","campaign":"c"},{"ad":"e","value":0.5}]}`
	pasts := map[string]*past{}
	for _, p := range predictions(t, newScorer(t, nil), body) {
		addPast(pasts, p.AppendJSON(nil))
	}
	if got := len(pasts["r"].answer.Ranked); got != 2 {
		t.Fatalf("%d are chosen, want 2", got)
	}
	s := newScorer(t, nil)
	s.memory.remember(pasts["r"])
	// by this process's weights the order would be another
	again := chosenAds(t, s, strings.Replace(body, `"value":0.5`, `"value":3`, 1))
	if want := "a e"; again != want {
		t.Errorf("chosen are %s, want %s", again, want)
	}
}

// chosenAds are the ads that a whole call chooses.
func chosenAds(t *testing.T, s *Scorer, body string) string {
	t.Helper()
	var ads []string
	for _, p := range parseAnswer(t, post(s, body, "").Body.Bytes()).Predictions {
		if p.Chosen {
			ads = append(ads, p.Ad)
		}
	}
	return strings.Join(ads, " ")
}

// A policy that cannot tell its propensities under caps is refused by name, unless one is chosen.
func TestAPolicyWithoutPropensitiesUnderCapsIsRefused(t *testing.T) {
	s := newScorer(t, nil)
	s.policy = &policy{text: "lottery", choose: chooseBest}
	body := `{"choose":2,"cap":{"field":"campaign","most":1},"candidates":[{"ad":"a"},{"ad":"b"},{"ad":"c"}]}`
	w := post(s, body, "")
	if a := parseAnswer(t, w.Body.Bytes()); w.Code != 400 || a.Error.Field != "cap" || !strings.Contains(a.Error.Message, "policy lottery") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := post(s, strings.Replace(body, `"choose":2`, `"choose":1`, 1), ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// BenchmarkCaps chooses half of a thousand candidates of a hundred campaigns.
func BenchmarkCaps(b *testing.B) {
	for _, epsilon := range []float64{0, 0.1} {
		for _, choose := range []int{20, 500} {
			b.Run(fmt.Sprintf("epsilon=%v/choose=%d", epsilon, choose), func(b *testing.B) {
				cfg := Config{Epsilon: epsilon}
				e := Engine{cfg: cfg, policy: policyOf(&cfg), greedy: greedy()}
				var c Call
				q := &Request{ID: "r", Choose: choose, Caps: []Cap{{"campaign", 1 + choose/100}}}
				for i := range 1000 {
					q.Add().Campaign = fmt.Sprint("c", i%100)
					q.Answer.Ranked = append(q.Answer.Ranked, Scored{Index: i})
				}
				b.ReportAllocs()
				for b.Loop() {
					e.choose(&c, q, e.policy)
				}
			})
		}
	}
}
