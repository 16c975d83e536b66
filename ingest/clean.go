package ingest

import (
	"github.com/clickloop/clickloop/event"
	"github.com/google/uuid"
)

// day is how far ahead a client's clock may be before its events are refused.
const day = event.Time(24 * 60 * 60 * 1000)

// verdict is what became of one event of a request.
type verdict struct {
	id     string
	reason string // empty when accepted
	field  string
}

// clean checks an event that came from outside and fills what it may leave open: an id, without which a resend cannot be told from a new event, the
// time, and the moment of receipt, which is kept as given only when times are recorded ones.
func clean(e *event.Event, now event.Time, recorded bool) error {
	if e.Type == event.TypeHeartbeat {
		return &event.Error{Field: "type", Reason: "is heartbeat, which only the collector writes"}
	}
	if !recorded || e.Received == 0 {
		e.Received = now
	}
	if e.Time == 0 {
		e.Time = e.Received
	}
	if ahead := e.Time - now; !recorded && ahead > event.Time(event.MaxAhead.Milliseconds()) && ahead <= day {
		e.Time = e.Received // a clock set to another zone or day: the event is worth more than its time
	}
	against := now
	if recorded {
		against = 0
	}
	if err := e.Validate(against); err != nil {
		return err
	}
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	return nil
}

// key decides the partition: a user's events, and an event and its resend, share one.
func key(e *event.Event) string {
	switch {
	case e.User != "":
		return e.User
	case e.Anonymous != "":
		return e.Anonymous
	}
	return e.ID
}
