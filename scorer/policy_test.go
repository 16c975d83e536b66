package scorer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// decisions is how many decisions a test makes of a policy, for each scoring.
func decisions(t *testing.T) int {
	text := os.Getenv("CLICKLOOP_TEST_DECISIONS")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// scoring is candidates' scores and how uncertain they are, the best first.
type scoring struct{ scores, spreads []float64 }

var scorings = map[string]scoring{
	"five":      {[]float64{0.5, 0.33, 0.25, 0.2, 0.17}, []float64{0.1, 0.4, 1, 0, 0.7}},
	"alike":     {[]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1}, []float64{1, 1, 1, 1, 1, 1}},
	"certain":   {[]float64{0.1, 0.1, 0.1}, []float64{0, 0, 0}},
	"far apart": {[]float64{0.9, 0.2, 0.004, 0.0001, 0}, []float64{0.01, 0.5, 2, 3, 1}},
	"signed":    {[]float64{0.2, 0.1, 0, -0.1, -0.3}, []float64{0.1, 0.3, 0.2, 0.5, 0.05}},
	"narrow":    {[]float64{0.031, 0.0301, 0.03, 0.0299, 0.02, 0.02}, []float64{0.02, 0.03, 0.02, 0.01, 1, 0.9}},
}

// ranking is a scoring as a policy gets it. Candidates have other places in the request.
func (s scoring) ranking(dst []Scored) []Scored {
	for i := range s.scores {
		dst = append(dst, Scored{Index: (i*7 + 3) % len(s.scores), Score: s.scores[i], Spread: s.spreads[i]})
	}
	return dst
}

// allPropensities sets the propensities of all candidates, by index, of a decision that was made.
func allPropensities(d *decision, p *policy, dst []float64) {
	for i := range d.ranked {
		dst[d.ranked[i].Index] = d.ranked[i].Propensity
	}
	if !strings.HasPrefix(p.text, "thompson") || d.k == len(d.ranked) {
		return
	}
	byRank := map[int]float64{}
	for i := range d.drawn {
		byRank[d.drawn[i].rank] = d.inclusion(i)
	}
	for i := range len(d.ranked) { // ranks of a scoring follow its order
		dst[(i*7+3)%len(d.ranked)] = byRank[i]
	}
}

// checkPropensities has a policy choose k of the candidates of a scoring many times, and compares
// how often each is chosen with the propensities that the policy gave. It returns the probability
// that chance makes a difference as large: of one chosen candidate by Pearson's statistic, of more
// by the largest difference among the candidates.
func checkPropensities(t *testing.T, text string, s scoring, k, rounds int, seed uint64) float64 {
	t.Helper()
	p, err := parsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	n := len(s.scores)
	var d decision
	var source rand.PCG
	d.random = rand.New(&source)
	chosen, expected, variance, given := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	var ranked []Scored
	for i := range rounds {
		ranked = s.ranking(ranked[:0])
		d.ranked, d.k = ranked, k
		d.decide(p, seed, &source, "request-"+strconv.Itoa(i))
		allPropensities(&d, p, given)
		seen := 0
		for rank, c := range d.ranked {
			seen |= 1 << c.Index
			if rank < k {
				chosen[c.Index]++
				if c.Propensity != given[c.Index] || !(c.Propensity > 0) {
					t.Fatalf("%s: candidate %d was chosen with propensity %v, which is %v", text, c.Index, c.Propensity, given[c.Index])
				}
			}
		}
		if seen != 1<<n-1 {
			t.Fatalf("%s: candidates %b are left of %d", text, seen, n)
		}
		for j, g := range given {
			expected[j] += g
			variance[j] += g * (1 - g)
		}
	}
	if strings.HasPrefix(text, "softmax") { // gives those that are chosen theirs only, always the same
		copy(expected, softmaxOracle(s, p, k, float64(rounds)))
		for j, e := range expected {
			variance[j] = e * (1 - e/float64(rounds))
		}
	}
	return chance(chosen, expected, variance, k)
}

// chance is the probability of a difference as large. Candidates that are expected fewer than five
// times, or left out as seldom, are judged together.
func chance(chosen, expected, variance []float64, k int) float64 {
	pearson, parts, least := 0.0, 0.0, 1.0
	rare, rareExpected := 0.0, 0.0
	for j := range chosen {
		difference := chosen[j] - expected[j]
		if variance[j] < 5 {
			rare += math.Abs(difference)
			rareExpected += variance[j]
			continue
		}
		pearson += difference * difference / expected[j]
		parts++
		least = min(least, distuv.ChiSquared{K: 1}.Survival(difference*difference/variance[j]))
	}
	few := 1.0
	if rareExpected < rare {
		few = math.Exp(rare - rareExpected - rare*math.Log(rare/max(rareExpected, 1e-300))) // Chernoff's bound
	}
	switch {
	case parts == 0:
		return few
	case k == 1 && parts > 1:
		return min(few, distuv.ChiSquared{K: parts - 1}.Survival(pearson))
	}
	return min(1, few, least*parts)
}

// softmaxOracle is how often each candidate is expected among the first k, by going through all
// orders of the first k.
func softmaxOracle(s scoring, p *policy, k int, rounds float64) []float64 {
	d := decision{ranked: s.ranking(nil), k: k}
	temperature, _ := strconv.ParseFloat(strings.TrimPrefix(p.text, "softmax:"), 64)
	d.drawArrivals(temperature)
	total, expected := 0.0, make([]float64, len(d.drawn))
	weights := make([]float64, len(d.drawn))
	for i := range d.drawn {
		weights[i] = math.Exp(d.drawn[i].mean)
		total += weights[i]
	}
	var visit func(left int, rest, probability float64)
	visit = func(left int, rest, probability float64) {
		if left == 0 {
			return
		}
		for i, w := range weights {
			if w > 0 {
				weights[i] = 0
				expected[d.ranked[i].Index] += probability * w / rest * rounds
				left := left - 1
				sum := 0.0
				for _, v := range weights {
					sum += v
				}
				visit(left, sum, probability*w/rest)
				weights[i] = w
			}
		}
	}
	visit(k, total, 1)
	return expected
}

func TestPropensitiesAreTheProbabilitiesOfBeingChosen(t *testing.T) {
	texts := []string{"greedy", "epsilon:0.4", "epsilon:1", "softmax:0.3", "softmax:0.05", "softmax:5", "thompson", "thompson:1"}
	rounds := decisions(t)
	for _, text := range texts {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			for name, s := range scorings {
				for k := 1; k <= len(s.scores); k++ {
					p := checkPropensities(t, text, s, k, rounds/len(s.scores), 11)
					if p < 1e-4 {
						t.Errorf("%s, %d of %s: chance makes such a difference with probability %.2g", text, k, name, p)
					}
					t.Logf("%d of %s: p = %.3f", k, name, p)
				}
			}
		})
	}
}

// The sums and integrals are those of going through all cases.
func TestSoftmaxPropensitiesAreExact(t *testing.T) {
	worst := 0.0
	var d decision
	for name, s := range scorings {
		for _, text := range []string{"softmax:0.001", "softmax:0.01", "softmax:0.2", "softmax:1", "softmax:1000"} {
			p, _ := parsePolicy(text)
			for k := 1; k < len(s.scores); k++ {
				want := softmaxOracle(s, p, k, 1)
				for i := range 20 {
					d.ranked, d.k, d.key = s.ranking(nil), k, fingerprint(i)
					p.choose(&d)
					for _, c := range d.ranked[:k] {
						worst = max(worst, math.Abs(c.Propensity-want[c.Index]))
						if math.Abs(c.Propensity-want[c.Index]) > 1e-8 {
							t.Errorf("%s, %d of %s: candidate %d has propensity %v, want %v", text, k, name, c.Index, c.Propensity, want[c.Index])
						}
					}
				}
			}
		}
	}
	t.Logf("largest error %.2g", worst)
}

// thompsonOracle goes through everything that three candidates can draw.
func thompsonOracle(d *decision, k int) (p [3]float64) {
	var c [3]drawn
	for _, x := range d.drawn {
		c[x.rank] = x
	}
	first := func(a, b int, x, y float64) bool { return x > y || x == y && c[a].lot > c[b].lot }
	mass := func(point int) float64 { return latticeBelow[point+1] - latticeBelow[point] }
	for i := range latticePoints {
		x := c[0].at(i)
		for j := range latticePoints {
			y := c[1].at(j)
			for l := range latticePoints {
				z, m := c[2].at(l), mass(i)*mass(j)*mass(l)
				beaten := [3]int{}
				if first(0, 1, x, y) {
					beaten[1]++
				} else {
					beaten[0]++
				}
				if first(0, 2, x, z) {
					beaten[2]++
				} else {
					beaten[0]++
				}
				if first(1, 2, y, z) {
					beaten[2]++
				} else {
					beaten[1]++
				}
				for at := range p {
					if beaten[at] < k {
						p[at] += m
					}
				}
			}
		}
	}
	return p
}

func TestThompsonPropensitiesAreExact(t *testing.T) {
	p, _ := parsePolicy("thompson:1")
	var d decision
	for seed := range 6 {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		for k := 1; k <= 2; k++ {
			d.ranked, d.k, d.key = nil, k, fingerprint(seed)
			for i := range 3 {
				d.ranked = append(d.ranked, Scored{Index: i, Score: 0.1 + 0.05*r.Float64(), Spread: math.Exp(3*r.Float64() - 3)})
			}
			if seed == 0 {
				d.ranked[1].Score, d.ranked[1].Spread = d.ranked[2].Score, d.ranked[2].Spread
			}
			rank(d.ranked)
			p.choose(&d)
			want := thompsonOracle(&d, k)
			for i := range d.drawn {
				if got := d.inclusion(i); math.Abs(got-want[d.drawn[i].rank]) > 1e-12 {
					t.Errorf("seed %d, %d of 3: candidate %d has propensity %v, want %v", seed, k, i, got, want[d.drawn[i].rank])
				}
			}
		}
	}
	if sum := latticeBelow[latticePoints]; sum != 1 || math.Abs(latticeBelow[33]-latticeBelow[32]-0.0498) > 1e-3 {
		t.Errorf("the lattice is wrong: %v", latticeBelow)
	}
}

// The seed and the request's id decide what a request gets: the same in every process and version.
func TestAChoiceCanBeReplayed(t *testing.T) {
	for text, want := range map[string]string{
		"epsilon:0.5": "0120000200101002000000010000100000010200",
		"softmax:0.5": "2200000210210001111211010010201000100010",
		"thompson:1":  "2200000200000000000011010010001000100000",
		"thompson":    "0000000000000000000000010010000000100000",
	} {
		cfg := Config{Policy: text, Seed: 7}
		e := Engine{cfg: cfg}
		chosen := ""
		for i := range 40 {
			q := Request{ID: fmt.Sprint("r", i), Choose: 1}
			for j := range 3 {
				q.Answer.Ranked = append(q.Answer.Ranked, Scored{Index: j, Score: 1 / float64(j+3), Spread: 0.3})
			}
			e.choose(&Call{}, &q, policyOf(&cfg))
			chosen += fmt.Sprint(q.Chosen()[0].Index)
		}
		if chosen != want {
			t.Errorf("%s chooses %s, want %s", text, chosen, want)
		}
	}
}

// Policies are asked for by a text, and name themselves by the shortest one that means the same.
func TestPoliciesAreNamed(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if p, err := parsePolicy(text); err != nil || p.text != want {
			t.Errorf("%s is %v, %v, want %s", text, p, err, want)
		}
	}
	f("greedy", "greedy")
	f("epsilon:0.050", "epsilon:0.05")
	f("epsilon:0", "epsilon:0")
	f("softmax:1e-1", "softmax:0.1")
	f("thompson", "thompson")
	f("thompson:0.50", "thompson")
	f("thompson:1", "thompson:1")
	no := func(text, want string) {
		t.Helper()
		if _, err := parsePolicy(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strconv.Quote(text)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	no("", policyForms)
	no("ucb", policyForms)
	no("Greedy", policyForms)
	no("greedy:1", "which has no parameter")
	no("epsilon", "such as epsilon:0.1")
	no("epsilon:", "0 to 1")
	no("epsilon:2", "0 to 1")
	no("softmax:0", "0.001 to 1000")
	no("softmax:NaN", "0.001 to 1000")
	no("softmax:hot", "the temperature")
	no("thompson:-1", "0.01 to 100")
	no("thompson:+Inf", "0.01 to 100")
}
