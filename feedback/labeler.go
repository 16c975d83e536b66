package feedback

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// labeler reads predictions one window behind and writes an objective's examples: exactly one for
// each prediction whose trigger happened.
//
// Examples are written before the group's offset moves, one batch in flight; what a crash makes it
// write again carries the same source offsets, which every reader of examples drops.
type labeler struct {
	objective event.Objective
	client    *stream.Client
	oneOrder  bool // see Deps
	outcomes  *outcomes
	guard     *guard
	letters   *deadletter.Writer
	logger    *slog.Logger
	batch     int
	headers   []stream.Header

	examples  *prometheus.CounterVec // by objective and label
	joined    *prometheus.CounterVec // outcomes, by objective and type
	repeated  prometheus.Counter     // predictions that came before
	conflicts prometheus.Counter     // predictions of a request that had another choice before
	warned    time.Time              // of conflicts
	held      prometheus.Gauge       // 1 while examples are held back
}

// poll is how soon a watermark is seen that another process moves.
const poll = 20 * time.Millisecond

func (l *labeler) run(ctx context.Context) error {
	return l.client.Join(ctx, "labels."+l.objective.Name, []string{event.TopicPredictions}, func(ctx context.Context, g *stream.Generation) error {
		assigned := len(g.Assigned[event.TopicPredictions])
		if assigned > 0 && l.oneOrder {
			all, err := l.client.Partitions(ctx, event.TopicPredictions)
			if err != nil {
				return err
			}
			if assigned < all {
				l.logger.Warn("another member of the group has a part of the predictions: labelling none until this one has all; a member that was killed is given up after its session",
					"partitions", assigned, "of", all)
				assigned = 0
			}
		}
		if assigned == 0 {
			<-ctx.Done()
			return ctx.Err()
		}
		return l.generation(ctx, g)
	})
}

// generation labels the partitions of one generation: a goroutine reads each, and one labels.
func (l *labeler) generation(ctx context.Context, g *stream.Generation) error {
	topicID, err := l.client.TopicID(ctx, event.TopicPredictions)
	if err != nil {
		return err
	}
	again, err := l.newTopic(ctx, topicID)
	if err != nil {
		return err
	}
	assigned := g.Assigned[event.TopicPredictions]
	run := &labeling{l: l, g: g, topicID: topicID, committed: time.Now(), batches: make(chan fetched, len(assigned)), marked: map[int]int64{}, taken: map[string]int{}}
	opening, openCtx := errgroup.WithContext(ctx)
	for _, a := range assigned {
		f := &fetcher{l: l, q: &queue{partition: a.Partition}, out: run.batches, room: make(chan struct{}, 1)}
		run.fetchers, run.queues = append(run.fetchers, f), append(run.queues, f.q)
		begin := max(a.Committed, 0)
		if again {
			begin = 0
		}
		opening.Go(func() error { return f.open(openCtx, topicID, begin) })
	}
	if err := opening.Wait(); err != nil {
		return err
	}
	for _, f := range run.fetchers {
		run.young = max(run.young, f.young)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range run.fetchers {
		group.Go(func() error { return f.run(ctx) })
	}
	group.Go(func() error { return l.client.WatchTopic(ctx, event.TopicPredictions, topicID) })
	group.Go(func() error { return run.loop(ctx) })
	return group.Wait()
}

// newestLook is how many offsets from the end the newest example is looked for: the last ones may
// be markers of transactions.
const newestLook = 64

// newTopic says that the group's offsets are of a topic that is no more: the newest example is of
// another predictions topic. Labelling from the start is then right, and harmless if it is not:
// readers drop what they have.
func (l *labeler) newTopic(ctx context.Context, topicID string) (bool, error) {
	topic := event.TopicExamples(l.objective.Name)
	ranges, err := l.client.Offsets(ctx, topic)
	if err != nil || ranges[0].First >= ranges[0].End {
		return false, err
	}
	var newest event.Example
	err = l.client.ReadRange(ctx, topic, 0, ranges[0].End-newestLook, ranges[0].End, func(r *stream.Record) error {
		if x, err := event.ParseExample(r.Value); err == nil {
			newest = x
		}
		return nil
	})
	if err != nil || newest.Source.Topic == "" || newest.Source.Topic == topicID {
		return false, err
	}
	l.logger.Warn("the newest example is of another predictions topic: labelling this one from its start", "topic", event.TopicPredictions, "id", topicID, "before", newest.Source.Topic)
	return true, nil
}

// labeling is the state of one generation. Its loop alone touches the queues.
type labeling struct {
	l         *labeler
	g         *stream.Generation
	topicID   string
	fetchers  []*fetcher
	queues    []*queue
	batches   chan fetched
	committed time.Time
	marked    map[int]int64 // ends of partitions, as asked after the watermark was read
	due       []pending
	done      []int64        // of each queue, before due was taken from it
	taken     map[string]int // partitions of due, by id
	// predictions that were produced later cannot repeat one of another partition
	young event.Time
	known view       // of outcomes, as last seen
	late  event.Time // watermark up to which an alarm has held labels back
}

// loop labels what is due each time the watermark moves or predictions arrive.
func (g *labeling) loop(ctx context.Context) error {
	timer := time.NewTicker(poll)
	defer timer.Stop()
	for {
		changed := g.l.outcomes.changed.Wait()
		if err := g.pass(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-g.batches:
			if err := g.take(ctx, b); err != nil {
				return err
			}
		case <-changed:
		case <-timer.C:
		}
	}
}

// take puts a batch into its queue and lets the fetcher go on if there is room.
func (g *labeling) take(ctx context.Context, b fetched) error {
	q := b.f.q
	var letters []deadletter.Letter
	for i := range b.records {
		r := &b.records[i]
		g.begins(r)
		p, err := event.ParsePrediction(r.Value)
		if err != nil {
			letters = append(letters, deadletter.Letter{Topic: event.TopicPredictions, Record: *r, Reason: err.Error()})
			q.skip(r.Offset)
			continue
		}
		switch q.add(pending{offset: r.Offset, produced: event.TimeOf(r.Time), bytes: len(r.Value), prediction: p}) {
		case repeats.Repeat:
			g.l.repeated.Inc()
		case repeats.Conflict:
			g.l.conflict(&p)
		}
	}
	// the offset behind them is not committed before this
	if err := g.l.letters.Write(ctx, letters...); err != nil {
		return err
	}
	q.reach(b.next)
	b.f.idle = true
	g.refill()
	return nil
}

// warnEvery is how often conflicts are logged; each is counted.
const warnEvery = time.Minute

// conflict counts a prediction that is dropped since its request was answered otherwise before, as
// when two scorers are asked with one request id.
func (l *labeler) conflict(p *event.Prediction) {
	l.conflicts.Inc()
	if now := time.Now(); now.Sub(l.warned) > warnEvery {
		l.warned = now
		l.logger.Warn("a request id was used for two choices: the first in the topic counts, predictions of the other make no example", "request", p.Request, "prediction", p.ID)
	}
}

// refill gives a token to each fetcher whose queue has room.
func (g *labeling) refill() {
	for _, f := range g.fetchers {
		if f.idle && len(f.q.waiting) < readAhead && f.q.bytes < readAheadBytes {
			f.idle = false
			f.room <- struct{}{}
		}
	}
}

// pass labels all that is due by the watermark as it is now.
func (g *labeling) pass(ctx context.Context) error {
	mark, err := g.l.outcomes.watermark(ctx)
	if err != nil || mark == 0 {
		return ctx.Err() // an unknown watermark is one that stands still
	}
	if !g.anyDue(mark) {
		return g.commit(ctx)
	}
	clear(g.marked)
	isDue := func(t event.Time) bool { return g.l.objective.Due(t) <= mark }
	whole := func(q *queue) bool { end, asked := g.marked[q.partition]; return asked && q.next >= end }
	for ctx.Err() == nil {
		var hidden *queue
		g.done = g.done[:0]
		for _, q := range g.queues {
			g.done = append(g.done, q.done)
		}
		g.due, hidden = merge(g.due[:0], g.queues, isDue, whole, g.l.batch)
		if len(g.due) > 0 {
			if g.due = g.distinct(g.due); len(g.due) > 0 {
				if err := g.label(ctx, g.due); err != nil {
					return err
				}
			}
			g.refill()
		}
		switch {
		case hidden != nil:
			if err := g.uncover(ctx, hidden); err != nil {
				return err
			}
		case len(g.due) == 0:
			return g.commit(ctx)
		}
	}
	return ctx.Err()
}

func (g *labeling) anyDue(mark event.Time) bool {
	for _, q := range g.queues {
		if len(q.waiting) > 0 && g.l.objective.Due(q.waiting[0].prediction.Time) <= mark {
			return true
		}
	}
	return false
}

// uncover makes an empty queue known: it asks for the partitions' ends, once a pass, and waits for
// the records before them.
func (g *labeling) uncover(ctx context.Context, q *queue) error {
	if len(g.marked) == 0 {
		ranges, err := g.l.client.Offsets(ctx, event.TopicPredictions)
		if err != nil {
			return err
		}
		for p, r := range ranges {
			g.marked[p] = r.End
		}
	}
	if _, known := g.marked[q.partition]; !known { // or merge would ask for it for ever
		return fmt.Errorf("partition %d of %s was assigned, but the topic has %d partitions", q.partition, event.TopicPredictions, len(g.marked))
	}
	for len(q.waiting) == 0 && q.next < g.marked[q.partition] {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-g.batches:
			if err := g.take(ctx, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit moves the group's offset, now and then.
func (g *labeling) commit(ctx context.Context) error {
	if time.Since(g.committed) < 500*time.Millisecond {
		return nil
	}
	g.committed = time.Now()
	next := map[int]int64{}
	for _, q := range g.queues {
		next[q.partition] = q.done
	}
	if err := g.g.Commit(ctx, event.TopicPredictions, next); err != nil && ctx.Err() == nil {
		g.l.logger.Debug("cannot commit", "topic", event.TopicPredictions, "err", err)
	}
	return nil
}
