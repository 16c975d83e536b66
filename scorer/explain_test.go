package scorer

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
)

// explainedAnswer is an answer with explanations, as a client reads it.
type explainedAnswer struct {
	Predictions []struct {
		P       map[string]float64
		Chosen  bool
		Explain map[string]struct {
			Logit, Base, Rest float64
			Calibration       *float64
			Fields            []struct {
				Field string
				Shift float64
			}
		}
	}
}

func explained(t *testing.T, s *Scorer, body string) (a explainedAnswer) {
	t.Helper()
	w := post(s, body, "application/json")
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 200 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return a
}

// The chosen candidates are explained by names; what is named, the base and the rest sum up to the
// logit of the probability in the answer.
func TestAnAnswerExplainsItsChosenPredictions(t *testing.T) {
	s := newScorer(t, nil)
	trained(t, s, 600)
	ask := func(id string, choose, explain int) string {
		return strings.Replace(bidRequest(id, 4), `"user"`, fmt.Sprintf(`"choose":%d,"explain":%d,"user"`, choose, explain), 1)
	}
	for i, c := range []struct{ choose, explain, want int }{{1, 3, 1}, {2, 1, 2}, {0, 32, 1}, {4, 5, 4}} {
		a := explained(t, s, ask(fmt.Sprint("e", i), c.choose, c.explain))
		for k, p := range a.Predictions {
			if (len(p.Explain) == 1) != (k < c.want) {
				t.Fatalf("of %+v prediction %d is explained by %v", c, k, p.Explain)
			}
			if k >= c.want {
				continue
			}
			why, q := p.Explain["click"], p.P["click"]
			sum, last := why.Base+why.Rest, math.Inf(1)
			for _, f := range why.Fields {
				sum += f.Shift
				if math.Abs(f.Shift) > last || f.Field == "" {
					t.Errorf("fields are %v, want names, the largest shift first", why.Fields)
				}
				last = math.Abs(f.Shift)
			}
			if math.Abs(sum-why.Logit) > 1e-9 || math.Abs(1/(1+math.Exp(-why.Logit))-q) > 1e-9 || why.Calibration != nil {
				t.Errorf("%+v sums up to %v for the probability %v", why, sum, q)
			}
			if len(why.Fields) > c.explain || len(why.Fields) == 0 || c.explain < 10 && why.Rest == 0 {
				t.Errorf("%d fields are named and %v is left, want at most %d", len(why.Fields), why.Rest, c.explain)
			}
		}
		if again := explained(t, s, ask(fmt.Sprint("e", i), c.choose, c.explain)); !reflect.DeepEqual(again, a) {
			t.Errorf("sent again, the answer is %v, want %v", again, a)
		}
	}
	if a := explained(t, s, bidRequest("e9", 4)); a.Predictions[0].Explain != nil {
		t.Errorf("without asking, %v is explained", a.Predictions[0].Explain)
	}
}

// What an explanation costs and says is bounded.
func TestExplanationsAreBounded(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxCandidates = 100 })
	trained(t, s, 100)
	for body, reason := range map[string]string{
		`{"explain":33,"candidates":[{"ad":"a1"}]}`:    "is 33, want the number of fields that are named, 0 to 32",
		`{"explain":-1,"candidates":[{"ad":"a1"}]}`:    "is -1",
		`{"explain":"all","candidates":[{"ad":"a1"}]}`: "expected",
	} {
		a := parseAnswer(t, post(s, body, "application/json").Body.Bytes())
		if a.Error.Field != "explain" || !strings.Contains(a.Error.Message, reason) {
			t.Errorf("%s: %+v, want field explain and %q", body, a.Error, reason)
		}
	}
	body := strings.Replace(bidRequest("b", 60), `"user"`, `"choose":50,"explain":32,"user"`, 1)
	body = strings.Replace(body, `"context":{`, fmt.Sprintf(`"context":{%q:1,`, strings.Repeat("n", maxFieldName+1)), 1)
	count := 0
	for _, p := range explained(t, s, body).Predictions {
		if p.Explain != nil {
			count++
		}
		for _, f := range p.Explain["click"].Fields {
			if len(f.Field) > maxFieldName {
				t.Errorf("a name of %d bytes is told", len(f.Field))
			}
		}
	}
	if count != maxExplained {
		t.Errorf("%d predictions are explained, want %d", count, maxExplained)
	}
}

// Without weights there is nothing to explain, and what was added to the logit later is a step of
// its own.
func TestWhatTheNetworkHasNotDoneIsNotExplainedByIt(t *testing.T) {
	s := newScorer(t, nil)
	body := strings.Replace(bidRequest("r", 2), `"user"`, `"explain":3,"user"`, 1)
	if a := explained(t, s, body); a.Predictions[0].Explain != nil {
		t.Errorf("without weights %v is explained", a.Predictions[0].Explain)
	}
	trained(t, s, 100)
	c := read(t, s, bidRequest("r1", 2))
	s.score(t.Context(), c, false)
	s.hold(c, testNow)
	defer c.release()
	q := &c.Requests[0]
	q.Explain = 3
	top := &q.Answer.Ranked[0]
	top.P[0] = 0.75
	s.explain(c, q)
	why := top.Why[0]
	if math.Abs(why.Logit+why.Calibration-math.Log(3)) > 1e-9 || why.Calibration == 0 {
		t.Errorf("%+v does not lead to the probability 0.75", why)
	}
	if text := string(why.appendJSON(nil)); !strings.Contains(text, `"calibration":`) {
		t.Errorf("%s does not tell the calibration", text)
	}
}

// Candidates that are scored together have the probability that their logged features give by
// themselves: with one candidate or many, whatever they override.
func TestCandidatesAreScoredAsTheirFeaturesAreLogged(t *testing.T) {
	s := newScorer(t, nil)
	trained(t, s, 600)
	body := bidRequest("r", 30)
	for i := range 30 {
		override := []string{`"hour":` + fmt.Sprint(i%24), `"device":"tv","x":1`, `"position":1,"hour":3,"os":"ios"`}[i%3]
		body = strings.Replace(body, `{"size":"300x250"}`, `{"format":"wide",`+override+`}`, 1)
	}
	for _, n := range []int{1, 2, 30} {
		c := read(t, s, body)
		q := &c.Requests[0]
		q.Candidates, q.Choose = q.Candidates[:n], n
		s.score(t.Context(), c, false)
		for i := range q.Answer.Ranked {
			scored := &q.Answer.Ranked[i]
			p, err := event.ParsePrediction(c.records[i].Value)
			if err != nil {
				t.Fatal(err)
			}
			r := s.followers[0].replicas.acquire()
			want := r.weights.Predict(features.Encode(nil, p.Features), r.weights.NewScratch())
			r.release()
			if scored.P[0] != want {
				t.Fatalf("candidate %d of %d has %v, its features give %v", scored.Index, n, scored.P[0], want)
			}
		}
	}
}
