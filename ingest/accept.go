package ingest

import (
	"context"
	"errors"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// accept stamps, checks and writes the events of a delivery, behind them the clock where one is
// posted, then the dead letters. It returns once Kafka has acknowledged all of them. After errAway
// the fate of the events is unknown: the sender repeats them with the same ids.
func (c *collector) accept(ctx context.Context, d *delivery, clock event.Time) (*intake, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Acknowledge)
	defer cancel()
	var beats []stream.Record
	if clock != 0 {
		partitions, err := c.client.Partitions(ctx, event.TopicEvents)
		if err != nil {
			return &intake{}, errAway
		}
		beats = c.heartbeats(partitions, event.Event{Time: clock, Received: clock})
	}
	in, queued, err := c.enqueueStanding(ctx, d, beats)
	if err != nil {
		return in, err
	}
	if clock != 0 {
		c.posted.set(clock, len(beats))
	}
	err = c.batcher.Await(ctx, queued)
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
	c.metrics.verdicts.WithLabelValues("accepted").Add(float64(len(in.records)))
	c.metrics.verdicts.WithLabelValues("rejected").Add(float64(in.rejected))
	return in, nil
}

// enqueueStanding is enqueue as soon as labels wait for the events of this collector. They do not
// in the moment after its start, nor while Kafka is away.
func (c *collector) enqueueStanding(ctx context.Context, d *delivery, beats []stream.Record) (*intake, stream.Ticket, error) {
	for {
		changed := c.standing.changed.Wait()
		in, queued, err := c.enqueue(d, beats)
		if !errors.Is(err, errSilent) {
			return in, queued, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return in, stream.Ticket{}, errAway
		}
	}
}

// enqueue holds the order from the moment at which received is stamped until the events stand in
// the queue, so that no heartbeat comes between.
func (c *collector) enqueue(d *delivery, beats []stream.Record) (*intake, stream.Ticket, error) {
	c.order.RLock()
	defer c.order.RUnlock()
	switch err := c.standing.check(c.clock.Now(), c.clock.Recorded()); err {
	case nil:
	case errLeaving:
		return &intake{}, stream.Ticket{}, errEnding
	default:
		return &intake{}, stream.Ticket{}, err
	}
	in := newIntake(d, c.clock, c.cfg.MaxAge, c.headers)
	queued, err := c.batcher.Enqueue(append(in.records, beats...))
	if err != nil {
		err = errAway
	}
	return in, queued, err
}
