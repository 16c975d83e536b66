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
		Measure: func() Measure { return probabilities(wholeSize) },
		Part:    func() Measure { return probabilities(metrics.Small) },
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
