package ingest

import (
	"context"
	"errors"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/collect"
	"github.com/clickloop/clickloop/stream"
)

// accept stamps, checks and writes the events of a delivery, behind them the clock where one is
// posted, then the dead letters. It returns once Kafka has acknowledged all of them. After errAway
// the fate of the events is unknown: the sender repeats them with the same ids.
func (c *collector) accept(ctx context.Context, d *delivery, clock event.Time) (*intake, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Acknowledge)
	defer cancel()
	in, headers := &intake{}, c.events.Headers(ctx)
	queued, err := c.events.Enqueue(ctx, clock, func(now event.Time, recorded bool) []stream.Record {
		in = newIntake(d, now, recorded, c.cfg.MaxAge, func(e *event.Event, value []byte) stream.Record { return c.events.Record(e, value, headers) })
		return in.records
	})
	switch {
	case errors.Is(err, collect.ErrLeaving):
		return in, errEnding
	case err != nil:
		return in, errAway
	}
	err = c.events.Await(ctx, queued)
	var large *stream.TooLargeError
	if errors.As(err, &large) {
		in.rejectTooLarge(large)
		err = nil
	}
	if err == nil && !in.refused() {
		err = c.letters.Write(ctx, in.letters...)
	}
	if err != nil {
		return in, errAway
	}
	c.metrics.accepted.Add(float64(len(in.records)))
	c.metrics.rejected.Add(float64(in.rejected))
	return in, nil
}

// take writes events that another part of this process has made, as accept does those of a
// delivery.
func (c *collector) take(ctx context.Context, events []event.Event) error {
	err := c.events.Take(ctx, events)
	if err == nil {
		c.metrics.accepted.Add(float64(len(events)))
	}
	return err
}
