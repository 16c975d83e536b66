package learner

import (
	"context"
	"time"

	"github.com/clickloop/clickloop/event"
)

// guard has a snapshot written when the last one is gone from the topic of weights: the topic was
// made again, its records were deleted, or nothing came for longer than it keeps them. A scorer
// that joins would have nothing to serve until the next one is due, and without examples none is.
func (l *learning) guard(ctx context.Context) error {
	topic, id := event.TopicModel(l.o.key), ""
	tick := time.NewTicker(topicCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		begins := l.pub.begins.Load()
		now, err := l.o.client.TopicID(ctx, topic)
		if err != nil {
			return err
		}
		ranges, err := l.o.client.Offsets(ctx, topic)
		if err != nil {
			return err
		}
		again := id != "" && id != now
		id = now
		if begins < 0 || !again && ranges[0].First <= begins && begins < ranges[0].End {
			continue
		}
		l.o.logger.Warn("the last snapshot is gone from the topic of weights: writing another", "topic", topic, "offset", begins, "first", ranges[0].First, "end", ranges[0].End)
		select {
		case l.lost <- struct{}{}:
		default: // it is known
		}
	}
}
