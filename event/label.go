package event

// Outcome is what happened to a prediction: by type of event, the first that was received.
type Outcome map[string]OutcomeEvent

// OutcomeEvent is when it was first received that something happened to a prediction, and what it was worth.
type OutcomeEvent struct {
	Received Time
	Value    float64
}

// Due is when the label of a prediction made at predicted is decided: when its window has passed.
func (o Objective) Due(predicted Time) Time { return predicted.Add(o.Window) }

// Label decides a prediction that is due. ok says whether its trigger was received within the window, so that it is an example at all; y is 1 when the
// positive event was, the window's end included, and value is what that was worth. Events before the prediction count: clocks differ.
//
// Receipt decides, not the time at which clients say that things happened: what is received by the window's end is a fact of the log, while a click that
// happened in time and is received later would count or not by how long the label happens to wait.
func Label(o Objective, predicted Time, out Outcome) (y, value float64, ok bool) {
	due := o.Due(predicted)
	if o.Trigger != TriggerPrediction {
		trigger, happened := out[o.Trigger]
		if !happened || trigger.Received > due {
			return 0, 0, false
		}
	}
	positive, happened := out[o.Positive]
	if happened && positive.Received <= due {
		return 1, positive.Value, true
	}
	return 0, 0, true
}
