package event

// Outcome is what happened to a prediction: by type of event, its first occurrence.
type Outcome map[string]OutcomeEvent

// OutcomeEvent is when something first happened to a prediction, and what it was worth.
type OutcomeEvent struct {
	Time  Time
	Value float64
}

// Due is when the label of a prediction made at predicted is decided: when its window has passed.
func (o Objective) Due(predicted Time) Time { return predicted.Add(o.Window) }

// Label decides a prediction that is due. ok says whether its trigger happened within the window, so that it is an example at all; y is 1 when the
// positive event happened within the window, its end included, and value is what that was worth. Events before the prediction count: clocks differ.
func Label(o Objective, predicted Time, out Outcome) (y, value float64, ok bool) {
	due := o.Due(predicted)
	if o.Trigger != TriggerPrediction {
		trigger, happened := out[o.Trigger]
		if !happened || trigger.Time > due {
			return 0, 0, false
		}
	}
	positive, happened := out[o.Positive]
	if happened && positive.Time <= due {
		return 1, positive.Value, true
	}
	return 0, 0, true
}
