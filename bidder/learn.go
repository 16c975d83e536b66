package bidder

import (
	"context"
	"errors"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// lookBack is how many records before a topic's end are read when a process starts: what the model
// of win rates, the pacing and the feedback of strategies know then.
const lookBack = 200_000

// learn follows what becomes of bids: the topic of their steps, and behind that the labels of what
// was shown.
func (b *Bidder) learn(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	caughtUp := make(chan struct{})
	g.Go(func() error {
		var step event.BidStep
		return b.follow(ctx, event.TopicBids, caughtUp, func(r *stream.Record) {
			if err := step.UnmarshalJSON(r.Value); err != nil {
				b.metrics.unread.WithLabelValues(event.TopicBids).Inc()
				return
			}
			b.landscape.Learn(&step)
			b.pacer.Learn(&step)
			b.labels.step(&step)
		})
	})
	for i, name := range b.d.Scorer.Objectives() {
		g.Go(func() error {
			select {
			case <-caughtUp: // a label of a bid of which nothing is known says nothing
			case <-ctx.Done():
				return ctx.Err()
			}
			var x event.Example
			return b.follow(ctx, event.TopicExamples(name), nil, func(r *stream.Record) {
				if err := x.UnmarshalJSON(r.Value); err != nil {
					b.metrics.unread.WithLabelValues(event.TopicExamples(name)).Inc()
				} else if !x.Revision {
					b.labels.label(i, &x)
				}
			})
		})
	}
	return g.Wait()
}

// follow gives each record of a topic's only partition to take, in order. caughtUp is closed when
// all is read that was there; nil: nobody waits for it.
func (b *Bidder) follow(ctx context.Context, topic string, caughtUp chan struct{}, take func(*stream.Record)) error {
	backoff := retry.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second}
	next, end := int64(-1), int64(0)
	for {
		err := func() error {
			ranges, err := b.d.Client.Offsets(ctx, topic)
			if err != nil {
				return err
			}
			if end = ranges[0].End; next < 0 || next > end {
				next = max(ranges[0].First, end-lookBack)
			}
			r := b.d.Client.NewReader(topic, 0, next).As("prices").Paced()
			defer r.Close()
			for {
				if next = r.Offset(); next >= end && caughtUp != nil {
					close(caughtUp)
					caughtUp = nil
				}
				records, err := r.Next(ctx)
				if errors.Is(err, stream.ErrTrimmed) {
					continue
				}
				if err != nil {
					return err
				}
				for i := range records {
					take(&records[i])
				}
			}
		}()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if backoff.ShouldLog() {
			b.logger.Warn("cannot follow a topic, going on where it was left", "topic", topic, "err", err)
		}
		if !backoff.Pause(ctx) {
			return ctx.Err()
		}
	}
}
