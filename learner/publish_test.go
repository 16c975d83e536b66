package learner

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
)

// TestMessagesThatQueueLeadToTheWeightsInAnyCase publishes while Kafka acknowledges late and by
// chance, examples come from near and far, and snapshots are copied over many batches; a replica
// that takes the messages in their order predicts, after each, what the network did at that
// version.
func TestMessagesThatQueueLeadToTheWeightsInAnyCase(t *testing.T) {
	rng := crashSeed(t)
	var all queueing
	for range 5 {
		all.run(t, rng)
	}
	if all.deltas < 30 || all.snapshots < 20 || all.queued < 4 || all.givenUp == 0 {
		t.Errorf("%+v: the test tests too little", all)
	}
	t.Logf("%+v", all)
}

// queueing counts what happened to messages.
type queueing struct{ deltas, snapshots, queued, givenUp int }

func (q *queueing) run(t *testing.T, rng *rand.Rand) {
	t.Helper()
	l := testLearning(t, nil)
	l.o.cfg.SnapshotBytes = 1 << 20
	l.copier.pace = pace{bytes: 3000}
	p := l.publisher
	replica, now := model.NewReplica(), time.UnixMilli(1764061200000)
	var body []byte
	acknowledge := func() bool {
		select {
		case m := <-l.writer.messages:
			body = append(body[:0], m.delta...)
			if m.snapshot != nil {
				body = m.snapshot.AppendTo(body[:0])
			}
			if err := replica.Apply(body); err != nil || replica.Examples() != m.head.To {
				t.Fatalf("message %+v leads to version %d: %v", m.head, replica.Examples(), err)
			}
			if got, want := predictions(replica.Predict), said(m.head.To); !slices.Equal(got, want) {
				t.Fatalf("version %d predicts %v, want %v", m.head.To, got, want)
			}
			q.deltas++
			if m.snapshot != nil {
				q.deltas, q.snapshots = q.deltas-1, q.snapshots+1
			}
			l.acknowledged(written{m, int64(len(body)), time.Duration(rng.Int64N(int64(20 * time.Millisecond)))}, now)
			l.questions.waiting[untilCopied] = nil
			return true
		default:
			return false
		}
	}
	for n := int64(0); n < 4000; {
		k := min(n+1+rng.Int64N(20), 4000)
		take(l.core, recordsOf(1, n, k))
		n = k
		now = now.Add(time.Duration(rng.Int64N(int64(30 * time.Millisecond))))
		l.lag.examples = 0
		if rng.IntN(40) == 0 {
			l.lag.examples, p.delta.perExample = farBehind+1, largeDelta
		}
		if rng.IntN(40) == 0 {
			l.questions.waiting[untilSnapshot] = []request{{first: untilSnapshot}}
		}
		if rng.IntN(3) == 0 {
			p.delta.perExample = largeDelta // as of a network that changes much with each example
		}
		l.betweenBatches(now)
		q.queued = max(q.queued, p.queue.len())
		if p.snapshotNext {
			q.givenUp++
		}
		for rng.IntN(2) == 0 && acknowledge() {
		}
	}
	l.lag.examples = 0
	for range 1000 { // examples come no more: everything is published in the end
		now = now.Add(time.Second)
		l.betweenBatches(now)
		acknowledge()
	}
	if replica.Examples() != 4000 || p.queue != (queue{}) || p.published != 4000 {
		t.Errorf("the messages lead to version %d; %+v is said to wait", replica.Examples(), p.queue)
	}
}

func TestWhenAndWhichMessageIsMade(t *testing.T) {
	now := time.UnixMilli(1764061200000)
	cfg := DefaultConfig()
	f := func(what, kind string, wait time.Duration, behind int64, change func(p *publisher)) {
		t.Helper()
		p := newPublisher(1, nil)
		p.delta = lastDelta{perExample: 100, written: now.Add(-time.Second)}
		p.snapshot = lastSnapshot{begun: now.Add(-time.Minute), bytes: 5 << 20}
		change(p)
		if k, w := p.next(&cfg, 100, behind, now); k != kind || w != wait {
			t.Errorf("%s: %q in %v, want %q in %v", what, k, w, kind, wait)
		}
	}
	f("it is time", weights.Delta, 0, 0, func(*publisher) {})
	f("nothing is new", "", 0, 0, func(p *publisher) { p.version = 100 })
	f("it is early", "", 40*time.Millisecond, 0, func(p *publisher) { p.delta.written = now.Add(-10 * time.Millisecond) })
	f("Kafka is slow", "", 790*time.Millisecond, 0, func(p *publisher) {
		p.delta.written, p.delta.took = now.Add(-10*time.Millisecond), 200*time.Millisecond
	})
	f("one is on its way", "", 0, 0, func(p *publisher) { p.queue.deltas = 1 })
	f("one is on its way, and much has changed", weights.Delta, 0, 0, func(p *publisher) { p.queue.deltas, p.delta.perExample = 1, 20_000 })
	f("too many wait", "", 0, 0, func(p *publisher) { p.queue.deltas, p.delta.perExample = maxQueued, 20_000 })
	f("too much waits", "", 0, 0, func(p *publisher) { p.queue, p.delta.perExample = queue{deltas: 2, deltaBytes: maxQueuedBytes}, 20_000 })
	f("they have gone", weights.Snapshot, 0, 0, func(p *publisher) { p.snapshotNext, p.snapshot.took = true, time.Minute })
	f("far behind", weights.Snapshot, 0, farBehind+1, func(p *publisher) { p.delta.perExample, p.delta.written = 20_000, now.Add(-time.Minute) })
	f("far behind, just after one", "", 7*time.Second, farBehind+1, func(p *publisher) { p.delta.perExample, p.snapshot.took = 20_000, 2*time.Second })
	f("far behind with a small network", weights.Delta, 0, farBehind+1, func(*publisher) {})
	f("deltas add up", weights.Snapshot, 0, 0, func(p *publisher) { p.snapshot.deltaBytes = cfg.SnapshotBytes + 1 })
	f("deltas add up to less than a snapshot", weights.Delta, 0, 0, func(p *publisher) { p.snapshot.deltaBytes, p.snapshot.bytes = cfg.SnapshotBytes+1, cfg.SnapshotBytes*2 })
	f("the last snapshot is old", weights.Snapshot, 0, 0, func(p *publisher) { p.snapshot.begun = now.Add(-cfg.SnapshotEvery - 1) })
}
