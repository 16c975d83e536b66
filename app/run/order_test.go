package run_test

import (
	"context"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/replay"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// While a member that was killed still holds a part of the predictions, a replay labels nothing;
// then all examples come in the recording's order.
func TestAReplaysExamplesComeInOrderDespiteADeadMember(t *testing.T) {
	rec := open(t, bank)
	l := start(t, recorded(rec))
	ctx, bury := context.WithCancel(t.Context())
	defer bury()
	topic := event.TopicPredictions
	has := make(chan int, 16)
	go func() {
		_ = l.Client.Join(ctx, "labels."+rec.Objective().Name, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
			has <- len(g.Assigned[topic])
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	all, err := l.Client.Partitions(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for n := <-has; n == 0 || n == all; n = <-has { // until it has a part, and the loop the rest
	}
	watched, played := make(chan *replay.Driver, 1), make(chan error, 1)
	go func() {
		_, err := l.Play(t.Context(), run.PlayOptions{Recording: rec, Lockstep: true, Limit: 400, Watch: func(d *replay.Driver) { watched <- d }})
		played <- err
	}()
	for d := <-watched; d.Progress.Expected.Load() == 0; time.Sleep(time.Millisecond) {
	}
	// the time for which labels are due and the dead member is there, not a wait for anything
	time.Sleep(200 * time.Millisecond)
	bury()
	if err := <-played; err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	examples := event.TopicExamples(rec.Objective().Name)
	ranges, err := l.Client.Offsets(t.Context(), examples)
	if err != nil {
		t.Fatal(err)
	}
	err = l.Client.ReadRange(t.Context(), examples, 0, 0, ranges[0].End, func(r *stream.Record) error {
		x, err := event.ParseExample(r.Value)
		if err == nil && x.Row <= last {
			t.Errorf("row %d stands behind row %d", x.Row, last)
		}
		last = x.Row
		return err
	})
	if err != nil || last != 400 {
		t.Errorf("the last example is of row %d (%v), want 400", last, err)
	}
}
