package objective

import (
	"errors"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/metrics"
)

var (
	click  = event.Objective{Name: "click", Trigger: event.TypeImpression, Positive: event.TypeClick, Window: time.Second}
	always = event.Objective{Name: "conversion", Trigger: event.TriggerPrediction, Positive: event.TypeConversion, Window: time.Second}
)

// outcome is of types of events and when each was received.
func outcome(types ...any) event.Outcome {
	out := event.Outcome{}
	for i := 0; i < len(types); i += 2 {
		out[types[i].(string)] = event.OutcomeEvent{Received: event.Time(types[i+1].(int))}
	}
	return out
}

func TestLabelAsksForTriggerAndPositiveWithinTheWindow(t *testing.T) {
	f := func(o event.Objective, out event.Outcome, wantY float64, wantOK bool) {
		t.Helper()
		if y, ok := KindOf(o).Label(5000, out); y != wantY || ok != wantOK {
			t.Errorf("%s %v: y %v ok %v, want y %v ok %v", o.Name, out, y, ok, wantY, wantOK)
		}
	}
	f(click, outcome(), 0, false)
	f(click, outcome(event.TypeClick, 5100), 0, false) // a click that nobody saw the ad of
	f(click, outcome(event.TypeImpression, 5000), 0, true)
	f(click, outcome(event.TypeImpression, 6000), 0, true)
	f(click, outcome(event.TypeImpression, 6001), 0, false)
	f(click, outcome(event.TypeImpression, 5000, event.TypeClick, 6000), 1, true)
	f(click, outcome(event.TypeImpression, 5000, event.TypeClick, 6001), 0, true)
	f(click, outcome(event.TypeImpression, 4990, event.TypeClick, 4999), 1, true)
	f(always, nil, 0, true)
	f(always, outcome(event.TypeConversion, 6000), 1, true)
	f(always, outcome(event.TypeClick, 5500), 0, true)
}

func TestALateLabelAsksWhenThingsHappened(t *testing.T) {
	f := func(happened event.Time, wantY float64) {
		t.Helper()
		out := event.Outcome{event.TypeConversion: {Received: 99_000, Time: happened}}
		if y, ok := KindOf(always).LabelLate(5000, out); y != wantY || !ok {
			t.Errorf("happened at %d: y %v ok %v, want y %v", happened, y, ok, wantY)
		}
	}
	f(6000, 1)
	f(6001, 0)
}

func TestANegativeIsRelabelledByWhatComesUntilLater(t *testing.T) {
	k := KindOf(click)
	if k.Final(0) || !k.Final(1) {
		t.Errorf("final: 0 %v, 1 %v; want 1 alone", k.Final(0), k.Final(1))
	}
	f := func(received int, wantY float64) {
		t.Helper()
		if y := k.Relabel(9000, outcome(event.TypeClick, received)); y != wantY {
			t.Errorf("a click at %d: y %v, want %v", received, y, wantY)
		}
	}
	f(9000, 1)
	f(9001, 0)
}

func TestAPositiveThatFollowsNoPredictionIsRefused(t *testing.T) {
	f := func(positive string, want bool) {
		t.Helper()
		o := click
		o.Positive = positive
		err := KindOf(o).Check()
		var wrong *field.Error
		if (err == nil) != want || err != nil && (!errors.As(err, &wrong) || wrong.Field != "positive") {
			t.Errorf("positive %q: %v", positive, err)
		}
	}
	f("click", true)
	f("Signed Up", true)
	f("", false)
	f(event.TriggerPrediction, false)
	f(event.TypeHeartbeat, false)
}

func TestProbabilitiesAreMeasuredAsMetricsDoes(t *testing.T) {
	measure, acc := KindOf(click).Measure(), metrics.New()
	var v event.Evaluation
	if measure.Fill(&v); v.Examples != 0 || v.LogLoss != nil || *v.Weight != 0 {
		t.Errorf("without examples: %+v", v)
	}
	for i := range 100 {
		p, y, w := float64(i)/100, float64(i%7/6), 1+float64(i%3)
		x := PointOf(&event.Example{P: p, Y: y, W: w})
		measure.Add(&x)
		acc.AddPoint(&x)
	}
	measure.Fill(&v)
	m, sums := acc.Result(), acc.Sums()
	if v.Examples != 100 || v.Positives != m.Positives || *v.LogLoss != m.LogLoss || *v.NormalizedEntropy != m.NormalizedEntropy || *v.AUC != m.AUC ||
		*v.PredictedOverActual != m.PredictedOverActual || *v.ECE != m.ECE || *v.Brier != m.Brier || *v.AveragePrecision != m.AveragePrecision || *v.Lift != m.Lift || v.RankError != nil || v.GAUC != nil ||
		len(v.Calibration) != len(m.Parts) || len(v.Scores) != len(event.ScoreEdges)+1 {
		t.Errorf("%+v, want %+v", v, m)
	}
	if got := (metrics.Sums{Weight: *v.Weight, Predicted: *v.Predicted, Actual: *v.Actual, Loss: *v.LogLossSum}); got != sums {
		t.Errorf("sums %+v, want %+v", got, sums)
	}
}
