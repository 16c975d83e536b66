package scorer

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
)

// twoObjectives is a scorer without weights: p.click is 0.02 and p.conversion 0.003.
func twoObjectives(t testing.TB, change func(*setup)) *Scorer {
	t.Helper()
	return newScorer(t, func(u *setup) {
		u.config.Prior, u.priors, u.objective = 0.02, map[string]float64{"conversion": 0.003}, []string{"click", "conversion"}
		if change != nil {
			change(u)
		}
	})
}

// scoresOf are the ads of an answer with their scores, in their order.
func scoresOf(t testing.TB, s *Scorer, body string) string {
	t.Helper()
	w := post(s, body, "")
	var a struct {
		Predictions []struct {
			Ad    string
			Score *float64
			P     map[string]float64
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
		t.Fatalf("%s: %d %s", body, w.Code, w.Body)
	}
	var all []string
	for _, p := range a.Predictions {
		text := p.Ad
		if p.Score != nil {
			text += fmt.Sprintf(":%.6g", *p.Score)
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

const threeAds = `"context":{"budget":2,"geo":{"country":"DE"}},"candidates":[
	{"ad":"a","campaign":"c1","context":{"margin":10}},{"ad":"b","campaign":"c2","value":3,"context":{"margin":30}},{"ad":"c","value":2,"context":{"margin":20,"label":"x"}}]`

func TestAValueExpressionRanks(t *testing.T) {
	s := twoObjectives(t, nil)
	for value, want := range map[string]string{
		``: "b c a", // the probability of the first objective times the value
		`p.click * 0.40 + p.conversion * candidate.margin`:                "b:0.098 c:0.068 a:0.038",
		`p.conversion * (candidate.label == nil ? candidate.margin : 90)`: "c:0.27 b:0.09 a:0.03",
		`p.click * candidate.value`:                                       "b:0.06 c:0.04 a:0.02",
		`candidate.campaign == "c1" ? 1 : 0`:                              "",
		`(candidate.campaign ?? "none") in ["c1", "none"] ? p.click : 0`:  "a:0.02 c:0.02 b:0",
		`candidate.ad == "c" ? -1 : 1`:                                    "a:1 b:1 c:-1",
		`context.geo.country == "DE" ? context.budget : 0`:                "a:2 b:2 c:2",
		`-p.click`: "a:-0.02 b:-0.02 c:-0.02",
	} {
		body := "{" + threeAds + "}"
		if value != "" {
			text, _ := json.Marshal(value)
			body = fmt.Sprintf(`{"value":%s,%s}`, text, threeAds)
		}
		if want == "" {
			if w := post(s, body, ""); w.Code != 400 || !strings.Contains(w.Body.String(), "value has no result for candidates[2] (ad c), at column 1: candidate.campaign is missing; where it may be, write candidate.campaign ?? DEFAULT") {
				t.Errorf("%s: %d %s", value, w.Code, w.Body)
			}
			continue
		}
		if got := scoresOf(t, s, body); got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
}

// What a request asks for is computed, answered and logged, and nothing else.
func TestObjectivesAreScoredAsAsked(t *testing.T) {
	f := func(objectives, want string) {
		t.Helper()
		s := twoObjectives(t, nil)
		body := fmt.Sprintf(`{"request":"r",%s"candidates":[{"ad":"a"},{"ad":"b","value":2}]}`, objectives)
		text := post(s, body, "").Body.String()
		_, p, _ := strings.Cut(text, `"p":{`)
		p, _, _ = strings.Cut(p, "}")
		if p != want {
			t.Errorf("%s is answered with %s, want %s", objectives, p, want)
		}
		logged := predictions(t, twoObjectives(t, nil), body)[0]
		got := ""
		for _, o := range logged.P {
			got += fmt.Sprintf(`,"%s":%v`, o.Objective, o.P)
		}
		if strings.TrimPrefix(got, ",") != want || len(logged.Others[0].P) != len(logged.P) {
			t.Errorf("%s is logged with %s, want %s", objectives, got, want)
		}
	}
	f(``, `"click":0.02,"conversion":0.003`)
	f(`"objectives":null,`, `"click":0.02,"conversion":0.003`)
	f(`"objectives":["click"],`, `"click":0.02`)
	f(`"objectives":["conversion"],`, `"conversion":0.003`)
	f(`"objectives":["conversion","click"],`, `"conversion":0.003,"click":0.02`)
	// the first of them ranks
	c := read(t, twoObjectives(t, nil), `{"objectives":["conversion"],"candidates":[{"ad":"a"}]}`)
	s := twoObjectives(t, nil)
	c.begin(s.Engine)
	if s.score(t.Context(), c, false); c.Requests[0].Answer.Ranked[0].Score != 0.003 {
		t.Errorf("%+v", c.Requests[0].Answer)
	}
}

// Weights of an objective that is not asked for are not part of the answer.
func TestTheModelIsThatOfTheObjectivesThatAreAskedFor(t *testing.T) {
	s := twoObjectives(t, nil)
	trained(t, s, 10) // of click
	f := func(objectives, model, degraded string) {
		t.Helper()
		a := parseAnswer(t, post(s, `{"objectives":[`+objectives+`],"candidates":[{"ad":"a"}]}`, "").Body.Bytes())
		if got := fmt.Sprint(a.Model); !strings.Contains(got, model) || strings.Join(a.Degraded, "") != degraded {
			t.Errorf("%s: model %s, degraded %v", objectives, got, a.Degraded)
		}
	}
	f(`"click"`, "map[click:", "")
	f(`"conversion"`, "map[]", "model")
	f(`"conversion","click"`, "map[click:", "model")
}

func TestTheValueOfTheConfigurationIsTheDefault(t *testing.T) {
	s := twoObjectives(t, func(u *setup) { u.config.Value = "p.conversion * candidate.margin" })
	if got, want := scoresOf(t, s, "{"+threeAds+"}"), "b:0.09 c:0.06 a:0.03"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := scoresOf(t, s, `{"value":"-candidate.margin",`+threeAds+"}"), "a:-10 c:-20 b:-30"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	w := post(s, `{"objectives":["click"],`+threeAds+"}", "")
	if want := "objectives are without conversion, which the value of the configuration (scorer.value) needs"; w.Code != 400 || !strings.Contains(w.Body.String(), want) {
		t.Errorf("%d %s, want %s", w.Code, w.Body, want)
	}
	for value, want := range map[string]string{
		"p.none":      "value at column 1: p.none is not known; known are click, conversion",
		"p.click > 1": "value is a boolean, want a number, such as CONDITION ? 1 : 0",
		"p.click *":   "value at column 10: is not complete: more is expected here",
	} {
		cfg := DefaultConfig()
		cfg.Value = value
		err := cfg.CheckValue([]string{"click", "conversion"})
		if wrong, ok := err.(*field.Error); !ok || wrong.Field != "value" || err.Error() != want {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
}

// The log tells by which expression candidates were ranked, and what it gave for each.
func TestPredictionsExplainTheRanking(t *testing.T) {
	s := twoObjectives(t, nil)
	body := `{"request":"r","choose":2,"value":"p.conversion * candidate.margin","exclude":["x","y"],"cap":[{"field":"campaign","most":1}],"candidates":[
		{"ad":"a","campaign":"c1","context":{"margin":10}},{"ad":"b","campaign":"c2","context":{"margin":30}},
		{"ad":"x","context":{"margin":90}},{"ad":"d","campaign":"c2","context":{"margin":20}}]}`
	all := predictions(t, s, body)
	got := ""
	for _, p := range all {
		got += fmt.Sprintf("%s %s %.3g %d %v; ", p.Ad, p.Value, p.Score, p.Excluded, p.Caps)
		for _, o := range p.Others {
			got += fmt.Sprintf("%s %.3g; ", o.Ad, o.Score)
		}
	}
	want := "b p.conversion * candidate.margin 0.09 1 [{campaign 1}]; d 0.06; a p.conversion * candidate.margin 0.03 1 [{campaign 1}]; d 0.06; "
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	plain := predictions(t, s, `{"candidates":[{"ad":"a"},{"ad":"b"}]}`)[0]
	if line := string(plain.AppendJSON(nil)); strings.Contains(line, "score") || strings.Contains(line, "cap") || strings.Contains(line, "exclude") {
		t.Errorf("%s has what was not asked for", line)
	}
}

// A request that is sent again has its first answer with scores, objectives and all, whatever it
// asks for now.
func TestAnAnswerIsKeptWithItsScores(t *testing.T) {
	s := twoObjectives(t, nil)
	body := func(rest string) string {
		return `{"request":"r","choose":2,"exclude":["z"],"cap":{"field":"campaign","most":1},` + rest + `"candidates":[{"ad":"a","campaign":"c"},{"ad":"z"},{"ad":"b","campaign":"c"},{"ad":"d"}]}`
	}
	first := post(s, body(`"objectives":["conversion"],"value":"p.conversion * 2",`), "").Body.String()
	if again := post(s, body(`"objectives":["conversion"],"value":"p.conversion * 2",`), "").Body.String(); again != first {
		t.Errorf("%s, want %s", again, first)
	}
	changed := post(s, body(``), "").Body.String()
	if !strings.HasPrefix(changed, strings.TrimSuffix(first, "}")) || !strings.Contains(changed, "warnings") {
		t.Errorf("%s, want %s with a warning", changed, first)
	}
	for _, other := range []string{strings.Replace(body(""), `"z"]`, `"a"]`, 1), strings.Replace(body(""), `"most":1`, `"most":2`, 1), strings.Replace(body(""), `"exclude":["z"],`, "", 1)} {
		if w := post(s, other, ""); w.Code != 409 {
			t.Errorf("%s: %d %s", other, w.Code, w.Body)
		}
	}
}

func TestExcludedAdsAreNotScored(t *testing.T) {
	s := twoObjectives(t, nil)
	w := post(s, `{"choose":5,"exclude":["b","none","b"],"value":"1 / candidate.zero","candidates":[{"ad":"a","context":{"zero":1}},{"ad":"b","context":{"zero":0}},{"ad":"b"}]}`, "")
	a := parseAnswer(t, w.Body.Bytes())
	if w.Code != 200 || len(a.Predictions) != 1 || a.Predictions[0].Ad != "a" || !strings.Contains(w.Body.String(), `"excluded":2`) || a.Predictions[0].Prediction != a.Request+".0" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = post(s, `{"exclude":["a"],"candidates":[{"ad":"a"}]}`, "")
	if a := parseAnswer(t, w.Body.Bytes()); w.Code != 200 || len(a.Predictions) != 0 || !strings.Contains(w.Body.String(), `"predictions":[],"excluded":1`) {
		t.Errorf("all are excluded: %d %s", w.Code, w.Body)
	}
	c := read(t, s, `{"exclude":["c","a"],"candidates":[{"ad":"a","context":{"f":0}},{"ad":"b","context":{"f":1}},{"ad":"c","context":{"f":2}},{"ad":"d","context":{"f":3}}]}`)
	s.score(t.Context(), c, false)
	for _, scored := range c.Requests[0].Answer.Ranked {
		if v, _ := s.facts(c, &c.Requests[0], scored.Index).Lookup("f"); v.Num != float64(scored.Index) {
			t.Errorf("candidate %d is logged with the features of %v", scored.Index, v.Num)
		}
	}
}

// The texts of requests are kept up to a bound, and the newest ones are compiled once.
func TestExpressionsAreKeptWithinABound(t *testing.T) {
	k := newValuations([]string{"click"})
	first, err := k.of("p.click + 1")
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for i := range 2000 {
		text := fmt.Sprintf("p.click * %d%s", i, strings.Repeat(" ", 500))
		if _, err := k.of(text); err != nil {
			t.Fatal(err)
		}
		if again, _ := k.of("p.click + 1"); again != first {
			t.Fatalf("an expression in use is compiled again after %d others", i)
		}
		longest = max(longest, len(k.newer)+len(k.older))
	}
	if want := 2 * keptValuations / 500; longest > want {
		t.Errorf("%d expressions are kept, want at most %d", longest, want)
	}
	if _, err := k.of("p.none"); err == nil {
		t.Error("a wrong expression is kept")
	}
}

func TestAnExpressionAllocatesNothingForACandidate(t *testing.T) {
	s := twoObjectives(t, nil)
	c := read(t, s, `{"value":"p.click * 0.40 + p.conversion * (candidate.margin ?? 1) * context.budget",`+threeAds+`}`)
	s.score(t.Context(), c, false)
	q := &c.Requests[0]
	n := testing.AllocsPerRun(100, func() {
		for i := range q.Candidates {
			if _, err := scoreOf(c, q, i, q.Answer.Ranked[0].P); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// Callers in process are told what is wrong as those of HTTP are.
func TestTheEngineRefusesWhatItDoesNotHave(t *testing.T) {
	s := twoObjectives(t, nil)
	var c Call
	q := c.Add()
	q.Add().Ad = "a"
	q.Objectives = append(q.Objectives, "clicks")
	q = c.Add()
	q.Add().Ad = "a"
	if err := s.Answer(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	wrong, ok := c.Requests[0].Answer.Err.(*event.Error)
	if !ok || wrong.Error() != `objectives[0] is "clicks", which is not known; did you mean click?` {
		t.Errorf("%v", c.Requests[0].Answer.Err)
	}
	if c.Requests[1].Answer.Err != nil || len(c.Requests[1].Chosen()) != 1 {
		t.Errorf("%+v", c.Requests[1].Answer)
	}
}

func TestLargeScoresAreRefused(t *testing.T) {
	s := twoObjectives(t, nil)
	w := post(s, fmt.Sprintf(`{"value":"candidate.value * %v","candidates":[{"ad":"a"},{"ad":"b","value":1e10}]}`, math.MaxFloat64/10), "")
	if w.Code != 400 || !strings.Contains(w.Body.String(), "value has no result for candidates[1] (ad b), at column 17: the result is not a finite number") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
