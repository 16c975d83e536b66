package scorer

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// Each message of weights is counted by what became of it, and a gauge has the served version.
func TestMessagesOfWeightsAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newScorer(t, func(u *setup) { u.registry = reg })
	src := newSource(t, 1, smallModel())
	src.part, src.epoch = 900_000, 2
	f := func(records []stream.Record, result string, version float64) {
		t.Helper()
		before := metric(t, reg, "clickloop_scorer_weights_total", "click", result)
		for _, r := range records {
			_ = s.followers[0].accept(&r) // a gap asks for a rewind
		}
		if got := metric(t, reg, "clickloop_scorer_weights_total", "click", result) - before; got != 1 {
			t.Errorf("%v messages are counted as %s, want 1", got, result)
		}
		if got := metric(t, reg, "clickloop_scorer_version_examples", "click"); got != version {
			t.Errorf("the gauge has version %v after a message that is %s, want %v", got, result, version)
		}
	}
	src.learn(10)
	snapshot := src.message("snapshot")
	f(snapshot, "applied", 10)
	f(snapshot, "repeated", 10)
	src.learn(5)
	f(src.message("delta"), "applied", 15)
	src.learn(5)
	lost := src.message("delta")
	src.learn(5)
	f(src.message("delta"), "gap", 15)
	f(lost, "applied", 20)
	f([]stream.Record{{Value: []byte("x")}}, "malformed", 20)
	former := newSource(t, 1, smallModel())
	former.part, former.epoch = 900_000, 1
	former.learn(30)
	f(former.message("snapshot"), "deposed", 20)
	next := newSource(t, 3, smallModel())
	next.part, next.epoch = 900_000, 3
	next.learn(3)
	f(next.message("snapshot"), "held", 20)
}

// A Scorer that runs reads back what was chosen before it.
func TestARunningScorerKnowsTheChoicesBeforeIt(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	before := runScorer(t, brokers, prefix, nil)
	if w := post(before, `{"request":"r","candidates":[{"ad":"a"}]}`, ""); w.Code != 200 {
		t.Fatal(w.Body)
	}
	logged(t, before)
	s := runScorer(t, brokers, prefix, nil)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s.memory.mu.Lock()
		n := len(s.memory.memos)
		s.memory.mu.Unlock()
		if n == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing was read back within 20s")
		}
	}
	if w := post(s, `{"request":"r","candidates":[{"ad":"b"}]}`, ""); w.Code != 409 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A fault that comes again and again is logged once a period.
func TestAFollowersFaultsAreLoggedOnceAPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &follower{objective: "click", logger: slog.New(slog.NewTextHandler(&log, nil))}
		lines := func(want int) {
			t.Helper()
			f.warn("cannot follow", errors.New("gone"))
			if got := strings.Count(log.String(), "cannot follow"); got != want {
				t.Fatalf("logged %d times, want %d", got, want)
			}
		}
		lines(1)
		lines(1)
		time.Sleep(11 * time.Second)
		lines(2)
		lines(2)
	})
}
