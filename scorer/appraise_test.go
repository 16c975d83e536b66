package scorer

import (
	"testing"

	"github.com/clickloop/clickloop/event"
)

// A caller in process ranks by its own rule, refuses choices, and logs what it acted on.
func TestACallerDecidesAfterTheScores(t *testing.T) {
	e := engine(t, nil)
	var c Call
	worth := []float64{5, 20, 0, 10}
	q := ask(&c, "b1", "a1", "a2", "a3", "a4")
	q.Worth, q.WorthName = func(i int, p []float64) float64 { return worth[i] * min(1, p[0]+1) }, "bid"
	other := ask(&c, "b2", "a1")
	other.Worth, other.WorthName = func(int, []float64) float64 { return 1 }, "bid"
	if err := e.Appraise(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	q, other = &c.Requests[0], &c.Requests[1]
	if len(c.records) != 0 || len(q.Answer.Ranked) != 4 {
		t.Fatalf("%d records and %d ranked before anything was decided", len(c.records), len(q.Answer.Ranked))
	}
	for _, want := range []int{1, 3, 0} {
		if chosen := q.Chosen(); len(chosen) != 1 || chosen[0].Index != want || chosen[0].Propensity != 1 {
			t.Fatalf("%+v is chosen, want candidate %d", chosen, want)
		}
		if want != 0 {
			e.PassOver(&c, q)
		}
	}
	e.PassOver(&c, other)
	if other.Answer.Chosen != 0 {
		t.Fatalf("%+v is chosen of no candidate", other.Answer.Ranked)
	}
	if !e.HasRoom() || !e.Log(t.Context(), &c) {
		t.Fatal("there is no room")
	}
	if len(c.records) != 1 {
		t.Fatalf("%d records, want that of b1", len(c.records))
	}
	var p event.Prediction
	if err := p.UnmarshalJSON(c.records[0].Value); err != nil {
		t.Fatal(err)
	}
	if p.ID != event.PredictionID("b1", 0) || p.Ad != "a1" || p.Value != "bid" || p.Score != 5 || p.Excluded != 2 || len(p.Others) != 1 || p.Others[0].Ad != "a3" {
		t.Errorf("the prediction is %s", c.records[0].Value)
	}
	if _, err := Decide(1, []event.Prediction{p}); err == nil {
		t.Error("the choice of a bid is made again")
	}
	c.Reset()
	if ask(&c, "b1", "a1", "a2"); e.Answer(t.Context(), &c) != nil || c.Requests[0].Answer.Err != nil || c.Requests[0].Answer.Repeated {
		t.Errorf("an appraisal is remembered, or the call is not usable again: %+v", c.Requests[0].Answer)
	}
}
