package learner

import (
	"context"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// learning is a network while this process owns it. The loop alone touches its fields. Reader,
// writer, saver and watcher are goroutines of their own, which share channels and atomics with it.
type learning struct {
	*core
	o           *owner
	takeover    takeover
	publisher   *publisher
	checkpoints *checkpoints
	questions   questions
	copier      *copier

	reader  *reader
	writer  *writer
	saver   *saver
	watcher *watcher
	blocks  *blockWriter

	lag lag
	// no checkpoint may be written any more: the network has diverged, or the position has passed
	// an example whose dead letter is not acknowledged, and which nobody would ever see again
	unsavable bool
	trace     func(cause string) // notes what the loop did since the last call; empty: nothing
}

func newLearning(o *owner, c *core, epoch int64, g *stream.Generation) *learning {
	w := newWriter(o)
	return &learning{
		core: c, o: o, publisher: newPublisher(epoch, w.messages), checkpoints: newCheckpoints(c.resumed),
		copier: &copier{net: c.net, pace: defaultPace}, reader: newReader(o), writer: w, saver: newSaver(o.files),
		watcher: newWatcher(o, g, c.at.TopicID, &w.ownSnapshot), trace: o.metrics.tracer(), blocks: newBlockWriter(o),
	}
}

// run learns until the generation ends, and then writes a last checkpoint.
func (l *learning) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	topicID, next := l.at.TopicID, l.at.Next
	group.Go(func() error { return l.reader.run(ctx, topicID, next) })
	group.Go(func() error { return l.writer.run(ctx) })
	group.Go(func() error { return l.saver.run(ctx) })
	group.Go(func() error { return l.watcher.run(ctx) })
	group.Go(func() error { return l.blocks.run(ctx) })
	group.Go(func() error { return l.loop(ctx) })
	err := group.Wait()
	l.questions.requeue()
	if l.unsavable || l.watcher.suspect.Load() {
		return err
	}
	if err := l.saveLast(); err != nil {
		l.o.metrics.unsaved.WithLabelValues(l.o.key).Inc()
		l.o.logger.Error("cannot write the last checkpoint: the examples behind the one before will be learned again", "err", err)
	}
	return err
}

func (l *learning) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	l.writeBlocks() // of the checkpoint
	rested := false // since the last batch
	for {
		// a batch waits for one step of a copy, not for several
		if !rested || len(l.reader.full) == 0 {
			if wait := l.betweenBatches(time.Now()); wait > 0 {
				timer.Reset(wait)
			}
			rested = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-l.reader.full:
			l.watcher.batches.Add(1)
			l.trace("")
			if err := l.learnBatch(ctx, b); err != nil {
				return err
			}
			l.trace("learn")
			rested = false
			l.reader.empty <- b
		case m := <-l.writer.done:
			l.acknowledged(m, time.Now())
		case r := <-l.saver.done:
			l.finished(r, time.Now())
		case b := <-l.blocks.done:
			l.blocks.busy = false
			l.judged.written(b[len(b)-1].Start)
			l.writeBlocks()
		case r := <-l.o.requests:
			l.questions.accept(r, l.at.Next)
		case <-l.watcher.lost:
			l.publisher.snapshotLost = true
		case <-timer.C:
		}
	}
}

// betweenBatches makes the message that is due, and takes one step of a copy. It returns how long
// until there is more to do; 0: until something else wakes the loop.
func (l *learning) betweenBatches(now time.Time) time.Duration {
	l.trace("")
	l.copier.reserving = false
	wait := l.publish(now)
	l.copier.advance(toPublish)
	l.trace("publish")
	if save := l.save(now); save > 0 && (wait == 0 || save < wait) {
		wait = save
	}
	l.copier.advance(toSave)
	l.trace("checkpoint")
	l.answer()
	l.copier.advance(toHash)
	l.trace("question")
	if l.copier.busy() {
		return 1
	}
	return wait
}

// learnBatch learns a batch. Nothing after an example that can never be learned is published or
// saved before its dead letter is acknowledged.
func (l *learning) learnBatch(ctx context.Context, b *batch) error {
	before, began := l.judged.all, time.Now()
	outcome, err := l.learn(b)
	if err != nil {
		l.unsavable = true
		l.o.logger.Error("the network cannot learn on: beginning again at the last checkpoint; lower the rates of the model's optimizers, or set model.clip", "err", err)
		return err
	}
	l.o.metrics.count(l.o.key, &outcome, before, l.judged.all)
	l.logLag(b, time.Now())
	letters := make([]deadletter.Letter, len(outcome.refused))
	for i, r := range outcome.refused {
		letters[i] = deadletter.Letter{Topic: l.o.topic(), Record: b.record(r.example), Reason: r.err.Error()}
	}
	if err := l.o.letters.Write(ctx, letters...); err != nil {
		l.unsavable = true
		return err
	}
	l.traceLearned(b, began)
	l.writeBlocks()
	l.watcher.next.Store(l.at.Next)
	l.questions.learned(l.at.Next)
	return nil
}

// traceLearned makes a span of each example whose trace is sampled. The version is that behind the
// batch: the first that is published and has learned them.
func (l *learning) traceLearned(b *batch, began time.Time) {
	if l.o.tracer == nil {
		return
	}
	version := event.ModelVersion(l.o.key, l.net.Examples())
	for i := range b.examples {
		if e := &b.examples[i]; e.trace != nil {
			s := l.o.tracer.Begin(e.trace, "learn "+l.o.key, began)
			s.Place(0, e.offset)
			s.Note("model", version)
			s.End()
		}
	}
}

// writeBlocks hands the blocks that are not on the topic to their writer, unless it is busy.
func (l *learning) writeBlocks() {
	j := &l.judged
	if j.lost > 0 {
		l.o.metrics.blocks.WithLabelValues(l.o.key, "lost").Add(float64(j.lost))
		l.o.logger.Error("blocks of the progressive validation loss were given up, since Kafka does not take them fast enough", "count", j.lost)
		j.lost = 0
	}
	if !l.blocks.busy && len(j.done) > 0 {
		l.blocks.busy = true
		l.blocks.batches <- slices.Clone(j.done)
	}
}

// publish makes a delta, or begins a snapshot, when one is due. It returns how long until it must
// be called again, 0 when something else wakes the loop.
func (l *learning) publish(now time.Time) time.Duration {
	p := l.publisher
	if !l.mayPublish() {
		return 0
	}
	kind, wait := p.next(&l.o.cfg, l.net.Examples(), l.lag.examples, now)
	needed := len(l.questions.waiting[untilSnapshot]) > 0 || p.snapshot.begun.IsZero() || p.snapshotLost
	snapshot := needed || kind == weights.Snapshot || kind == weights.Delta && l.net.DeltaLost()
	switch {
	case snapshot && l.copier.ready(toPublish):
		l.questions.move(untilSnapshot, untilWritten)
		p.beginSnapshot(l.copier, now)
	case kind != "" && p.deltasLead(l.net):
		// also while a snapshot has to wait, or one delta would hold all that is learned meanwhile
		p.makeDelta(l.net)
	}
	return wait
}

// save begins a checkpoint when one is due. Like publish, it returns how long until it must be
// called again.
func (l *learning) save(now time.Time) time.Duration {
	c := l.checkpoints
	if l.saver.files == nil {
		return 0
	}
	wait, due := c.due(l.net.Examples(), l.lag.examples, &l.o.cfg, now)
	if due && l.copier.ready(toSave) {
		c.begun = now
		l.copyWhole(toSave)
	}
	return wait
}

// answer answers questions for the state. When the hash of the weights is not known, it begins a
// copy for the saver: to hash a large network takes most of a second.
func (l *learning) answer() {
	q := &l.questions
	if len(q.waiting[untilCopied]) == 0 {
		return
	}
	if now := l.state(); q.known.Weights != "" && q.known.Examples == now.Examples {
		now.Weights = q.known.Weights
		q.answer(untilCopied, now)
	} else if l.copier.ready(toHash) {
		q.copied = now
		q.move(untilCopied, untilHashed)
		l.copyWhole(toHash)
	}
}

// copyWhole begins a copy of the whole state, which the saver gets.
func (l *learning) copyWhole(p purpose) {
	j := job{purpose: p, position: l.position(l.publisher.epoch), examples: l.net.Examples()}
	l.copier.begin(want{p, func(done *model.Capture) {
		j.copy = done
		l.saver.jobs <- j
	}})
}

// acknowledged notes that Kafka has a message.
func (l *learning) acknowledged(m written, now time.Time) {
	l.publisher.acknowledged(m, now)
	l.o.metrics.version.WithLabelValues(l.o.key).Set(float64(l.publisher.published))
	l.o.metrics.made.WithLabelValues(l.o.key).Set(float64(now.UnixMilli()) / 1000)
	if m.snapshot != nil {
		l.copier.release(toPublish, m.snapshot)
		l.questions.move(untilWritten, untilCopied)
	}
}

// finished notes how a job of the saver ended. A checkpoint that cannot be written costs no
// weights.
func (l *learning) finished(r result, now time.Time) {
	l.copier.release(r.purpose, r.copy)
	if r.purpose == toHash {
		l.questions.copied.Weights = r.weights
		l.questions.answer(untilHashed, l.questions.copied)
		return
	}
	l.checkpoints.finished(r.examples, r.err, now)
	if r.err == nil {
		l.o.metrics.saved.WithLabelValues(l.o.key).Set(float64(now.UnixMilli()) / 1000)
	} else {
		l.o.metrics.unsaved.WithLabelValues(l.o.key).Inc()
		l.o.logger.Error("cannot write a checkpoint, going on with the one before and trying again: see that there is room in the folder data, and that it can be written", "err", r.err)
	}
}

// saveLast writes a checkpoint when the other goroutines have ended. A copy under way is given up.
func (l *learning) saveLast() error {
	if l.saver.files == nil || l.net.Examples() == l.checkpoints.saved {
		return nil
	}
	return l.saver.save(l.position(l.publisher.epoch), l.net)
}
