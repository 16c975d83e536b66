package feedback

import (
	"context"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/stream"
)

// When a topic is given more partitions, a prediction that is written again may come in another
// partition than at first. So while a partition is young, repeats are looked for in the other
// partitions too. They are found where one process has both partitions, within repeats.Age.

// startRange is how many offsets from a partition's start its first record is looked for.
const startRange = 64

// readStart notes how long the partition is young, if its start is still held and lies before
// begin.
func (f *fetcher) readStart(ctx context.Context, begin int64) error {
	if begin == 0 {
		return nil // labeling.noteStart will see it
	}
	return f.client.ReadRange(ctx, event.TopicPredictions, f.queue.partition, 0, min(begin, startRange), func(r *stream.Record) error {
		if r.Offset < startRange && f.youngUntil == 0 {
			f.youngUntil = event.TimeOf(r.Time) + repeats.Age
		}
		return nil
	})
}

// noteStart notes how long a partition is young that begins with r.
func (g *labeling) noteStart(r *stream.Record) {
	if r.Offset < startRange {
		g.youngUntil = max(g.youngUntil, event.TimeOf(r.Time)+repeats.Age)
	}
}

// distinct leaves out predictions that another partition had before. due was popped from the queues
// at once, in its order.
func (g *labeling) distinct(due []pending) []pending {
	if len(g.queues) < 2 {
		return due
	}
	clear(g.taken)
	kept := due[:0]
	for i := range due {
		p := &due[i]
		if p.produced <= g.youngUntil {
			before, again := g.taken[p.prediction.ID]
			if again && before != p.partition || g.takenElsewhere(p) {
				g.counted.repeated.Inc()
				continue
			}
			g.taken[p.prediction.ID] = p.partition
		}
		kept = append(kept, *p)
	}
	return kept
}

// takenElsewhere says whether a prediction of this id was labelled from another partition.
func (g *labeling) takenElsewhere(p *pending) bool {
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
