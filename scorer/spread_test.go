package scorer

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// logistic is the probability of a logit that lies by above that of p.
func logistic(p, by float64) float64 { return 1 / (1 + (1-p)/p*math.Exp(-by)) }

// A spread follows from the rule of the ranking, whatever that is: without weights the logit of
// each objective deviates by 1.
func TestASpreadFollowsTheValue(t *testing.T) {
	s := twoObjectives(t, func(u *setup) { u.config.Policy = "thompson" })
	const click, conversion = 0.02, 0.003
	f := func(value string, signed bool, score func(click, conversion float64) float64) {
		t.Helper()
		all := predictions(t, s, fmt.Sprintf(`{"request":"r","value":%q,%s}`, value, threeAds))
		high, low := score(logistic(click, 1), logistic(conversion, 1)), score(logistic(click, -1), logistic(conversion, -1))
		want := math.Abs(math.Log(high/low)) / 2
		if signed {
			want = math.Abs(high-low) / 2
		}
		if p := all[0]; p.Policy != "thompson" || math.Abs(p.Score/score(click, conversion)-1) > 1e-9 || math.Abs(p.Spread-want) > 1e-9 {
			t.Errorf("%s: score %v, spread %v, want %v and %v", value, p.Score, p.Spread, score(click, conversion), want)
		}
	}
	f("p.click", false, func(click, _ float64) float64 { return click })
	f("p.click * 0.4 + p.conversion * 30", false, func(click, conversion float64) float64 { return click*0.4 + conversion*30 })
	f("1 - p.click", false, func(click, _ float64) float64 { return 1 - click })
	f("p.click - 0.5", true, func(click, _ float64) float64 { return click - 0.5 })
	f("p.click * p.conversion", false, func(click, conversion float64) float64 { return click * conversion })
}

// Spreads that a rule does not give are none: no number, or none on the other side of zero.
func TestSpreadsAreFinite(t *testing.T) {
	f := func(score, high, low float64, signed bool, want float64) {
		t.Helper()
		if got := spread(score, high, low, signed); math.Abs(got-want) > 1e-12 {
			t.Errorf("around %v, %v and %v: %v, want %v", score, low, high, got, want)
		}
	}
	inf, e := math.Inf(1), math.E
	f(1, e, 1/e, false, 1)
	f(1, 1/e, e, false, 1)
	f(1, e, 0, false, 1)
	f(1, 0, 0, false, 0)
	f(0, 1, 0, false, 0)
	f(1, inf, 1, false, 0)
	f(-1, 1, -2, true, 1.5)
	f(-1, inf, -inf, true, 0)
	f(1, math.NaN(), 1, true, 0)
	if p := moved(nil, []float64{0, 1, 0.5}, []float64{2, 2, 0}, 1); p[0] != 0 || p[1] != 1 || p[2] != 0.5 {
		t.Errorf("certain probabilities move to %v", p)
	}
}

// A choice among what exclusions left is made again.
func TestAChoiceAmongWhatIsLeftIsMadeAgain(t *testing.T) {
	s := twoObjectives(t, nil)
	for i := range 20 {
		all := predictions(t, s, fmt.Sprintf(`{"request":"r%d","policy":"thompson:1","choose":2,"exclude":["a1","a3"],"candidates":[%s]}`, i, ads(7, "")))
		if d, err := Decide(s.cfg.Seed, all); err != nil || !d.Same() || d.Candidates != 5 || strings.Contains("a1 a3", d.Again[0].Ad) {
			t.Errorf("%+v, %v", d, err)
		}
	}
}
