package feedback

import (
	"context"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/stream"
)

// When a topic is given more partitions, a prediction that is written again may come in another one
// than it came in first. As long as a partition is young, an id is therefore looked for in the
// others too. It is found where one process has both, and within repeats.Age.

// firstLook is how many offsets from a partition's start its first record is looked for.
const firstLook = 64

// firstRecord notes when the partition began, if it still has its start.
func (f *fetcher) firstRecord(ctx context.Context, begin int64) error {
	if begin == 0 {
		return nil // it is still to be read
	}
	return f.l.client.ReadRange(ctx, event.TopicPredictions, f.q.partition, 0, min(begin, firstLook), func(r *stream.Record) error {
		if r.Offset < firstLook && f.young == 0 {
			f.young = event.TimeOf(r.Time) + repeats.Age
		}
		return nil
	})
}

// begins notes that a partition begins with r.
func (g *labeling) begins(r *stream.Record) {
	if r.Offset < firstLook {
		g.young = max(g.young, event.TimeOf(r.Time)+repeats.Age)
	}
}

// distinct leaves predictions out that another partition had before. due is what was taken from the
// queues at once, in its order.
func (g *labeling) distinct(due []pending) []pending {
	if len(g.queues) < 2 {
		return due
	}
	clear(g.taken)
	kept := due[:0]
	for i := range due {
		p := &due[i]
		if p.produced <= g.young {
			before, again := g.taken[p.prediction.ID]
			if again && before != p.partition || g.elsewhere(p) {
				g.l.repeated.Inc()
				continue
			}
			g.taken[p.prediction.ID] = p.partition
		}
		kept = append(kept, *p)
	}
	return kept
}

// elsewhere says whether a prediction of this id was taken from another partition earlier.
func (g *labeling) elsewhere(p *pending) bool {
	for i, q := range g.queues {
		if q.partition == p.partition {
			continue
		}
		if first, at, ok := q.choices.First(p.prediction.ID); ok && first < g.done[i] && max(at-p.produced, p.produced-at) <= repeats.Age {
			return true
		}
	}
	return false
}
