package learner

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/stream"
)

// batchExamples is how many examples are learned between two looks at the clock and the questions.
const batchExamples = 256

// learning is the state of one ownership. Its loop is the one goroutine that touches the network.
type learning struct {
	*core
	o          *owner
	generation *stream.Generation
	pub        *publisher
	saver      *saver
	hasher     *hasher
	full       chan *decoded
	empty      chan *decoded
	lost       chan struct{} // room for one: the last snapshot is gone

	taken   atomic.Int64 // batches
	next    atomic.Int64 // offset of the first example that is not learned
	suspect atomic.Bool  // records of another topic may have been learned since the last checkpoint
	broken  bool         // the network must not be used again
	// unburied: examples that cannot be learned were passed, and their dead letters are not
	// acknowledged. The position must not outlive the process, or nobody would ever see them.
	unburied bool
	behind   int64
	late     time.Duration // age of the newest example when it was learned
	asked    []request     // for a snapshot: answered when it is written
	early    []request     // whose offset is not learned yet
	told     time.Time
	pooled   bool // it was told that the table is full

	takeover takeover
	waits    bool // for it

	mark func(what string) // says what the loop did since the last mark; empty: nothing of note
}

func (l *learning) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	rested := false // from learning, since the last batch
	for {
		// a batch that waits does so for one step of a copy, whatever else there is to do
		if !rested || len(l.full) == 0 {
			if wait := l.rest(); wait > 0 {
				timer.Reset(wait)
			}
			rested = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d := <-l.full:
			l.taken.Add(1)
			l.mark("")
			if err := l.batch(ctx, d); err != nil {
				return err
			}
			l.mark("learn")
			rested = false
			l.empty <- d // has room for both
		case m := <-l.pub.done:
			if l.pub.finished(m, time.Now()); m.copy != nil {
				l.answerSnapshots()
			}
		case err := <-l.saver.done:
			if l.saver.finished(err); err != nil {
				l.o.metrics.unsaved.WithLabelValues(l.o.key).Inc()
				l.o.logger.Error("cannot write a checkpoint, going on with the one before and trying again: see that there is room in the folder data, and that it can be written", "err", err)
			}
		case r := <-l.o.requests:
			l.take(r)
		case <-l.lost:
			l.pub.lost = true
		case weights := <-l.hasher.done:
			l.hasher.finished(weights)
		case <-timer.C:
		}
	}
}

// rest does what is to be done between two batches: a message, and a step of what is being copied.
// It returns how long it is until there is more, 0 when something else wakes the loop.
func (l *learning) rest() time.Duration {
	l.mark("")
	wait := l.publish(time.Now())
	l.mark("publish")
	if l.pub.copying == nil && l.hasher.copying == nil && !l.hasher.hashing { // one copy at a time
		if save := l.saver.advance(l.core, l.behind, l.pub.epoch, &l.o.cfg); save > 0 && (wait == 0 || save < wait) {
			wait = save
		}
	}
	l.mark("checkpoint")
	if l.hasher.advance(l.state(), l.net, l.pub.copying == nil && l.saver.capture == nil && !l.saver.writing, l.saver) {
		wait = 1
	}
	l.mark("question")
	return wait
}

// batch learns examples in their order; what can never be learned is buried, and nothing that comes
// later is published or saved before that is acknowledged.
func (l *learning) batch(ctx context.Context, d *decoded) error {
	before := l.judged.all
	t, err := l.learn(d)
	if err != nil {
		l.broken = true
		l.o.logger.Error("the network cannot learn on: beginning again at the last checkpoint; lower the rates of the model's optimizers, or set model.clip", "err", err)
		return err
	}
	for v, name := range [verdicts]string{learned: "learned", repeated: "repeated", refused: "refused"} {
		if t.counts[v] > 0 {
			l.o.metrics.examples.WithLabelValues(l.o.key, name).Add(float64(t.counts[v]))
		}
	}
	l.o.metrics.loss.WithLabelValues(l.o.key).Add(max(l.judged.all.sum-before.sum, 0))
	l.o.metrics.judged.WithLabelValues(l.o.key).Add(l.judged.all.weight - before.weight)
	l.tell(d)
	letters := make([]deadletter.Letter, len(t.refused))
	for i, r := range t.refused {
		letters[i] = deadletter.Letter{Topic: l.o.topic(), Record: d.record(r.item), Reason: r.err.Error()}
	}
	if err := l.o.letters.Write(ctx, letters...); err != nil {
		l.unburied = true // the position has passed what nobody has: no checkpoint may say so
		return err
	}
	l.next.Store(l.at.Next)
	l.retake()
	return nil
}

// tell says, once in ten seconds, how far a learner is behind that does not keep up, and when its
// table is full.
func (l *learning) tell(d *decoded) {
	now := time.Now()
	l.behind = max(d.end-l.at.Next, 0)
	if len(d.items) > 0 {
		l.late = max(now.Sub(d.newest), 0)
	}
	l.o.metrics.behind.WithLabelValues(l.o.key).Set(float64(l.behind))
	l.o.metrics.late.WithLabelValues(l.o.key).Set(l.late.Seconds())
	use := l.net.Occupancy()
	l.o.metrics.tokens.WithLabelValues(l.o.key).Set(float64(use.Tokens))
	l.o.metrics.fields.WithLabelValues(l.o.key).Set(float64(use.Fields))
	l.o.metrics.expired.WithLabelValues(l.o.key).Set(float64(use.Expired))
	l.o.metrics.slots.WithLabelValues(l.o.key).Set(float64(use.Slots) / float64(max(use.MaxSlots, 1)))
	if use.Pooled && !l.pooled {
		l.pooled = true
		l.o.logger.Warn("the network's table is full: new tokens share records from now on; model.admission and model.expiry keep tokens out that hardly come, a larger model.table_bits has room for more; either starts a new network", "tokens", use.Tokens, "max_tokens", use.MaxTokens)
	}
	if l.behind > farBehind && now.Sub(l.told) > 10*time.Second {
		l.told = now
		l.o.logger.Warn("the learner is behind the examples", "examples", l.behind, "seconds", int64(l.late.Seconds()), "learned", l.net.Examples(), "published", max(l.pub.written, l.takeover.published))
	}
}

// publish goes on with a snapshot that is being copied, and starts a message when there is
// something to say and its time has come. It returns how long it is until then, 0 when something
// else wakes the loop.
func (l *learning) publish(now time.Time) time.Duration {
	p := l.pub
	ready, current := l.takeover.look(l.net.Examples(), l.at.Next)
	p.current = current
	if l.waits != !ready {
		l.waits = !ready
		l.takeover.tell(l.o.logger, ready, l.net.Examples(), l.at.Next)
	}
	if !ready {
		return 0 // what is learned wakes the loop
	}
	if p.copying != nil {
		p.copyOn()
	}
	kind, wait := p.next(&l.o.cfg, l.net.Examples(), l.behind, now)
	due := kind != ""
	asked := len(l.asked) > 0 || p.snapshot.IsZero() || p.lost
	if asked || kind == weights.Delta && l.net.DeltaLost() {
		kind = weights.Snapshot
	}
	// one copy at a time
	alone := l.saver.capture == nil && l.hasher.copying == nil && p.snapshots == 0
	if kind == weights.Snapshot && !(alone && p.step.reserve(l.net, &p.old, false)) {
		// or all that is learned meanwhile would be in one delta
		if due && !p.givenUp && !l.net.DeltaLost() {
			p.start(weights.Delta, l.net, now)
		}
		return 1
	}
	if kind == weights.Snapshot {
		for i := range l.asked {
			l.asked[i].started = true
		}
	}
	if kind != "" {
		p.start(kind, l.net, now)
	}
	if p.copying != nil {
		return 1 // as soon as there is nothing else to do
	}
	return wait
}

// take takes a question: one for the state is answered when the weights are hashed, one for a
// snapshot when that is written, either not before its offset is learned.
func (l *learning) take(r request) {
	if r.offset > l.at.Next {
		// so that they cannot pile up where nothing comes
		l.early = slices.DeleteFunc(l.early, func(r request) bool { return r.ctx.Err() != nil })
		l.early = append(l.early, r)
		return
	}
	if r.kind == askSnapshot {
		l.asked = append(l.asked, r)
		return
	}
	l.hasher.asked = append(l.hasher.asked, r)
}

// retake takes the questions that were early.
func (l *learning) retake() {
	if len(l.early) == 0 {
		return
	}
	early := l.early
	l.early = nil
	for _, r := range early {
		l.take(r)
	}
}

// giveBack tells those whose questions are not answered that the generation has ended.
func (l *learning) giveBack() {
	for _, r := range slices.Concat(l.early, l.asked, l.hasher.asked, l.hasher.waiting) {
		close(r.answer)
	}
}

func (l *learning) answerSnapshots() {
	rest := l.asked[:0]
	for _, r := range l.asked {
		if r.started {
			l.hasher.asked = append(l.hasher.asked, r)
		} else {
			rest = append(rest, r)
		}
	}
	l.asked = rest
}

// state is where the network is; its weights are not hashed.
func (l *learning) state() state {
	n := l.net.Examples()
	return state{
		Objective: l.o.objective, Network: l.o.network(), Model: event.ModelVersion(l.o.key, n), Examples: n, Epoch: l.pub.epoch,
		Behind: l.behind, BehindSeconds: l.late.Seconds(), Published: l.pub.written, Checkpoint: max(l.saver.saved, 0), Next: l.at.Next, Judged: l.core.judged,
	}
}

// commits moves the group's offset once a second, for lag tools only: the position is the
// checkpoint's. It is not the loop's, since Kafka may take its time.
func (l *learning) commits(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := l.generation.Commit(ctx, l.o.topic(), map[int]int64{0: l.next.Load()}); err != nil && ctx.Err() == nil {
			l.o.logger.Debug("cannot commit", "err", err)
		}
	}
}
