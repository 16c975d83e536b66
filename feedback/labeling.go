package feedback

import (
	"context"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/stream"
)

const (
	// poll is how soon a watermark is seen that another process moves.
	poll        = 20 * time.Millisecond
	commitEvery = 500 * time.Millisecond
)

// labeling is the state of a labeler in one generation. The goroutine of loop owns it and its
// queues.
type labeling struct {
	*labeler
	generation *stream.Generation
	topicID    string // of predictions
	fetchers   []*fetcher
	queues     []*queue     // of the fetchers, in their order
	batches    chan fetched // one place for each fetcher
	committed  time.Time
	known      view       // of outcomes, as last seen
	lateUntil  event.Time // predictions that are due by then were held back by an alarm

	due  []pending
	ends map[int]int64 // of partitions, as asked after the watermark was read

	// for repeats in other partitions; see across.go
	youngUntil event.Time
	done       []int64        // of each queue, before due was taken from it
	taken      map[string]int // partitions of due, by id
}

func newLabeling(l *labeler, g *stream.Generation, topicID string, partitions int) *labeling {
	return &labeling{labeler: l, generation: g, topicID: topicID, committed: time.Now(), batches: make(chan fetched, partitions), ends: map[int]int64{}, taken: map[string]int{}}
}

// loop labels what is due each time the watermark moves or predictions arrive.
func (g *labeling) loop(ctx context.Context) error {
	timer := time.NewTicker(poll)
	defer timer.Stop()
	for {
		changed := g.outcomes.Changed()
		if err := g.labelDue(ctx); err != nil {
			return err
		}
		g.counted.waiting.Set(float64(g.waiting()))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-g.batches:
			if err := g.accept(ctx, b); err != nil {
				return err
			}
		case <-changed:
		case <-timer.C:
		}
	}
}

// waiting is how many predictions are in the queues.
func (g *labeling) waiting() (n int) {
	for _, q := range g.queues {
		n += len(q.waiting)
	}
	return n
}

// accept puts a batch into its queue. Dead letters are written first: the offset behind the batch
// is not committed before they are acknowledged.
func (g *labeling) accept(ctx context.Context, b fetched) error {
	q := b.from.queue
	var letters []deadletter.Letter
	for i := range b.records {
		r := &b.records[i]
		g.noteStart(r)
		p, err := event.ParsePrediction(r.Value)
		if err != nil {
			letters = append(letters, deadletter.Letter{Topic: event.TopicPredictions, Record: *r, Reason: err.Error()})
			q.reach(r.Offset + 1)
			continue
		}
		switch q.add(pending{offset: r.Offset, produced: event.TimeOf(r.Time), bytes: len(r.Value), prediction: p, trace: g.tracer.Of(r.Headers)}) {
		case repeats.Repeat:
			g.counted.repeated.Inc()
		case repeats.Conflict:
			g.conflict(&p)
		}
	}
	if err := g.letters.Write(ctx, letters...); err != nil {
		return err
	}
	q.reach(b.next)
	b.from.idle = true
	g.refill()
	return nil
}

// refill lets each fetcher go on whose queue has room.
func (g *labeling) refill() {
	for _, f := range g.fetchers {
		if f.idle && f.queue.hasRoom() {
			f.idle = false
			f.room <- struct{}{}
		}
	}
}

// labelDue labels all that is due by the watermark as it is now.
func (g *labeling) labelDue(ctx context.Context) error {
	watermark, err := g.outcomes.Watermark(ctx)
	if err != nil || watermark == 0 {
		return ctx.Err() // labels wait while the watermark is unknown
	}
	isDue := func(predicted event.Time) bool { return g.kind.Due(predicted) <= watermark }
	if !g.anyDue(isDue) {
		g.commit(ctx)
		return nil
	}
	clear(g.ends)
	atEnd := func(q *queue) bool { end, asked := g.ends[q.partition]; return asked && q.next >= end }
	for ctx.Err() == nil {
		var empty *queue
		g.done = g.done[:0]
		for _, q := range g.queues {
			g.done = append(g.done, q.done)
		}
		g.due, empty = merge(g.due[:0], g.queues, isDue, atEnd, g.batch)
		if len(g.due) > 0 {
			if g.due = g.distinct(g.due); len(g.due) > 0 {
				if err := g.label(ctx, g.due); err != nil {
					return err
				}
			}
			g.refill()
		}
		switch {
		case empty != nil:
			if err := g.fill(ctx, empty); err != nil {
				return err
			}
		case len(g.due) == 0:
			g.commit(ctx)
			return nil
		}
	}
	return ctx.Err()
}

func (g *labeling) anyDue(isDue func(event.Time) bool) bool {
	for _, q := range g.queues {
		if len(q.waiting) > 0 && isDue(q.waiting[0].prediction.Time) {
			return true
		}
	}
	return false
}

// fill waits until an empty queue has a prediction, or has reached the end of its partition as it
// was when labelDue began.
func (g *labeling) fill(ctx context.Context, q *queue) error {
	if len(g.ends) == 0 {
		ranges, err := g.client.Offsets(ctx, event.TopicPredictions)
		if err != nil {
			return err
		}
		for p, r := range ranges {
			g.ends[p] = r.End
		}
	}
	if _, known := g.ends[q.partition]; !known { // merge would return this queue for ever
		return fmt.Errorf("partition %d of %s was assigned, but the topic has %d partitions", q.partition, event.TopicPredictions, len(g.ends))
	}
	for len(q.waiting) == 0 && q.next < g.ends[q.partition] {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-g.batches:
			if err := g.accept(ctx, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit moves the group's offset, twice a second at most.
func (g *labeling) commit(ctx context.Context) {
	if time.Since(g.committed) < commitEvery {
		return
	}
	g.committed = time.Now()
	next := map[int]int64{}
	for _, q := range g.queues {
		next[q.partition] = q.done
	}
	if err := g.generation.Commit(ctx, event.TopicPredictions, next); err != nil && ctx.Err() == nil {
		g.logger.Debug("cannot commit", "topic", event.TopicPredictions, "err", err)
	}
}
