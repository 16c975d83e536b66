package learner

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// When a checkpoint is begun: after a time or so many examples, less often where writing one takes
// long or fails, and for examples from far behind by time alone.
func TestACheckpointIsBegunInItsTime(t *testing.T) {
	now := time.Now()
	f := func(what string, since time.Duration, change func(*checkpoints, *Config), behind int64, least, most time.Duration) {
		t.Helper()
		s := newCheckpoints(0)
		s.attempted = now.Add(-since)
		cfg := Config{CheckpointEvery: time.Hour, CheckpointExamples: 1000}
		if change != nil {
			change(s, &cfg)
		}
		wait, due := s.due(50, behind, &cfg, now)
		if due != (most == 0) || !due && (wait < least || wait > most) {
			t.Errorf("%s: due is %v, waiting %v, want %v to %v", what, due, wait, least, most)
		}
	}
	few := func(_ *checkpoints, cfg *Config) { cfg.CheckpointExamples = 50 }
	f("just saved", 0, nil, 0, 59*time.Minute, time.Hour)
	f("half of the time", 30*time.Minute, nil, 0, 29*time.Minute, 30*time.Minute)
	f("the time is over", 61*time.Minute, nil, 0, 0, 0)
	f("enough examples", 0, few, 0, 0, 0)
	f("one example less", 0, func(_ *checkpoints, cfg *Config) { cfg.CheckpointExamples = 51 }, 0, 59*time.Minute, time.Hour)
	f("enough examples, from far behind", 0, few, farBehind+1, 59*time.Minute, time.Hour)
	f("enough examples, not so far", 0, few, farBehind, 0, 0)
	f("the last one took long", 2*time.Hour, func(s *checkpoints, _ *Config) { s.took = time.Hour }, 0, 119*time.Minute, 2*time.Hour)
	f("the last one took long, long ago", 5*time.Hour, func(s *checkpoints, _ *Config) { s.took = time.Hour }, 0, 0, 0)
	f("the last one failed", 4*time.Second, func(s *checkpoints, cfg *Config) { few(s, cfg); s.failed = true }, 0, 5*time.Second, 6*time.Second)
	f("the last one failed a while ago", 11*time.Second, func(s *checkpoints, cfg *Config) { few(s, cfg); s.failed = true }, 0, 0, 0)
	s := newCheckpoints(50)
	s.attempted = time.Time{}
	if wait, due := s.due(50, 0, &Config{CheckpointEvery: time.Hour, CheckpointExamples: 1}, now); wait != 0 || due {
		t.Errorf("nothing new: waiting %v, due %v", wait, due)
	}
}

// The last checkpoint, at the end of a process, is counted when it fails and only then.
func TestALastCheckpointThatFailsIsCounted(t *testing.T) {
	f := newFixture(t)
	f.produce(recordsOf(1, 0, 20))
	run := func(folder string) (*prometheus.Registry, *running) {
		reg := prometheus.NewRegistry()
		r := f.run(folder, func(c *Config, d *Deps) {
			c.CheckpointEvery, c.CheckpointExamples = time.Hour, 1<<40
			d.Registerer = reg
		})
		r.await(20)
		return reg, r
	}
	reg, r := run(filepath.Join(t.TempDir(), "checkpoints"))
	r.stop()
	if n := failures(t, reg); n != 0 {
		t.Errorf("%v checkpoints failed at a clean end", n)
	}
	folder := filepath.Join(t.TempDir(), "checkpoints")
	reg, r = run(folder)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // no folder can be made here
		t.Fatal(err)
	}
	r.stop()
	if n := failures(t, reg); n != 1 {
		t.Errorf("%v checkpoints failed, want the last one", n)
	}
}

// A replay ends at the offset or the number of examples that it is asked for, to the example.
func TestAReplayEndsWhereItIsAskedTo(t *testing.T) {
	f := newFixture(t)
	f.produce(recordsOf(1, 0, 30))
	s, err := NewState("click", smallModel())
	if err != nil {
		t.Fatal(err)
	}
	to := func(until Until, want int64) {
		t.Helper()
		calls := 0
		if err := s.Replay(t.Context(), f.client, until, func() { calls++ }); err != nil {
			t.Fatal(err)
		}
		if n := s.Net().Examples(); n != want || WeightsHash(s.Net()) != straight(t, want) || calls == 0 {
			t.Errorf("up to %+v: %d examples in %d steps, want %d", until, n, calls, want)
		}
	}
	to(Until{Offset: 30, Examples: 7}, 7)
	to(Until{Offset: 12}, 12)
	to(Until{Offset: 30, Examples: 13}, 13)
	to(Until{Offset: 30, Examples: 1000}, 30)
}
