package scorer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// predictions scores a request and returns what goes to the topic, with the records.
func predictions(t *testing.T, s *Scorer, body string) []event.Prediction {
	t.Helper()
	c := read(t, s, body)
	s.score(t.Context(), c, false)
	if err := c.Requests[0].Answer.Err; err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var all []event.Prediction
	for _, r := range c.records {
		p, err := event.ParsePrediction(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Key) != p.ID || string(r.Place) != p.Request || r.Partition != -1 {
			t.Errorf("the record of %s has key %s and place %s, want the id and the request", p.ID, r.Key, r.Place)
		}
		all = append(all, p)
	}
	return all
}

// ads are the names of candidates from a0 on, whose values rise.
func ads(n int, change string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"ad":"a%d","campaign":"c%d","value":%d%s},`, i, i%3, i+1, change)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestPredictionsNameTheCandidatesThatWereNotChosen(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxOthers = 3; u.objective = []string{"click", "conversion"} })
	f := func(n, choose int, want string) {
		t.Helper()
		all := predictions(t, s, fmt.Sprintf(`{"request":"r","choose":%d,"candidates":[%s]}`, choose, ads(n, "")))
		if len(all) != choose {
			t.Fatalf("%d predictions, want %d", len(all), choose)
		}
		for _, p := range all {
			got := fmt.Sprint(p.OthersCount, p.OthersHash != "")
			for _, o := range p.Others {
				got += " " + o.Ad + o.Campaign
				if len(o.P) != 2 || o.P[0] != (event.ObjectiveP{Objective: "click", P: 0.01}) || o.P[1].Objective != "conversion" {
					t.Errorf("probabilities of %s are %+v", o.Ad, o.P)
				}
			}
			if got != want {
				t.Errorf("%d candidates, %d chosen, prediction %s has others %s, want %s", n, choose, p.ID, got, want)
			}
		}
	}
	f(1, 1, "0 false")
	f(2, 1, "0 false a0c0")
	f(4, 1, "0 false a2c2 a1c1 a0c0")
	f(5, 2, "0 false a2c2 a1c1 a0c0")
	f(5, 1, "4 true")
	f(3, 3, "0 false")
	s.cfg.MaxOthers = 0
	f(2, 1, "1 true")
}

// The hash is of the candidates, not of their order, and tells one set from another.
func TestTheHashOfOthersTellsSetsApart(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxOthers = 0 })
	hash := func(candidates string) string {
		t.Helper()
		return predictions(t, s, `{"candidates":[{"ad":"best","value":9},`+candidates+`]}`)[0].OthersHash
	}
	same := hash(`{"ad":"a","value":2},{"ad":"b"}`)
	if len(same) != 16 || hash(`{"ad":"b"},{"ad":"a"}`) != same {
		t.Errorf("the hash %s depends on the order", same)
	}
	for _, other := range []string{`{"ad":"a"},{"ad":"c"}`, `{"ad":"a"}`, `{"ad":"a","campaign":"b"},{"ad":"b"}`, `{"ad":"a"},{"ad":"b"},{"ad":"b"}`} {
		if hash(other) == same {
			t.Errorf("%s has the hash of other candidates", other)
		}
	}
}

// Candidates that were not chosen never make a prediction too long: it has their number instead.
func TestOthersGiveWayWhereAPredictionWouldBeTooLong(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxOthers = 200 })
	long := strings.Repeat("x", 240)
	p := predictions(t, s, fmt.Sprintf(`{"context":{"a":"%s"},"candidates":[%s]}`, strings.Repeat("y", 15_000), ads(30, "")+strings.Repeat(`,{"ad":"`+long+`"}`, 30)))[0]
	if p.OthersCount != 59 || p.OthersHash == "" || len(p.Others) != 0 {
		t.Errorf("%d others, count %d, hash %q", len(p.Others), p.OthersCount, p.OthersHash)
	}
}

// A prediction belongs to its candidate, wherever that stands in the ranking: a click on it must
// not go to another ad.
func TestPredictionsAreNumberedByCandidate(t *testing.T) {
	s := newScorer(t, nil)
	const body = `{"request":"r","choose":2,"candidates":[{"ad":"a0","value":1,"context":{"n":0}},{"ad":"a1","value":5,"context":{"n":1}},{"ad":"a2","value":2,"context":{"n":2}}]}`
	want := map[string]string{"r.0": "a0", "r.1": "a1", "r.2": "a2"}
	a := parseAnswer(t, post(s, body, "").Body.Bytes())
	for i, place := range []string{"r.1", "r.2", "r.0"} {
		if p := a.Predictions[i]; p.Prediction != place || p.Ad != want[place] || p.Chosen != (i < 2) {
			t.Errorf("place %d of the answer is %+v, want %s", i, p, place)
		}
	}
	all := predictions(t, newScorer(t, nil), body)
	if len(all) != 2 || all[0].ID != "r.1" || all[1].ID != "r.2" {
		t.Fatalf("predictions %+v", all)
	}
	for _, p := range all {
		n, _ := p.Features.Lookup("n")
		if p.Ad != want[p.ID] || "a"+n.Text() != p.Ad {
			t.Errorf("prediction %s is of ad %s with the features of a%s", p.ID, p.Ad, n.Text())
		}
	}
}

// Predictions carry a hash of their choice. It is the same for the same question, and differs for
// another question and when other candidates were chosen.
func TestPredictionsCarryTheirChoice(t *testing.T) {
	s := newScorer(t, nil)
	choice := func(body string) string {
		t.Helper()
		all := predictions(t, s, body)
		for _, p := range all {
			if p.Choice != all[0].Choice || len(p.Choice) != 16 {
				t.Errorf("predictions of one request have the choices %q and %q", all[0].Choice, p.Choice)
			}
		}
		return all[0].Choice
	}
	const body = `{"request":"r","choose":2,"candidates":[{"ad":"a","value":3},{"ad":"b","value":2},{"ad":"c"}]}`
	want := choice(body)
	if choice(body) != want {
		t.Error("the same request has another choice")
	}
	q := &read(t, s, body).Requests[0]
	for i, chosen := range [][]int{{0, 1}, {1, 0}, {0, 2}, {1, 2}} {
		if got := choiceOf(q.claim.content, chosen).String(); (got == want) != (i < 2) {
			t.Errorf("choosing %v makes the choice %s, that of 0 and 1 is %s", chosen, got, want)
		}
	}
	if choice(strings.Replace(body, `"c"`, `"d"`, 1)) == want {
		t.Error("other candidates have the same choice")
	}
}
