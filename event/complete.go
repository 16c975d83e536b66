package event

import (
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// MaxAhead is how far the time of an event may lie after its receipt. It is longer than the error
// of a clock that is set to another time zone or day. A time further ahead is refused; a time ahead
// by less is replaced by the receipt.
const MaxAhead = 24 * time.Hour

// Rules that set the time of an event. The rule is empty where the client gave the time.
const (
	TimeReceived = "received" // the client gave none: the time of receipt
	TimeClamped  = "clamped"  // the client's lay after the receipt: the time of receipt
	// the client's, corrected by the error of its clock when it sent the event, at most to the
	// receipt
	TimeSentAt = "sent_at"
)

// Complete fills what an event may leave open, and checks it. An event without a receipt was
// received when it was produced; an event without a time happened when it was received. With
// produced 0 the receipt may stay unknown. The error is that of Validate.
//
// The outcome depends only on the event and on produced, so a reader that reads the topic again
// decides the same. Of a heartbeat only the receipt and the collector are checked.
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

// Settle replaces the receipt of a completed event by the one that its reader has found to be
// right. The time follows: it is the receipt where the client gave none, else the client's time, at
// most the receipt. So the right time of a client survives a collector whose clock is slow.
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
