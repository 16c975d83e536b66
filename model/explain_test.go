package model

import (
	"math"
	"testing"
)

// A label depends on one of two fields: leaving that one out moves the prediction, the other does
// not; and what a field moves is the difference of the logits.
func TestAPredictionIsExplainedByLeavingFieldsOut(t *testing.T) {
	for _, network := range [][]string{nil, {"linear"}, {"mlp"}, {"linear", "ffm", "mlp"}} {
		n := mustNew(t, func(c *Config) { c.Network = network })
		category := func(field, value uint64) Feature { return Feature{Field: field, Hash: value, Value: 1} }
		s := n.NewScratch()
		for i := range uint64(3000) {
			x := []Feature{category(1, 1+i%2), category(2, 1+i/2%2)}
			if _, err := n.Learn(x, float64(i%2), 1, s); err != nil {
				t.Fatal(err)
			}
		}
		r := NewReplica()
		if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
			t.Fatal(err)
		}
		x := []Feature{category(1, 2), category(2, 1), category(1, 2), {Field: 3, Kind: Missing}}
		got := r.Explain([]Contribution{{9, 9}}, x, s)
		if len(got) != 4 || got[0] != (Contribution{9, 9}) || got[1].Field != 1 || got[2].Field != 2 || got[3] != (Contribution{3, 0}) {
			t.Fatalf("%v: contributions %v, want one of each field behind what was there", network, got)
		}
		want := math.Log(r.Predict(x, s)/(1-r.Predict(x, s))) - math.Log(r.Predict(x[1:2], s)/(1-r.Predict(x[1:2], s)))
		if math.Abs(got[1].Shift-want) > 1e-9 || got[1].Shift < 1 || math.Abs(got[2].Shift) > 0.3*got[1].Shift {
			t.Errorf("%v: contributions %v, want %v of field 1 and little of field 2", network, got, want)
		}
		if a := testing.AllocsPerRun(100, func() { got = r.Explain(got[:0], x, s) }); a != 0 {
			t.Errorf("%v: an explanation allocates %v", network, a)
		}
	}
}

func TestWithoutWeightsNothingIsExplained(t *testing.T) {
	for _, c := range NewReplica().Explain(nil, []Feature{{Field: 1, Hash: 1, Value: 1}}, &Scratch{}) {
		if c != (Contribution{1, 0}) {
			t.Errorf("a replica of nothing says %v", c)
		}
	}
}
