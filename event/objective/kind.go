// Package objective knows the kinds of objectives. A kind decides when the label of a prediction is
// due, what the label says, and how predictions are measured against labels.
//
// Configuration, feedback, fit and replay ask a Kind and decide nothing of this themselves. So a
// new kind is one file, and one line in the table kinds.
package objective

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/metrics"
)

// Kind is the kind of one objective.
type Kind struct {
	// Check returns an *field.Error that names the first setting that does not suit the kind.
	Check func() error
	// Trigger is event.TriggerPrediction, or the type of the event that makes a prediction an
	// example.
	Trigger string
	// Events are the types or names of the other events that labels are made of.
	Events []string
	// Due is when the label of a prediction is decided, at most the objective's window after the
	// prediction. A later prediction is never due earlier: labels are made in the order of
	// predictions.
	Due func(predicted event.Time) event.Time
	// Final says that a label stays, whatever events come later. The others may be revised.
	Final func(y float64) bool
	// Measure returns a Measure of no examples, for all examples of a window.
	Measure func() Measure
	// Part returns one for a part of them, of which there are many: it keeps less, so it is less
	// exact, and it has neither AUC within users nor calibration and scores in parts.
	Part func() Measure

	// label is the label of a prediction whose trigger has happened.
	label func(find finder) float64
}

// finder finds an event by its type or name among those that count for a label.
type finder func(eventType string) (event.OutcomeEvent, bool)

// Measure adds up how good predictions were.
type Measure struct {
	// Add counts an example, which PointOf makes for all measures at once.
	Add func(x *metrics.Point)
	// Fill sets the counts, metrics and sums of an evaluation. A metric that is undefined stays
	// nil.
	Fill func(v *event.Evaluation)
}

// kinds make the Kind of an objective that is theirs, and nil of another. The first that takes an
// objective has it; happened takes every one.
var kinds = []func(o *event.Objective) *Kind{happened}

// KindOf returns the kind of an objective.
func KindOf(o event.Objective) *Kind {
	for _, kind := range kinds {
		if k := kind(&o); k != nil {
			return k
		}
	}
	panic("BUG: the objective " + o.Name + " is of no kind")
}

// Label decides a prediction that is due. ok says whether its trigger was received by then, so that
// it is an example at all. Events before the prediction count, since clocks differ.
//
// Receipt decides, not the time at which clients say that things happened: what was received by a
// time is a fact of the log, while a click that happened in time and is received later would count
// or not by how long the label happens to wait.
func (k *Kind) Label(predicted event.Time, out event.Outcome) (y float64, ok bool) {
	due := k.Due(predicted)
	return k.decide(received(out, due))
}

// LabelLate is Label for a prediction whose label was held back because events were missing: what
// happened until it was due counts whenever it was received.
func (k *Kind) LabelLate(predicted event.Time, out event.Outcome) (y float64, ok bool) {
	due := k.Due(predicted)
	return k.decide(func(eventType string) (event.OutcomeEvent, bool) {
		e, ok := out[eventType]
		return e, ok && e.Time <= due
	})
}

// Relabel is the label of an example if events count until a later time. Its trigger has happened,
// or it would not be an example.
func (k *Kind) Relabel(until event.Time, out event.Outcome) (y float64) {
	return k.label(received(out, until))
}

func (k *Kind) decide(find finder) (y float64, ok bool) {
	if k.Trigger != event.TriggerPrediction {
		if _, happened := find(k.Trigger); !happened {
			return 0, false
		}
	}
	return k.label(find), true
}

// received finds the events that were received by a time.
func received(out event.Outcome, by event.Time) finder {
	return func(eventType string) (event.OutcomeEvent, bool) {
		e, ok := out[eventType]
		return e, ok && e.Received <= by
	}
}
