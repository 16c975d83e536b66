package feedback

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// labeler reads predictions one window behind and writes an objective's examples: exactly one for each prediction whose trigger happened.
//
// Examples are written before the group's offset moves, one batch in flight; what a crash makes it write again carries the same source offsets, which
// every reader of examples drops.
type labeler struct {
	objective event.Objective
	client    *stream.Client
	outcomes  *outcomes
	guard     *guard
	letters   *deadletter.Writer
	logger    *slog.Logger
	batch     int
	headers   []stream.Header

	examples *prometheus.CounterVec // by objective and label
}

// readAhead bounds the predictions of a partition that are held in memory while they wait for their windows; those behind them stay in Kafka.
const readAhead = 4096

// poll is how soon the labeler sees a watermark that another process moves.
const poll = 20 * time.Millisecond

func (l *labeler) run(ctx context.Context) error {
	return l.client.Join(ctx, "labels."+l.objective.Name, []string{event.TopicPredictions}, func(ctx context.Context, g *stream.Generation) error {
		assigned := g.Assigned[event.TopicPredictions]
		if len(assigned) == 0 {
			<-ctx.Done()
			return ctx.Err()
		}
		topicID, err := l.client.TopicID(ctx, event.TopicPredictions)
		if err != nil {
			return err
		}
		run := &labeling{l: l, g: g, topicID: topicID, committed: time.Now(), batches: make(chan fetched, len(assigned)), marked: map[int]int64{}}
		group, ctx := errgroup.WithContext(ctx)
		for _, a := range assigned {
			f := &fetcher{l: l, q: &queue{partition: a.Partition}, out: run.batches, room: make(chan struct{}, 1)}
			run.fetchers = append(run.fetchers, f)
			run.queues = append(run.queues, f.q)
			if err := f.open(ctx, a); err != nil {
				return err
			}
			group.Go(func() error { return f.run(ctx) })
		}
		group.Go(func() error { return run.loop(ctx) })
		return group.Wait()
	})
}

// fetched is what a fetcher hands over: records of one partition.
type fetched struct {
	f       *fetcher
	records []stream.Record
}

// fetcher reads one partition; it hands over a batch only when there is room for it.
type fetcher struct {
	l    *labeler
	q    *queue
	r    *stream.Reader
	out  chan<- fetched // one place for each fetcher, so handing over never waits
	room chan struct{}  // a token: the queue may take another batch
	idle bool           // no token is out and no batch is under way
}

// open finds where to begin and puts the ids of the predictions before it back.
func (f *fetcher) open(ctx context.Context, a stream.Assignment) error {
	begin := max(a.Committed, 0)
	f.q.next, f.q.done = begin, begin
	r := f.l.client.NewReader(event.TopicPredictions, a.Partition, repeats.Start(begin))
	var p event.Prediction
	for r.Offset() < begin {
		records, err := r.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue
		}
		if errors.Is(err, stream.ErrBeyond) {
			f.l.logger.Error("the predictions topic is shorter than the group's offset: it was made again, reading it from its start", "partition", a.Partition, "err", err)
			_ = r.Close()
			f.q.next, f.q.done, f.q.ids = 0, 0, repeats.Window{}
			f.r = f.l.client.NewReader(event.TopicPredictions, a.Partition, 0)
			f.room <- struct{}{}
			return nil
		}
		if err != nil {
			return errors.Join(err, r.Close())
		}
		for i := range records {
			if records[i].Offset < begin && p.UnmarshalJSON(records[i].Value) == nil {
				f.q.ids.Repeat(p.ID, p.Time)
			}
		}
	}
	_ = r.Close() // what it read beyond begin is read again, as predictions to label
	f.r = f.l.client.NewReader(event.TopicPredictions, a.Partition, begin)
	f.room <- struct{}{}
	return nil
}

func (f *fetcher) run(ctx context.Context) error {
	defer f.r.Close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.room:
		}
		records, err := f.r.Read(ctx)
		for errors.Is(err, stream.ErrTrimmed) {
			f.l.logger.Error("predictions were deleted before they were labelled", "topic", event.TopicPredictions, "partition", f.q.partition, "err", err)
			records, err = f.r.Read(ctx)
		}
		if err != nil {
			return err
		}
		f.out <- fetched{f, records}
	}
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
}

// loop labels what is due each time the watermark moves or predictions arrive.
func (g *labeling) loop(ctx context.Context) error {
	timer := time.NewTicker(poll)
	defer timer.Stop()
	for {
		changed, released := g.l.outcomes.changed.Wait(), g.l.guard.changed.Wait()
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
		case <-released:
		case <-timer.C:
		}
	}
}

// take puts a batch into its queue and lets the fetcher go on if there is room.
func (g *labeling) take(ctx context.Context, b fetched) error {
	q := b.f.q
	var letters []deadletter.Letter
	for i := range b.records {
		p, err := event.ParsePrediction(b.records[i].Value)
		if err != nil {
			letters = append(letters, deadletter.Letter{Topic: event.TopicPredictions, Record: b.records[i], Reason: err.Error()})
			q.skip(b.records[i].Offset)
			continue
		}
		q.add(b.records[i].Offset, p)
	}
	b.f.idle = true
	g.refill()
	return g.l.letters.Write(ctx, letters...)
}

// refill gives a token to each fetcher whose queue has room.
func (g *labeling) refill() {
	for _, f := range g.fetchers {
		if f.idle && len(f.q.waiting) < readAhead {
			f.idle = false
			f.room <- struct{}{}
		}
	}
}

// pass labels all that is due by the watermark as it is now.
func (g *labeling) pass(ctx context.Context) error {
	if g.l.guard.held() {
		return nil
	}
	mark, err := g.l.outcomes.watermark(ctx)
	if err != nil || mark == 0 {
		return ctx.Err() // an unknown watermark is one that stands still
	}
	if !g.anyDue(mark) {
		return g.commit(ctx, false)
	}
	clear(g.marked)
	isDue := func(t event.Time) bool { return g.l.objective.Due(t) <= mark }
	whole := func(q *queue) bool { end, asked := g.marked[q.partition]; return asked && q.next >= end }
	for {
		var hidden *queue
		g.due, hidden = merge(g.due[:0], g.queues, isDue, whole, g.l.batch)
		if len(g.due) > 0 {
			if err := g.label(ctx, g.due); err != nil {
				return err
			}
			g.refill()
		}
		switch {
		case hidden != nil:
			if err := g.uncover(ctx, hidden); err != nil {
				return err
			}
		case len(g.due) == 0:
			return g.commit(ctx, false)
		}
	}
}

func (g *labeling) anyDue(mark event.Time) bool {
	for _, q := range g.queues {
		if len(q.waiting) > 0 && g.l.objective.Due(q.waiting[0].prediction.Time) <= mark {
			return true
		}
	}
	return false
}

// uncover makes an empty queue known: it asks for the partitions' ends, once a pass, and waits for the records before them.
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

// label writes the examples of due predictions, in their order. The watermark is asked again behind the look-up: if the store of outcomes was emptied
// meanwhile, what was looked up may lack events, and the look-up is repeated once they are folded again.
func (g *labeling) label(ctx context.Context, due []pending) error {
	var latest event.Time
	keys := make([]string, len(due))
	for i := range due {
		keys[i] = due[i].prediction.ID
		latest = max(latest, g.l.objective.Due(due[i].prediction.Time))
	}
	var found map[string]features.Profile
	err := retry.Persist(ctx, g.l.logger, "look up outcomes", func() (err error) {
		if found, err = g.l.outcomes.store.Read(ctx, keys); err != nil {
			return err
		}
		mark, err := g.l.outcomes.stored(ctx)
		if err == nil && mark < latest {
			err = errFoldingAgain
		}
		return err
	})
	if err != nil {
		return err
	}
	records := make([]stream.Record, 0, len(due))
	for i := range due {
		y, _, ok := event.Label(g.l.objective, due[i].prediction.Time, OutcomeOf(found[keys[i]]))
		if !ok {
			g.l.examples.WithLabelValues(g.l.objective.Name, "none").Inc()
			continue
		}
		x := Example(g.l.objective, &due[i].prediction, y, event.Source{Topic: g.topicID, Partition: int32(due[i].partition), Offset: due[i].offset})
		records = append(records, stream.Record{Partition: 0, Key: []byte(x.Prediction), Value: x.AppendJSON(nil), Headers: g.l.headers})
		g.l.examples.WithLabelValues(g.l.objective.Name, map[float64]string{0: "negative", 1: "positive"}[y]).Inc()
	}
	return g.l.client.Produce(ctx, event.TopicExamples(g.l.objective.Name), records)
}

var errFoldingAgain = errors.New("the outcomes are being folded again")

// commit moves the group's offset, now and then.
func (g *labeling) commit(ctx context.Context, now bool) error {
	if !now && time.Since(g.committed) < 500*time.Millisecond {
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

// Example is a prediction with its label.
func Example(o event.Objective, p *event.Prediction, y float64, source event.Source) event.Example {
	x := event.Example{
		Objective: o.Name, Prediction: p.ID, Row: p.Row, Time: p.Time, Y: y, W: 1, Features: p.Features, Source: source,
	}
	for _, op := range p.P {
		if op.Objective == o.Name {
			x.P = op.P
		}
	}
	for _, v := range p.Model {
		if v.Objective == o.Name {
			x.Model = v.Version
		}
	}
	for _, name := range o.Segments {
		if v, ok := segment(p, name); ok {
			x.Segment = append(x.Segment, event.Field{Name: name, Value: v})
		}
	}
	return x
}

func segment(p *event.Prediction, name string) (event.Value, bool) {
	text := func(s string) (event.Value, bool) { return event.Value{Kind: event.String, Str: s}, s != "" }
	switch name {
	case "campaign":
		return text(p.Campaign)
	case "ad":
		return text(p.Ad)
	case "source":
		return text(p.Source)
	case "policy":
		return text(p.Policy)
	}
	return p.Features.Lookup(name)
}
