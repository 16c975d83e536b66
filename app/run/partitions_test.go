package run_test

import (
	"context"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/replay"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
)

// Partitions that are added to events and predictions in the middle of a replay in lockstep change
// nothing of what comes out: no prediction is lost or judged twice, and the weights are the same.
func TestPartitionsAddedDuringAReplayChangeNothing(t *testing.T) {
	rec := open(t, bank)
	const rows = 3000
	play := func(t *testing.T, middle func(l *run.Loop)) *run.Summary {
		l := start(t, func(c *config.Config) { recorded(rec)(c); c.Learner.Publish = 0 })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		watched := make(chan *replay.Driver, 1)
		type outcome struct {
			s   *run.Summary
			err error
		}
		played := make(chan outcome, 1)
		go func() {
			s, err := l.Play(ctx, run.PlayOptions{Recording: rec, Lockstep: true, Limit: rows, Watch: func(d *replay.Driver) { watched <- d }})
			played <- outcome{s, err}
		}()
		for d := <-watched; d.Progress.Rows.Load() < rows/3 && ctx.Err() == nil; {
			time.Sleep(time.Millisecond)
		}
		middle(l)
		got := <-played
		if got.err != nil {
			t.Fatal(got.err)
		}
		return got.s
	}
	want := play(t, func(*run.Loop) {})
	got := play(t, func(l *run.Loop) {
		for topic, n := range map[string]int{event.TopicEvents: 8, event.TopicPredictions: 8, event.TopicExamples(rec.Objective().Name): 2, event.TopicEvaluations: 3, event.TopicModel(rec.Objective().Name): 2} {
			backend.AddPartitions(t, l.Kafka[0], l.Client.Prefix()+topic, n)
		}
	})
	if got.Predictions != rows || got.Examples != rows || got.Events != want.Events || got.DeadLetters != 0 || got.Positives != want.Positives {
		t.Errorf("with partitions added: %+v, want as %+v", got, want)
	}
	if got.Weights != want.Weights {
		t.Errorf("the weights are %s, want %s", got.Weights, want.Weights)
	}
}
