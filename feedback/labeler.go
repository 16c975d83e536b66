package feedback

import (
	"context"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// labeler reads predictions one window behind and writes an objective's examples: exactly one for
// each prediction whose trigger happened.
//
// It writes examples before it moves the group's offset, with one batch in flight. After a crash it
// writes some again, with the same source offsets, and every reader of examples drops those.
type labeler struct {
	*task
	oneOrder bool // see Deps
	guard    *guard
	counted  labelCounters
	warned   time.Time // when conflicts were last logged
}

// labelCounters are a labeler's metrics.
type labelCounters struct {
	none, positive, negative prometheus.Counter // examples, by label
	predicted, actual        prometheus.Counter // sums of their probabilities and labels
	delay, waiting           prometheus.Gauge
	joined                   *prometheus.CounterVec // outcomes, by objective and type
	shown                    *prometheus.CounterVec // examples, by objective, fact and whether an event brought it
	repeated                 prometheus.Counter     // predictions whose id came before
	conflicts                prometheus.Counter     // predictions of a request that had another choice before
	alarm                    prometheus.Gauge       // 1 while the guard raises one
	held                     prometheus.Gauge       // 1 while examples are held back
}

func (l *labeler) run(ctx context.Context) error {
	return l.client.Join(ctx, "labels."+l.objective.Name, []string{event.TopicPredictions}, func(ctx context.Context, g *stream.Generation) error {
		mayLabel, err := l.mayLabel(ctx, g)
		if err != nil {
			return err
		}
		if !mayLabel {
			<-ctx.Done()
			return ctx.Err()
		}
		return l.generation(ctx, g)
	})
}

// mayLabel says whether this generation gives partitions to label: any, or all where examples must
// come in one order.
func (l *labeler) mayLabel(ctx context.Context, g *stream.Generation) (bool, error) {
	assigned := len(g.Assigned[event.TopicPredictions])
	if assigned == 0 || !l.oneOrder {
		return assigned > 0, nil
	}
	all, err := l.client.Partitions(ctx, event.TopicPredictions)
	if err != nil {
		return false, err
	}
	if assigned < all {
		l.logger.Warn("another member of the group has a part of the predictions: labelling none until this one has all; a member that was killed is given up after its session",
			"partitions", assigned, "of", all)
	}
	return assigned >= all, nil
}

// generation labels the partitions of one generation: a goroutine reads each, and one labels.
func (l *labeler) generation(ctx context.Context, g *stream.Generation) error {
	topicID, err := l.client.TopicID(ctx, event.TopicPredictions)
	if err != nil {
		return err
	}
	recreated, err := l.recreated(ctx, topicID)
	if err != nil {
		return err
	}
	assigned := g.Assigned[event.TopicPredictions]
	run := newLabeling(l, g, topicID, len(assigned))
	opening, openCtx := errgroup.WithContext(ctx)
	for _, a := range assigned {
		f := &fetcher{labeler: l, queue: &queue{partition: a.Partition}, out: run.batches, room: make(chan struct{}, 1)}
		run.fetchers, run.queues = append(run.fetchers, f), append(run.queues, f.queue)
		begin := max(a.Committed, 0)
		if recreated {
			begin = 0
		}
		opening.Go(func() error { return f.open(openCtx, topicID, begin) })
	}
	if err := opening.Wait(); err != nil {
		return err
	}
	for _, f := range run.fetchers {
		run.youngUntil = max(run.youngUntil, f.youngUntil)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range run.fetchers {
		group.Go(func() error { return f.run(ctx) })
	}
	group.Go(func() error { return l.client.WatchTopic(ctx, event.TopicPredictions, topicID) })
	group.Go(func() error { return run.loop(ctx) })
	return group.Wait()
}

// newestRange is how many offsets from the end the newest example is looked for: the last ones may
// be markers of transactions.
const newestRange = 64

// recreated says whether the group's offsets belong to a predictions topic that was deleted: the
// newest example comes from a topic with another id. The new topic is then labelled from its start.
// If that is wrong it does no harm, since readers drop examples that they have.
func (l *labeler) recreated(ctx context.Context, topicID string) (bool, error) {
	topic := event.TopicExamples(l.objective.Name)
	ranges, err := l.client.Offsets(ctx, topic)
	if err != nil || ranges[0].First >= ranges[0].End {
		return false, err
	}
	var newest event.Example
	err = l.client.ReadRange(ctx, topic, 0, ranges[0].End-newestRange, ranges[0].End, func(r *stream.Record) error {
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

// warnEvery is how often conflicts are logged; each is counted.
const warnEvery = time.Minute

// conflict counts a prediction that is dropped because its request was answered with another choice
// before, as when two scorers are asked with one request id.
func (l *labeler) conflict(p *event.Prediction) {
	l.counted.conflicts.Inc()
	if now := time.Now(); now.Sub(l.warned) > warnEvery {
		l.warned = now
		l.logger.Warn("a request id was used for two choices: the first in the topic counts, predictions of the other make no example", "request", p.Request, "prediction", p.ID)
	}
}
