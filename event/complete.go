package event

// MaxCorrected is how far ahead of its receipt an event's time may be to count as just received: a clock that is set to another zone or day. What is further
// ahead is refused.
const MaxCorrected = Time(24 * 60 * 60 * 1000)

// Complete fills what an event may leave open, and checks it: when it was received is when it was produced unless it says so itself, and it happened
// then unless it says so, or says that it happens later. The error is Validate's. The outcome depends on the event and produced alone, so whoever reads a topic again decides
// the same.
func (e *Event) Complete(produced Time) error {
	if e.Received == 0 {
		e.Received = produced
	}
	if ahead := e.Time - e.Received; e.Time == 0 || ahead > Time(MaxAhead.Milliseconds()) && ahead <= MaxCorrected {
		e.Time = e.Received
	}
	return e.Validate(e.Received)
}
