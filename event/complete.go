package event

import (
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// MaxAhead is how far a client's clock may be ahead of an event's receipt: further than a clock
// that is set to another zone or day. An event that says that it happens later than that is
// refused; one that says that it happens later at all is taken as having just happened.
const MaxAhead = 24 * time.Hour

// Rules by which an event's time was set; empty when it is the client's own as given.
const (
	TimeReceived = "received" // the client gave none: the time of receipt
	TimeClamped  = "clamped"  // the client's lay after the receipt: the time of receipt
	// the client's, moved by what its clock was wrong when it sent the event, at most to the
	// receipt
	TimeSentAt = "sent_at"
)

// Complete fills what an event may leave open, and checks it. It was received when it was produced
// unless it says so itself, and it happened then unless it says that it happened before. With
// produced 0 its receipt stays unknown if it does not say. The error is Validate's.
//
// The outcome depends on the event and produced alone, so whoever reads a topic again decides the
// same. Of a heartbeat, the receipt is all that is checked: it is all that it says.
func (e *Event) Complete(produced Time) error {
	if e.Type == TypeHeartbeat {
		return e.checkHeartbeat()
	}
	if e.Received == 0 {
		e.Received = produced
	}
	switch ahead := e.Time - e.Received; {
	case e.Time == 0:
		e.Time, e.TimeRule = e.Received, TimeReceived
	case e.Received != 0 && ahead > 0 && ahead.Duration() <= MaxAhead:
		if e.TimeRule != TimeSentAt {
			e.OriginalTime, e.TimeRule = e.Time, TimeClamped
		}
		e.Time = e.Received
	}
	return e.Validate(e.Received)
}

// Settle moves an event that was completed to the receipt that the reader has found out, and its
// time with it: the time of receipt where the client gave none, else the client's, at most the
// receipt. So a client's right time survives a collector whose clock is slow.
func (e *Event) Settle(received Time) {
	switch {
	case e.TimeRule == TimeReceived:
		e.Time = received
	case e.TimeRule == TimeClamped && e.OriginalTime != 0:
		e.Time = e.OriginalTime
	case e.TimeRule == "" && e.Time > received:
		e.OriginalTime, e.TimeRule = e.Time, TimeClamped
	}
	e.Time, e.Received = min(e.Time, received), received
}

// checkHeartbeat is Validate for heartbeats.
func (e *Event) checkHeartbeat() error {
	if e.Received <= 0 || e.Received > maxTime {
		return field.Wrong("received", "is missing or no time; expected the time up to which the heartbeat's collector has written all events")
	}
	return checkName("collector", e.Collector, MaxIDBytes)
}
