package learner

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
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
	o := &owner{cfg: DefaultConfig(), objective: "click", key: "click", metrics: newInstruments(nil)}
	o.cfg.SnapshotBytes = 1 << 20
	l := &learning{o: o, core: newCore(t), pub: newPublisher("click", 1, o.metrics), saver: newSaver(nil, -1), hasher: newHasher()}
	l.pub.step = pace{bytes: 3000}
	replica, now := model.NewReplica(), time.UnixMilli(1764061200000)
	var body []byte
	acknowledge := func() bool {
		select {
		case m := <-l.pub.jobs:
			body = append(body[:0], m.body...)
			if m.copy != nil {
				body = m.copy.AppendTo(body[:0])
			}
			if err := replica.Apply(body); err != nil || replica.Examples() != m.head.To {
				t.Fatalf("message %+v leads to version %d: %v", m.head, replica.Examples(), err)
			}
			if got, want := predictions(replica.Predict), said(m.head.To); !slices.Equal(got, want) {
				t.Fatalf("version %d predicts %v, want %v", m.head.To, got, want)
			}
			q.deltas++
			if m.copy != nil {
				q.deltas, q.snapshots = q.deltas-1, q.snapshots+1
				l.asked = slices.DeleteFunc(l.asked, func(r request) bool { return r.started })
			}
			l.pub.finished(sent{m, len(body), time.Duration(rng.Int64N(int64(20 * time.Millisecond)))}, now)
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
		l.behind = 0
		if rng.IntN(40) == 0 {
			l.behind, l.pub.perLearnt = farBehind+1, pieceBytes
		}
		if rng.IntN(40) == 0 {
			l.asked = append(l.asked[:0], request{kind: askSnapshot})
		}
		if rng.IntN(3) == 0 {
			l.pub.perLearnt = pieceBytes // as of a network that changes much with each example
		}
		l.publish(now)
		q.queued = max(q.queued, l.pub.waiting)
		if l.pub.givenUp {
			q.givenUp++
		}
		for rng.IntN(2) == 0 && acknowledge() {
		}
	}
	l.behind = 0
	for range 1000 { // examples come no more: everything is published in the end
		now = now.Add(time.Second)
		l.publish(now)
		acknowledge()
	}
	if replica.Examples() != 4000 || l.pub.waiting != 0 || l.pub.bytes != 0 || l.pub.written != 4000 {
		t.Errorf("the messages lead to version %d; %d messages of %d bytes are said to wait", replica.Examples(), l.pub.waiting, l.pub.bytes)
	}
}

func TestWhenAndWhichMessageIsMade(t *testing.T) {
	now := time.UnixMilli(1764061200000)
	cfg := DefaultConfig()
	f := func(what, kind string, wait time.Duration, behind int64, change func(p *publisher)) {
		t.Helper()
		p := newPublisher("click", 1, newInstruments(nil))
		p.perLearnt, p.snapshot, p.ended, p.size = 100, now.Add(-time.Minute), now.Add(-time.Second), 5<<20
		change(p)
		if k, w := p.next(&cfg, 100, behind, now); k != kind || w != wait {
			t.Errorf("%s: %q in %v, want %q in %v", what, k, w, kind, wait)
		}
	}
	f("it is time", weights.Delta, 0, 0, func(*publisher) {})
	f("nothing is new", "", 0, 0, func(p *publisher) { p.from = 100 })
	f("it is early", "", 40*time.Millisecond, 0, func(p *publisher) { p.ended = now.Add(-10 * time.Millisecond) })
	f("Kafka is slow", "", 790*time.Millisecond, 0, func(p *publisher) { p.ended, p.took = now.Add(-10*time.Millisecond), 200*time.Millisecond })
	f("one is on its way", "", 0, 0, func(p *publisher) { p.waiting = 1 })
	f("one is on its way, and much has changed", weights.Delta, 0, 0, func(p *publisher) { p.waiting, p.perLearnt = 1, 20_000 })
	f("too many wait", "", 0, 0, func(p *publisher) { p.waiting, p.perLearnt = maxWaiting, 20_000 })
	f("too much waits", "", 0, 0, func(p *publisher) { p.waiting, p.bytes, p.perLearnt = 2, waitingBytes, 20_000 })
	f("they have gone", weights.Snapshot, 0, 0, func(p *publisher) { p.givenUp, p.whole = true, time.Minute })
	f("far behind", weights.Snapshot, 0, farBehind+1, func(p *publisher) { p.perLearnt, p.ended = 20_000, now.Add(-time.Minute) })
	f("far behind, just after one", "", 7*time.Second, farBehind+1, func(p *publisher) { p.perLearnt, p.whole = 20_000, 2*time.Second })
	f("far behind with a small network", weights.Delta, 0, farBehind+1, func(*publisher) {})
	f("deltas add up", weights.Snapshot, 0, 0, func(p *publisher) { p.deltas = cfg.SnapshotBytes + 1 })
	f("deltas add up to less than a snapshot", weights.Delta, 0, 0, func(p *publisher) { p.deltas, p.size = cfg.SnapshotBytes+1, cfg.SnapshotBytes*2 })
	f("the last snapshot is old", weights.Snapshot, 0, 0, func(p *publisher) { p.snapshot = now.Add(-cfg.SnapshotEvery - 1) })
}

// A snapshot that outgrows what the topic keeps makes it keep more, before it is written.
func TestATopicKeepsTwoSnapshots(t *testing.T) {
	f := newFixture(t)
	topic := event.TopicModel("grown")
	if err := f.client.EnsureTopics(t.Context(), stream.Topic{Name: topic, Partitions: 1, RetentionBytes: event.ModelRetentionBytes}); err != nil {
		t.Fatal(err)
	}
	p := newPublisher("grown", 1, newInstruments(nil))
	keeps := func(want int64) {
		t.Helper()
		if _, got, err := f.client.KeepBytes(t.Context(), topic, 0); err != nil || got != want {
			t.Errorf("the topic keeps %d, %v; want %d", got, err, want)
		}
	}
	p.keep(t.Context(), f.client, 100<<20)
	keeps(event.ModelRetentionBytes)
	p.keep(t.Context(), f.client, 1<<30)
	keeps(2<<30 + 256<<20 + 1<<30 + 128<<20)
	p.keep(t.Context(), f.client, 1<<30+200<<20) // there is room still
	keeps(2<<30 + 256<<20 + 1<<30 + 128<<20)
}
