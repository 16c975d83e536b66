package collect

import (
	"context"
	"errors"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/stream"
)

// Take writes events that this process has made, and returns once Kafka has acknowledged them, for
// which they may wait takeLinger longer than those of clients. It stamps their receipt, unless
// times are recorded: then the receipt is kept, and is the event's time where none is given. An
// event that is not valid is a *event.Error, and none is written then. The other errors are those
// of Enqueue and Await.
func (c *Collector) Take(ctx context.Context, events []event.Event) error {
	var invalid error
	headers := c.Headers(ctx)
	queued, err := c.Enqueue(ctx, 0, func(now event.Time, recorded bool) []stream.Record {
		records := make([]stream.Record, 0, len(events))
		for i := range events {
			if invalid = Stamp(&events[i], now, recorded); invalid != nil {
				return nil
			}
			records = append(records, c.Record(&events[i], events[i].AppendJSON(nil), headers))
		}
		return records
	})
	if err != nil || invalid != nil {
		return errors.Join(invalid, err)
	}
	return c.batcher.AwaitPatiently(ctx, queued)
}

// Stamp sets the receipt of an event from outside to now, and completes and checks the event. When
// times are recorded, the receipt is kept as given, and is the time of the event where none is
// given.
func Stamp(e *event.Event, now event.Time, recorded bool) error {
	switch {
	case !recorded:
		e.Received = now
	case e.Received == 0:
		e.Received = e.Time
	}
	return e.Complete(now)
}

// Headers are those of the events of a call.
func (c *Collector) Headers(ctx context.Context) []stream.Header {
	return tracing.Headers(ctx, c.headers)
}

// Record is the record of an event, of which value is the JSON.
func (c *Collector) Record(e *event.Event, value []byte, headers []stream.Header) stream.Record {
	return stream.Record{Partition: -1, Key: []byte(key(e)), Value: value, Headers: headers}
}

// key decides the partition: the events of a user share one, and so do an event and its resend.
func key(e *event.Event) string {
	switch {
	case e.User != "":
		return e.User
	case e.Anonymous != "":
		return e.Anonymous
	}
	return e.ID
}
