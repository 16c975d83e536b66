package learner

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/stream"
)

const (
	crashExamples = 240
	crashEvery    = 40 // examples between checkpoints
)

// crashRecords are the examples of all crash tests.
var crashRecords = recordsOf(1, 0, crashExamples)

// mortal is a learner whose processes end, one after another, on one disk. It learns, copies and
// writes as the stage does, in one goroutine.
type mortal struct {
	t    *testing.T
	rng  *rand.Rand
	disk *memoryDisk

	saved   int64 // examples in the newest checkpoint that was written whole
	faults  int   // checkpoints that could not be written
	resumed int64 // examples that the last process began with
}

func newMortal(t *testing.T, rng *rand.Rand) *mortal {
	return &mortal{t: t, rng: rng, disk: newMemoryDisk(rng)}
}

// life is one process: it resumes from what is on the disk, and learns until it is killed or has
// everything.
func (m *mortal) life() (c *core, done bool) {
	defer func() {
		if r := recover(); r != nil && r != any(killed{}) {
			panic(r)
		}
	}()
	m.disk.count = 0
	f, err := newFiles(m.disk, "checkpoints", "click")
	if err != nil {
		m.t.Fatal(err)
	}
	o := testOwner(f)
	o.cfg.CheckpointExamples, o.cfg.CheckpointEvery = crashEvery, time.Hour
	c = &core{resumed: -1}
	if err := o.restore(c); err != nil {
		m.t.Fatal(err)
	}
	if c.net == nil {
		if err := o.begin(c); err != nil {
			m.t.Fatal(err)
		}
	}
	c.at.Objective, c.at.TopicID = "click", "bbbbbbbb"
	m.resumed = c.net.Examples()
	l := newLearning(o, c, 1, nil)
	l.copier.pace, l.checkpoints.gapFactor, l.checkpoints.retryAfter = pace{bytes: 8000}, 0, 0 // several batches a checkpoint
	l.takeover.published = 1 << 40                                                             // nothing is published
	for c.at.Next < crashExamples {
		m.disk.operation("learn", func() { take(c, crashRecords[c.at.Next:min(c.at.Next+8, crashExamples)]) }, nil)
		l.betweenBatches(time.Now())
		if len(l.saver.jobs) > 0 {
			m.wrote(l, l.saver.do(<-l.saver.jobs))
		}
	}
	if err := l.saveLast(); err == nil {
		m.saved = c.net.Examples()
	} else {
		m.faults++
	}
	return c, true
}

func (m *mortal) wrote(l *learning, r result) {
	l.finished(r, time.Now())
	if r.err != nil {
		m.faults++
		return
	}
	m.saved = l.checkpoints.saved
}

// restart is what follows a process's end: the next one must find at least the last checkpoint that
// was written whole.
func (m *mortal) restart(power bool) {
	if power {
		m.disk.losePower()
	}
	m.disk.die = 0
}

// end lets a last process live, and compares.
func (m *mortal) end(want [32]byte, what string, args ...any) {
	m.t.Helper()
	least := m.saved
	c, done := m.life()
	switch {
	case !done || c.net.Hash() != want:
		m.t.Fatalf(what+": the weights differ from those of a learner that nothing happened to", args...)
	case m.resumed < least:
		m.t.Fatalf(what+": it resumed at %d examples, a checkpoint of %d was written", append(args, m.resumed, least)...)
	}
	if left, _ := m.disk.Glob("checkpoints/*.temporary"); len(left) > 0 {
		m.t.Fatalf(what+": unfinished files are left: %v", append(args, left)...)
	}
}

func crashSeed(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// straightHash is the weights' hash of a learner that nothing happens to, and the names of its
// operations.
func straightHash(t *testing.T, rng *rand.Rand) ([32]byte, *memoryDisk) {
	t.Helper()
	m := newMortal(t, rng)
	c, done := m.life()
	if !done || m.saved != crashExamples {
		t.Fatalf("the undisturbed learner ended with a checkpoint of %d examples", m.saved)
	}
	plain := newCore(t)
	take(plain, crashRecords)
	if c.net.Hash() != plain.net.Hash() {
		t.Fatal("the learner that writes checkpoints has other weights than one that does not")
	}
	for _, step := range []string{"learn", "create", "write", "sync", "close", "rename", "sync folder"} {
		if m.disk.steps[step] < 5 {
			t.Fatalf("the undisturbed learner's operations are %v: too few", m.disk.steps)
		}
	}
	return c.net.Hash(), m.disk
}

// TestEndedAtAnyStepTheWeightsComeOutTheSame ends a learner before, in the middle of and after each
// of its steps, by a kill and by a loss of power.
func TestEndedAtAnyStepTheWeightsComeOutTheSame(t *testing.T) {
	rng := crashSeed(t)
	want, undisturbed := straightHash(t, rng)
	for at := 1; at <= undisturbed.count; at++ {
		for _, after := range []bool{false, true} {
			for _, power := range []bool{false, true} {
				m := newMortal(t, rng)
				m.disk.die, m.disk.after = at, after
				if _, done := m.life(); done {
					t.Fatalf("step %d was not reached", at)
				}
				m.restart(power)
				m.end(want, "ended at step %d (after it: %v, power lost: %v)", at, after, power)
			}
		}
	}
	t.Logf("%d steps: %v", undisturbed.count, undisturbed.steps)
}

// TestKilledAgainAndAgainTheWeightsComeOutTheSame ends processes at random steps, one after another
// on one disk.
func TestKilledAgainAndAgainTheWeightsComeOutTheSame(t *testing.T) {
	rng := crashSeed(t)
	want, undisturbed := straightHash(t, rng)
	kills := 0
	for range 12 {
		m := newMortal(t, rng)
		for range 10 {
			m.disk.die, m.disk.after = 1+rng.IntN(undisturbed.count/3), rng.IntN(2) == 0
			if _, done := m.life(); done {
				break
			}
			kills++
			m.restart(rng.IntN(2) == 0)
		}
		m.restart(false)
		m.end(want, "after %d kills in all", kills)
	}
	if kills < 50 {
		t.Errorf("only %d kills", kills)
	}
}

// TestAFullDiskCostsNoWeights fills the disk for a while from each step on that needs room, kills
// the process while it is full, and makes room again.
func TestAFullDiskCostsNoWeights(t *testing.T) {
	rng := crashSeed(t)
	want, undisturbed := straightHash(t, rng)
	faults := 0
	for at := 1; at <= undisturbed.count; at++ {
		for _, kill := range []bool{false, true} {
			m := newMortal(t, rng)
			until := at + rng.IntN(60)
			m.disk.full = func() bool { return m.disk.count >= at && m.disk.count <= until }
			if kill {
				m.disk.die = at + rng.IntN(30)
			}
			c, done := m.life()
			if done && c.net.Hash() != want {
				t.Fatalf("full from step %d to %d: the weights differ", at, until)
			}
			faults += m.faults
			m.disk.full = nil
			m.restart(rng.IntN(2) == 0)
			m.end(want, "full from step %d to %d, killed: %v", at, until, !done)
		}
	}
	if faults < 50 {
		t.Errorf("only %d checkpoints found the disk full", faults)
	}
}

// TestATornCheckpointCostsNoWeights cuts the newest checkpoint at any byte, or flips a bit, or does
// it to both, and kills the process that finds it so.
func TestATornCheckpointCostsNoWeights(t *testing.T) {
	rng := crashSeed(t)
	want, undisturbed := straightHash(t, rng)
	m := newMortal(t, rng)
	m.disk.die = undisturbed.count - 20
	if _, done := m.life(); done {
		t.Fatal("it was not killed")
	}
	const newest, previous = "checkpoints/click.checkpoint", "checkpoints/click.checkpoint.previous"
	whole, before := m.disk.names[newest].data, m.disk.names[previous].data
	_, net, err := decodeCheckpoint(before)
	if err != nil {
		t.Fatal(err)
	}
	tear := func(b []byte) []byte {
		b = bytes.Clone(b)
		if rng.IntN(2) == 0 {
			return b[:rng.IntN(len(b))]
		}
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return b
	}
	for i := range 150 {
		m := newMortal(t, rng)
		file := func(b []byte) *memoryFile { return &memoryFile{bytes.Clone(b), len(b)} }
		m.disk.names[newest], m.disk.names[previous], m.saved = file(tear(whole)), file(before), net.Examples()
		if i%5 == 0 {
			m.disk.names[previous], m.saved = file(tear(before)), 0
		}
		_ = m.disk.SyncDir("") // makes the names last
		if i%3 > 0 {
			// Until its first checkpoint is in place this process stands on the one before, which
			// it must not replace by the torn one.
			m.disk.die, m.disk.after = 1+rng.IntN(24), rng.IntN(2) == 0
			_, _ = m.life()
			m.restart(i%3 == 1)
		}
		m.end(want, "torn checkpoint %d", i)
	}
}

// TestAWriteThatFailsInTheEndIsTriedAgain is of the stage's own goroutines: a checkpoint that finds
// no room is told of, and a later one is written.
func TestAWriteThatFailsInTheEndIsTriedAgain(t *testing.T) {
	d := newMemoryDisk(crashSeed(t))
	f, err := newFiles(d, "checkpoints", "click")
	if err != nil {
		t.Fatal(err)
	}
	o := testOwner(f)
	o.cfg.CheckpointExamples = 1
	c := newCore(t)
	l := newLearning(o, c, 1, nil)
	l.takeover.published = 1 << 40 // nothing is published
	l.checkpoints.gapFactor, l.checkpoints.retryAfter = 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.saver.run(ctx) }()
	save := func(records []stream.Record) error {
		take(c, records)
		for !l.copier.whole.used || l.copier.busy() {
			l.betweenBatches(time.Now())
		}
		r := <-l.saver.done
		l.finished(r, time.Now())
		return r.err
	}
	if err := save(crashRecords[:10]); err != nil {
		t.Fatal(err)
	}
	d.full = func() bool { return true }
	if err := save(crashRecords[10:20]); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk gave %v", err)
	}
	if found, problems := f.read(); found.net == nil || found.net.Examples() != 10 || len(problems) > 0 {
		t.Errorf("while the disk is full: %+v, %v", found.position, problems)
	}
	l.checkpoints.retryAfter = time.Hour // as in earnest it is tried again after a while, not after every batch
	if wait := l.betweenBatches(time.Now()); wait <= 0 || l.copier.whole.used {
		t.Errorf("after a failure the next checkpoint is begun at once")
	}
	l.checkpoints.retryAfter = 0
	d.full = nil
	if err := save(crashRecords[20:30]); err != nil {
		t.Fatal(err)
	}
	if found, _ := f.read(); found.net == nil || found.net.Examples() != 30 || found.path != f.newest {
		t.Errorf("after the disk has room again: %+v", found.position)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
