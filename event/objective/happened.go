package objective

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/metrics"
)

// happened is the kind of an objective that asks whether something happens: the label is 1 when the
// positive event came within the window, its end included, and 0 otherwise.
func happened(o *event.Objective) *Kind {
	return &Kind{
		Check:   func() error { return checkPositive(o.Positive) },
		Trigger: o.Trigger,
		Events:  []string{o.Positive},
		Due:     func(predicted event.Time) event.Time { return predicted.Add(o.Window) },
		Final:   func(y float64) bool { return y == 1 },
		Measure: probabilities,
		label: func(find finder) float64 {
			if _, ok := find(o.Positive); ok {
				return 1
			}
			return 0
		},
	}
}

func checkPositive(eventType string) error {
	switch eventType {
	case "":
		return field.Wrong("positive", "is empty, want a type of event, such as click")
	case event.TriggerPrediction, event.TypeHeartbeat:
		return field.Wrong("positive", "is %q, want the type of an event that follows a prediction, such as click", eventType)
	}
	return nil
}

// probabilities measures predictions that are probabilities of the label 1.
func probabilities() Measure {
	acc := metrics.New()
	return Measure{Add: acc.Add, Fill: func(v *event.Evaluation) {
		m, sums := acc.Result(), acc.Sums()
		v.Examples, v.Positives = m.Examples, m.Positives
		v.LogLoss, v.NormalizedEntropy, v.AUC = metrics.Defined(m.LogLoss), metrics.Defined(m.NormalizedEntropy), metrics.Defined(m.AUC)
		v.PredictedOverActual, v.ECE = metrics.Defined(m.PredictedOverActual), metrics.Defined(m.ECE)
		v.Weight, v.Predicted, v.Actual, v.LogLossSum = &sums.Weight, &sums.Predicted, &sums.Actual, &sums.Loss
	}}
}
