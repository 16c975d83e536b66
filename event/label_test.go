package event

import (
	"testing"
	"time"
)

func TestLabelAsksForTriggerAndPositiveWithinTheWindow(t *testing.T) {
	click := Objective{Name: "click", Trigger: TypeImpression, Positive: TypeClick, Window: time.Second}
	always := Objective{Name: "conversion", Trigger: TriggerPrediction, Positive: TypeConversion, Window: time.Second}
	at := func(types ...any) Outcome {
		out := Outcome{}
		for i := 0; i < len(types); i += 2 {
			out[types[i].(string)] = OutcomeEvent{Received: Time(types[i+1].(int)), Value: 3}
		}
		return out
	}
	f := func(o Objective, out Outcome, wantY float64, wantOK bool) {
		t.Helper()
		y, value, ok := Label(o, 5000, out)
		if y != wantY || ok != wantOK || (y == 1) != (value == 3) {
			t.Errorf("%s %v: y %v value %v ok %v, want y %v ok %v", o.Name, out, y, value, ok, wantY, wantOK)
		}
	}
	f(click, at(), 0, false)
	f(click, at(TypeClick, 5100), 0, false) // a click that nobody saw the ad of
	f(click, at(TypeImpression, 5000), 0, true)
	f(click, at(TypeImpression, 6000), 0, true)
	f(click, at(TypeImpression, 6001), 0, false)
	f(click, at(TypeImpression, 5000, TypeClick, 6000), 1, true)
	f(click, at(TypeImpression, 5000, TypeClick, 6001), 0, true)
	f(click, at(TypeImpression, 4990, TypeClick, 4999), 1, true)
	f(always, nil, 0, true)
	f(always, at(TypeConversion, 6000), 1, true)
	f(always, at(TypeClick, 5500), 0, true)
}
