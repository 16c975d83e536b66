package event

// Outcome is what happened to a prediction: of each type of event, the first that was received.
type Outcome map[string]OutcomeEvent

// OutcomeEvent is when it was first received that something happened to a prediction, when that
// happened, and what it was worth.
type OutcomeEvent struct {
	Received Time
	Time     Time // not after Received
	Value    float64
}
