package learner

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/prometheus/client_golang/prometheus"
)

// No checkpoint lies behind an example that was refused and whose dead letter is not acknowledged,
// also not the last one of a process that is stopped then.
func TestNoCheckpointPassesAnUnburiedExample(t *testing.T) {
	broker := backend.NewRefusing(t)
	f := &fixture{t: t, brokers: []string{broker.Kafka}, prefix: backend.Prefix(t)}
	f.client = f.dial()
	f.topics()
	deadletter := f.prefix + event.TopicDeadLetter
	records := recordsOf(1, 0, 60)
	records[40].Value = []byte("{broken")
	f.produce(records)
	dir := t.TempDir()
	every := func(c *Config, _ *Deps) { c.CheckpointExamples = 1 }
	broker.Refuse(deadletter, true)
	for range 2 {
		before := broker.Refused(deadletter)
		r := f.run(dir, every)
		for end := time.Now().Add(30 * time.Second); broker.Refused(deadletter) < before+3; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no letter was refused in 30s")
			}
		}
		r.stop()
		if b, err := os.ReadFile(filepath.Join(dir, "click.checkpoint")); err == nil {
			if p, net, err := decodeCheckpoint(b); err != nil || p.Next > 40 {
				t.Fatalf("a checkpoint has %d examples and goes on at %d (%v), but the letter of offset 40 is nowhere", net.Examples(), p.Next, err)
			}
		}
	}
	broker.Refuse(deadletter, false)
	r := f.run(dir, every)
	if s := r.await(59); s.Next != 60 {
		t.Errorf("the learner is at %+v, want 59 examples up to 60", s)
	}
	letters := f.read(event.TopicDeadLetter)
	if len(letters) == 0 {
		t.Fatal("there is no dead letter")
	}
	if d, err := event.ParseDeadLetter(letters[0].Value); err != nil || d.Offset != 40 || string(d.Payload) != "{broken" {
		t.Errorf("dead letter %+v, %v", d, err)
	}
}

// A folder of checkpoints that is deleted under a running learner is made again, and checkpoints
// that cannot be written are counted.
func TestADeletedFolderOfCheckpointsIsMadeAgain(t *testing.T) {
	f := newFixture(t)
	dir := filepath.Join(t.TempDir(), "data", "checkpoints")
	reg := prometheus.NewRegistry()
	r := f.run(dir, func(c *Config, d *Deps) { c.CheckpointExamples = 1; d.Registerer = reg })
	f.produce(recordsOf(1, 0, 20))
	r.await(20)
	saved := func(n int64) {
		t.Helper()
		for end := time.Now().Add(40 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, s := r.call(http.MethodGet, "/v1/learner?objective=click"); s.Checkpoint >= n {
				if _, err := os.Stat(filepath.Join(dir, "click.checkpoint")); err == nil {
					return
				}
			}
			if time.Now().After(end) {
				t.Fatalf("no checkpoint of %d examples in 40s", n)
			}
		}
	}
	saved(20)
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	f.produce(recordsOf(1, 20, 40))
	r.await(40)
	saved(40)
	if n := failures(t, reg); n != 0 {
		t.Errorf("%v checkpoints failed", n)
	}
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	// no folder can be made here
	if err := os.WriteFile(filepath.Dir(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.produce(recordsOf(1, 40, 60))
	r.await(60)
	for end := time.Now().Add(40 * time.Second); failures(t, reg) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a checkpoint that fails is not counted")
		}
	}
}

func failures(t *testing.T, reg *prometheus.Registry) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "clickloop_learner_checkpoint_failures_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}
