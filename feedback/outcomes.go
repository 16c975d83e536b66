package feedback

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
)

// OutcomesGroup is the consumer group of the fold into outcomes.
const OutcomesGroup = "outcomes"

// OutcomeUpdate appends what e adds to the outcome of its prediction: of each type, the first occurrence by time. That is the same in any order and
// however often it is folded.
func OutcomeUpdate(dst []features.Update, e *event.Event, offset int64) []features.Update {
	if e.Prediction == "" || e.Type == event.TypeHeartbeat {
		return dst
	}
	value := ""
	if e.Value != 0 {
		value = strconv.FormatFloat(e.Value, 'g', -1, 64)
	}
	return append(dst, features.Update{Key: e.Prediction, Offset: offset, Ops: []features.Op{
		{Kind: features.OpFirst, Field: e.Type, Time: e.Time, Value: value},
	}})
}

// OutcomeOf reads what OutcomeUpdate has folded.
func OutcomeOf(p features.Profile) event.Outcome {
	out := make(event.Outcome, len(p.Fields))
	for kind, stamped := range p.Fields {
		at, value, ok := features.SplitStamped(stamped)
		if !ok {
			continue // a field of the store's own
		}
		v, _ := strconv.ParseFloat(value, 64) // empty is 0
		out[kind] = event.OutcomeEvent{Time: at, Value: v}
	}
	return out
}

// outcomes folds events into the store of outcomes and keeps the watermark.
type outcomes struct {
	client *stream.Client
	store  features.Store
	logger *slog.Logger

	changed notify.Broadcast
	mu      sync.Mutex
	folded  map[int]event.Time // by partition that this process folds
	topicID string
}

func (o *outcomes) run(ctx context.Context) error {
	return o.client.Join(ctx, OutcomesGroup, []string{event.TopicEvents}, func(ctx context.Context, g *stream.Generation) error {
		return g.EachPartition(ctx, func(ctx context.Context, _ string, a stream.Assignment) error {
			defer o.drop(a.Partition)
			for {
				err := o.fold(ctx, g, a.Partition)
				if !errors.Is(err, features.ErrMoved) {
					return err
				}
				o.logger.Warn("the store of outcomes is not where it was left: folding again from its position", "topic", event.TopicEvents, "partition", a.Partition)
			}
		})
	})
}

func (o *outcomes) set(p int, id string, t event.Time) {
	o.mu.Lock()
	o.folded[p], o.topicID = t, id
	o.mu.Unlock()
	o.changed.Fire()
}

func (o *outcomes) drop(p int) {
	o.mu.Lock()
	delete(o.folded, p)
	o.mu.Unlock()
}

// fold is one run over a partition, from the store's position until the generation ends or the store has moved.
func (o *outcomes) fold(ctx context.Context, g *stream.Generation, p int) error {
	id, err := o.client.TopicID(ctx, event.TopicEvents)
	if err != nil {
		return err
	}
	var at features.Position
	err = retry.Persist(ctx, o.logger, "read the position of outcomes", func() error {
		at, err = o.store.Position(ctx, id, p)
		return err
	})
	if err != nil {
		return err
	}
	at.TopicID, at.Partition = id, p
	o.set(p, id, at.Received)
	r := o.client.NewReader(event.TopicEvents, p, at.Next)
	defer r.Close()
	committed := time.Now()
	var updates []features.Update
	for {
		records, err := r.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			o.logger.Error("events were deleted before they were folded: labels may lack them", "topic", event.TopicEvents, "partition", p, "err", err)
			continue
		}
		if err != nil {
			return err
		}
		to := at
		updates = o.updates(updates[:0], records, &to)
		err = retry.Persist(ctx, o.logger, "fold events into outcomes", func() error { return o.store.Apply(ctx, at.Next, to, updates) }, features.ErrMoved)
		if err != nil {
			return err
		}
		at = to
		o.set(p, id, at.Received)
		if time.Since(committed) > time.Second {
			if err := g.Commit(ctx, event.TopicEvents, map[int]int64{p: at.Next}); err != nil {
				o.logger.Debug("cannot commit", "topic", event.TopicEvents, "partition", p, "err", err)
			}
			committed = time.Now()
		}
	}
}

// updates reads records and moves to behind them. What cannot be read is ingest's to bury; here it is passed over.
func (o *outcomes) updates(dst []features.Update, records []stream.Record, to *features.Position) []features.Update {
	for i := range records {
		e, err := event.ParseEvent(records[i].Value)
		if err != nil {
			continue
		}
		if e.Received == 0 {
			e.Received = event.TimeOf(records[i].Time)
		}
		if e.Time == 0 {
			e.Time = e.Received
		}
		to.Received = max(to.Received, e.Received)
		if e.Validate(0) == nil {
			dst = OutcomeUpdate(dst, &e, records[i].Offset)
		}
	}
	to.Next = records[len(records)-1].Offset + 1
	return dst
}

// watermark is the received time up to which every partition of events is folded; 0 when that is not known.
func (o *outcomes) watermark(ctx context.Context) (event.Time, error) {
	n, err := o.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return 0, err
	}
	if t, ok := o.local(n); ok {
		return t, nil
	}
	return o.stored(ctx)
}

// local is the watermark when this process folds every partition.
func (o *outcomes) local(n int) (t event.Time, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.folded) < n {
		return 0, false
	}
	first := true
	for _, at := range o.folded {
		if first || at < t {
			t, first = at, false
		}
	}
	return t, true
}

// stored is the watermark as the store has it: what a look-up of outcomes can rely on.
func (o *outcomes) stored(ctx context.Context) (event.Time, error) {
	n, err := o.client.Partitions(ctx, event.TopicEvents)
	if err != nil {
		return 0, err
	}
	o.mu.Lock()
	id := o.topicID
	o.mu.Unlock()
	if id == "" {
		if id, err = o.client.TopicID(ctx, event.TopicEvents); err != nil {
			return 0, err
		}
	}
	return o.store.Watermark(ctx, id, n)
}
