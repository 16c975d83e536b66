package ingest

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/collect"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// clean checks an event from outside and fills what it may leave open: the id, without which a
// resend cannot be told from a new event, the time, and the receipt. When times are recorded, the
// receipt is kept as given, and is the time of the event where none is given.
func clean(e *event.Event, now event.Time, recorded bool) error {
	if e.Type == event.TypeHeartbeat {
		return &event.Error{Field: "type", Reason: "is heartbeat, which only the collector writes"}
	}
	e.Collector, e.Leaving = "", false // only heartbeats have these
	if err := collect.Stamp(e, now, recorded); err != nil {
		return err
	}
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	return nil
}

// decode reads a record of the topic events, for the fold and when records are read back. Other
// producers than the collector write to the topic too: an event without a receipt was received when
// it was produced. The clock of this process has no part in it, or a fold that is run again could
// end elsewhere.
func decode(r *stream.Record) (event.Event, error) {
	e, err := event.ParseEvent(r.Value)
	if err != nil {
		return e, err
	}
	return e, e.Complete(event.TimeOf(r.Time))
}
