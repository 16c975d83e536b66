package learner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// owner learns one objective. While its group gives it the topic's one partition, a single goroutine owns the network: it learns, publishes, answers
// questions, and hands encoded checkpoints to another that writes them.
type owner struct {
	cfg       Config
	objective string
	client    *stream.Client
	config    model.Config
	files     *files // nil: no checkpoints
	letters   *deadletter.Writer
	logger    *slog.Logger
	metrics   *instruments
	requests  chan request
}

func (o *owner) run(ctx context.Context) error {
	topic := event.TopicExamples(o.objective)
	return o.client.Join(ctx, "learner."+o.objective, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
		if len(g.Assigned[topic]) == 0 {
			o.logger.Info("another process learns this objective: standing by")
			<-ctx.Done()
			return ctx.Err()
		}
		return o.own(ctx, g)
	})
}

// learning is the state of one ownership.
type learning struct {
	o       *owner
	net     *model.Net
	scratch *model.Scratch
	water   event.HighWater
	at      position
	pub     publisher
	x       event.Example
	encoded []model.Feature

	saved     int64 // examples in the newest checkpoint
	savedAt   time.Time
	save      chan []byte // to the goroutine that writes checkpoints; room for one
	behind    int64
	committed time.Time
}

// own learns until the generation ends.
func (o *owner) own(ctx context.Context, g *stream.Generation) error {
	l := &learning{o: o, savedAt: time.Now(), save: make(chan []byte, 1)}
	if err := l.resume(ctx); err != nil {
		return err
	}
	l.pub = publisher{client: o.client, objective: o.objective, metrics: o.metrics}
	if err := l.pub.claim(ctx); err != nil {
		return err
	}
	if err := l.pub.snapshot(ctx, l.net); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	batches, taken := make(chan []stream.Record), make(chan struct{})
	group.Go(func() error { return o.read(inner, l.at.Next, batches, taken) })
	group.Go(func() error { return l.loop(inner, g, batches, taken) })
	if o.files != nil {
		group.Go(func() error { return o.writeCheckpoints(inner, l.save) })
	}
	err := group.Wait()
	if o.files != nil && l.net.Examples() != l.saved {
		if b, encodeErr := encodeCheckpoint(l.position(), l.net); encodeErr != nil || o.files.write(b) != nil {
			o.logger.Warn("cannot write the last checkpoint: the examples behind the one before will be learned again", "err", encodeErr)
		}
	}
	return err
}

// resume takes the newest checkpoint, or a new network that learns the topic from its start.
func (l *learning) resume(ctx context.Context) error {
	o := l.o
	id, err := o.client.TopicID(ctx, event.TopicExamples(o.objective))
	if err != nil {
		return err
	}
	if o.files != nil {
		p, net, from, problems := o.files.read()
		for _, problem := range problems {
			o.logger.Error("a checkpoint is of no use", "err", problem)
		}
		switch {
		case net == nil:
		case p.Objective != o.objective:
			return fmt.Errorf("checkpoint %s is of objective %q, not %q: give each objective's learner a folder of its own", from, p.Objective, o.objective)
		case !reflect.DeepEqual(net.Config(), o.config):
			o.logger.Warn("the checkpoint is of another configuration of the model: learning anew from the examples topic", "checkpoint", from)
		default:
			l.net, l.at = net, p
			l.water.Restore(p.Marks)
			l.saved = net.Examples()
			o.logger.Info("resumed from a checkpoint", "checkpoint", from, "examples", net.Examples(), "offset", p.Next)
		}
	}
	if l.net == nil {
		if l.net, err = model.New(o.config); err != nil {
			return err
		}
	}
	if l.at.TopicID != id && l.at.TopicID != "" {
		o.logger.Warn("the examples topic was made again: learning it from its start, dropping what was learned", "topic", event.TopicExamples(o.objective))
		l.at.Next = 0
	}
	l.at.Objective, l.at.TopicID = o.objective, id
	l.scratch = l.net.NewScratch()
	return nil
}

// read hands over batches; it reads on when one has been taken, since a batch is valid until then.
func (o *owner) read(ctx context.Context, from int64, batches chan<- []stream.Record, taken <-chan struct{}) error {
	r := o.client.NewReader(event.TopicExamples(o.objective), 0, from)
	defer r.Close()
	for {
		records, err := r.Read(ctx)
		var trimmed *stream.TrimmedError
		if errors.As(err, &trimmed) {
			o.logger.Error("examples were deleted before they were learned: going on behind them", "err", err)
			o.metrics.learned.WithLabelValues(o.objective, "trimmed").Add(float64(trimmed.First - trimmed.Wanted))
			continue
		}
		if err != nil {
			return err
		}
		o.metrics.behind.WithLabelValues(o.objective).Set(float64(r.End() - records[0].Offset))
		select {
		case batches <- records:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return ctx.Err()
		}
		o.metrics.behind.WithLabelValues(o.objective).Set(float64(r.End() - r.Offset()))
	}
}

// loop is the one goroutine that touches the network.
func (l *learning) loop(ctx context.Context, g *stream.Generation, batches <-chan []stream.Record, taken chan<- struct{}) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case records := <-batches:
			if err := l.batch(ctx, records); err != nil {
				return err
			}
			select {
			case taken <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		case <-timer.C:
		case r := <-l.o.requests:
			if err := l.answer(ctx, r); err != nil {
				return err
			}
		}
		if err := l.publish(ctx, timer); err != nil {
			return err
		}
		l.checkpoint()
		l.commit(ctx, g)
	}
}

// batch learns records in their order; what can never be learned is buried, and nothing else is lost.
func (l *learning) batch(ctx context.Context, records []stream.Record) error {
	var letters []deadletter.Letter
	learned, repeated := 0, 0
	for i := range records {
		fresh, err := l.learn(records[i].Value)
		switch {
		case err != nil:
			letters = append(letters, deadletter.Letter{Topic: event.TopicExamples(l.o.objective), Record: records[i], Reason: err.Error()})
		case fresh:
			learned++
		default:
			repeated++
		}
		l.at.Next = records[i].Offset + 1
	}
	count := func(result string, n int) {
		if n > 0 {
			l.o.metrics.learned.WithLabelValues(l.o.objective, result).Add(float64(n))
		}
	}
	count("learned", learned)
	count("repeated", repeated)
	count("refused", len(letters))
	return l.o.letters.Write(ctx, letters...)
}

// learn takes one example; fresh is false when it was learned before.
func (l *learning) learn(value []byte) (fresh bool, err error) {
	if err := l.x.UnmarshalJSON(value); err != nil {
		return false, err
	}
	if l.x.Objective != l.o.objective {
		return false, &event.Error{Field: "objective", Reason: fmt.Sprintf("is %q, but the topic is of %q", l.x.Objective, l.o.objective)}
	}
	if !l.water.Fresh(l.x.Source, l.x.Revision) {
		return false, nil
	}
	l.encoded = features.Encode(l.encoded[:0], l.x.Features)
	_, err = l.net.Learn(l.encoded, l.x.Y, l.x.W, l.scratch)
	return true, err
}

// publish writes a message when something was learned and the time has come, and otherwise sets the timer for it.
func (l *learning) publish(ctx context.Context, timer *time.Timer) error {
	if l.net.Examples() == l.pub.from {
		return nil
	}
	if wait := l.pub.wait(l.o.cfg.Publish); wait > 0 && l.o.cfg.Publish > 0 {
		timer.Reset(wait)
		return nil
	}
	if l.pub.bytes > l.o.cfg.SnapshotBytes {
		return l.pub.snapshot(ctx, l.net)
	}
	return l.pub.delta(ctx, l.net)
}

func (l *learning) answer(ctx context.Context, r request) error {
	if r.kind == askSnapshot {
		if err := l.pub.snapshot(ctx, l.net); err != nil {
			return err
		}
	}
	n := l.net.Examples()
	r.answer <- state{
		Objective: l.o.objective, Model: event.ModelVersion(l.o.objective, n), Examples: n, Weights: WeightsHash(l.net), Epoch: l.pub.epoch,
	}
	return nil
}

func (l *learning) position() position {
	p := l.at
	p.Marks, p.Epoch = l.water.Marks(), l.pub.epoch
	return p
}

// checkpoint encodes the state when it is time to, unless the last one is still being written.
func (l *learning) checkpoint() {
	n := l.net.Examples() - l.saved
	if l.o.files == nil || n == 0 || n < l.o.cfg.CheckpointExamples && time.Since(l.savedAt) < l.o.cfg.CheckpointEvery || len(l.save) > 0 {
		return
	}
	began := time.Now()
	b, err := encodeCheckpoint(l.position(), l.net)
	if err != nil {
		l.o.logger.Error("cannot encode a checkpoint", "err", err)
		return
	}
	l.save <- b // has room: the length was checked, and nobody else sends
	l.saved, l.savedAt = l.net.Examples(), time.Now()
	l.o.metrics.checkpoint.Observe(time.Since(began).Seconds())
}

// writeCheckpoints writes what is encoded. A disk that is full costs no weights: the checkpoint before stays, and learning goes on.
func (o *owner) writeCheckpoints(ctx context.Context, save <-chan []byte) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-save:
			if err := o.files.write(b); err != nil {
				o.logger.Error("cannot write a checkpoint, going on with the one before", "err", err)
			}
		}
	}
}

// commit moves the group's offset, for lag tools only.
func (l *learning) commit(ctx context.Context, g *stream.Generation) {
	if time.Since(l.committed) < time.Second {
		return
	}
	l.committed = time.Now()
	if err := g.Commit(ctx, event.TopicExamples(l.o.objective), map[int]int64{0: l.at.Next}); err != nil && ctx.Err() == nil {
		l.o.logger.Debug("cannot commit", "err", err)
	}
}
