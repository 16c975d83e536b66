package ingest

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// clean checks an event that came from outside and fills what it may leave open: an id, without
// which a resend cannot be told from a new event, the time, and the moment of receipt. When times
// are recorded ones, the receipt is kept as given and is otherwise when the event happened.
func clean(e *event.Event, now event.Time, recorded bool) error {
	if e.Type == event.TypeHeartbeat {
		return &event.Error{Field: "type", Reason: "is heartbeat, which only the collector writes"}
	}
	e.Collector, e.Leaving = "", false // of heartbeats alone
	switch {
	case !recorded:
		e.Received = now
	case e.Received == 0:
		e.Received = e.Time
	}
	if err := e.Complete(now); err != nil {
		return err
	}
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	return nil
}

// decode reads a record as the fold takes it, now and when it is read back. Other producers than
// the collector write to the topic as well: an event that does not say when it was received was
// received when it was produced. The clock has no part in it, or a fold that is run again could end
// elsewhere.
func decode(r *stream.Record) (event.Event, error) {
	e, err := event.ParseEvent(r.Value)
	if err != nil {
		return e, err
	}
	return e, e.Complete(event.TimeOf(r.Time))
}

// reader is the clock of whoever folds records now, 0 while times are recorded ones: those are held
// against no clock.
func (c *Clock) reader() event.Time {
	if c.Recorded() {
		return 0
	}
	return c.Now()
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
