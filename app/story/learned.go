package story

import (
	"context"
	"fmt"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/stream"
)

// findLearned finds, for each network of the objective, the first published weights that have
// learned an example.
//
// A version counts examples that were learned. The example at offset n of a topic that still has
// its start is the (n+1)th or, where learners have passed over some before it (repeats, and what
// they refused), an earlier one. The newest version tells how many of all records were passed over,
// at most. So the first version from n+1 on is exact, unless one of the versions before it is high
// enough with all that was passed over.
func (s *search) findLearned(ctx context.Context, o *event.Objective, r stream.Range, x *Example) error {
	for _, network := range o.NetworkNames() {
		key := event.NetworkKey(o.Name, network)
		l := Learned{Network: network}
		_, newest, err := weights.Newest(ctx, s.Client, key)
		if err != nil {
			return fmt.Errorf("cannot read the weights of %s: %w", key, err)
		}
		switch {
		case newest == 0:
			l.Why = "no weights are published yet"
		case r.First > 0:
			// versions count from a start that is deleted
			err = s.learnedByTime(ctx, key, x, &l)
			l.Why = "retention has deleted the start of the examples, so their count is not known: it is the first version published after the example was written, and may not hold it yet"
		case newest > r.End:
			err = s.learnedByTime(ctx, key, x, &l)
			l.Why = "the network began with examples that are not on the topic, so their count is not known: it is the first version published after the example was written, and may not hold it yet"
		default:
			err = s.learnedByCount(ctx, key, r, newest, x, &l)
		}
		if err != nil {
			return err
		}
		x.Learned = append(x.Learned, l)
	}
	return nil
}

func (s *search) learnedByCount(ctx context.Context, key string, r stream.Range, newest int64, x *Example, l *Learned) error {
	count := x.Offset + 1
	passed := r.End - newest // at most so many records were passed over, or are not learned yet
	before, h, ok, err := weights.FirstWith(ctx, s.Client, key, x.Written, count)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the weights of %s: %w", key, err)
	case !ok && newest >= count-passed && newest < count && passed > 0:
		l.Version, l.Why = event.ModelVersion(key, newest), fmt.Sprintf("the newest version holds it if learners have passed over %d earlier records, else none does yet", count-newest)
	case !ok:
		l.Why = "no version that holds it is published yet"
	case before >= 0 && before < count-passed || passed == 0:
		l.Version, l.Exact = event.ModelVersion(key, h.To), true
	default:
		l.Version, l.Why = event.ModelVersion(key, h.To), fmt.Sprintf("a version before it may hold it already: up to %d records were passed over or are not learned yet", passed)
	}
	return nil
}

func (s *search) learnedByTime(ctx context.Context, key string, x *Example, l *Learned) error {
	_, h, ok, err := weights.FirstWith(ctx, s.Client, key, x.Written, 0)
	if err != nil {
		return fmt.Errorf("cannot read the weights of %s: %w", key, err)
	}
	if ok {
		l.Version = event.ModelVersion(key, h.To)
	}
	return nil
}
