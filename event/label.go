package event

// Outcome is what happened to a prediction: by type of event, the first that was received.
type Outcome map[string]OutcomeEvent

// OutcomeEvent is when it was first received that something happened to a prediction, when that
// happened, and what it was worth.
type OutcomeEvent struct {
	Received Time
	Time     Time // not after Received
	Value    float64
}

// Due is when the label of a prediction made at predicted is decided: when its window has passed.
func (o Objective) Due(predicted Time) Time { return predicted.Add(o.Window) }

// Label decides a prediction that is due. ok says whether its trigger was received within the
// window, so that it is an example at all; y is 1 when the positive event was, the window's end
// included, and value is what that was worth. Events before the prediction count: clocks differ.
//
// Receipt decides, not the time at which clients say that things happened: what is received by the
// window's end is a fact of the log, while a click that happened in time and is received later
// would count or not by how long the label happens to wait.
func Label(o Objective, predicted Time, out Outcome) (y, value float64, ok bool) {
	return label(o, out, func(e OutcomeEvent) bool { return e.Received <= o.Due(predicted) })
}

// LabelLate is Label for a prediction whose label was held back because events were missing: what
// happened within the window counts whenever it was received.
func LabelLate(o Objective, predicted Time, out Outcome) (y, value float64, ok bool) {
	return label(o, out, func(e OutcomeEvent) bool { return e.Time <= o.Due(predicted) })
}

func label(o Objective, out Outcome, inTime func(OutcomeEvent) bool) (y, value float64, ok bool) {
	if o.Trigger != TriggerPrediction {
		if trigger, happened := out[o.Trigger]; !happened || !inTime(trigger) {
			return 0, 0, false
		}
	}
	if positive, happened := out[o.Positive]; happened && inTime(positive) {
		return 1, positive.Value, true
	}
	return 0, 0, true
}
