package feedback

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// OutcomesGroup is the consumer group of the fold into outcomes.
const OutcomesGroup = "outcomes"

// outcomes folds events into the store of outcomes and keeps the watermark: at least once, over
// effects that are the same however often they are done. Where a fold begins is the store's
// position; the group's commits are for lag tools only.
type outcomes struct {
	client *stream.Client
	store  features.Store
	kinds  Kinds         // of events that are kept
	ttl    time.Duration // for which the store keeps an outcome, at least
	now    func() event.Time
	logger *slog.Logger

	recorded   func() bool // says whether times of events are recorded ones
	watermarks watermark.Config
	beats      *watermark.Reporter

	folded *prometheus.CounterVec // events by what became of them

	changed notify.Broadcast
	mu      sync.Mutex
	marks   map[int]event.Time // by partition that this process folds
}

// errAgain ends a run because another epoch has begun.
var errAgain = errors.New("outcomes are to be folded again from the start of events")

func (o *outcomes) run(ctx context.Context) error {
	return o.client.Join(ctx, OutcomesGroup, []string{event.TopicEvents}, func(ctx context.Context, g *stream.Generation) error {
		id, err := o.client.TopicID(ctx, event.TopicEvents)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return o.client.WatchTopic(ctx, event.TopicEvents, id) })
		group.Go(func() error {
			return g.EachPartition(ctx, func(ctx context.Context, _ string, a stream.Assignment) error {
				return o.partition(ctx, g, id, a.Partition)
			})
		})
		return group.Wait()
	})
}

// partition folds one partition until the generation ends.
func (o *outcomes) partition(ctx context.Context, g *stream.Generation, topicID string, p int) error {
	defer o.drop(p)
	for {
		err := o.fold(ctx, g, topicID, p)
		switch {
		case errors.Is(err, features.ErrMoved):
			o.logger.Warn("the store of outcomes is not where it was left: folding again from its position", "topic", event.TopicEvents, "partition", p)
		case errors.Is(err, errAgain):
			o.logger.Warn("outcomes are folded again from the start", "topic", event.TopicEvents, "partition", p)
		default:
			return err
		}
	}
}

func (o *outcomes) set(p int, t event.Time) {
	o.mu.Lock()
	o.marks[p] = t
	o.mu.Unlock()
	o.changed.Fire()
}

func (o *outcomes) drop(p int) {
	o.mu.Lock()
	delete(o.marks, p)
	o.mu.Unlock()
}

// reader is this process's clock, 0 while times are recorded ones: those are held against no clock.
func (o *outcomes) reader() event.Time {
	if o.recorded() {
		return 0
	}
	return o.now()
}

// updates reads records of a partition. What cannot be read is ingest's to bury; here it is passed
// over. Only a heartbeat moves the watermark: what a producer writes into received may not make
// labels due.
func (o *outcomes) updates(dst []features.Update, records []stream.Record, marks *watermark.Marks, partition int) []features.Update {
	before := len(dst)
	reader := o.reader()
	for i := range records {
		r := &records[i]
		clocks := watermark.Clocks{Reader: reader}
		if reader != 0 {
			clocks.Stamp = event.TimeOf(r.Time)
		}
		e, err := event.ParseEvent(r.Value)
		beat := e.Type == event.TypeHeartbeat
		if err == nil && beat {
			err = e.Complete(0)
		}
		switch {
		case err != nil:
			o.folded.WithLabelValues("refused").Inc()
		case beat:
			o.beats.Report(&e, marks.Beat(&e, clocks), partition, r.Offset)
		case e.Prediction == "":
			o.folded.WithLabelValues("no_prediction").Inc()
		case !o.kinds.any(&e):
			o.folded.WithLabelValues("other_type").Inc()
		case e.Complete(event.TimeOf(r.Time)) != nil:
			o.folded.WithLabelValues("refused").Inc()
		default:
			marks.Settle(&e, clocks)
			dst = OutcomeUpdate(dst, &e, r.Offset, o.kinds)
		}
	}
	o.folded.WithLabelValues("kept").Add(float64(len(dst) - before))
	return dst
}

// watermark is the received time up to which every partition of events is folded; 0 when that is
// not known.
func (o *outcomes) watermark(ctx context.Context) (event.Time, error) {
	n, err := o.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return 0, err
	}
	if t, ok := o.local(n); ok {
		return t, nil
	}
	v, err := o.view(ctx)
	return v.mark, err
}

// local is the watermark when this process folds every partition.
func (o *outcomes) local(n int) (t event.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.marks) < n {
		return 0, false
	}
	first := true
	for _, at := range o.marks {
		if first || at < t {
			t, first = at, false
		}
	}
	return t, true
}
