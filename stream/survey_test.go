package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// What a survey tells of topics and groups is what others see of them.
func TestASurveyTellsHowFarTopicsAndGroupsAre(t *testing.T) {
	c := dial(t, backend.Kafka(t))
	topic(t, c, "a", 3)
	topic(t, c, "b", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Produce(ctx, "a", numbered(0, 100)); err != nil {
		t.Fatal(err)
	}
	s := c.NewSurvey()
	defer s.Close()
	ranges, err := s.Ranges(ctx, "a", "b", "none")
	if err != nil {
		t.Fatal(err)
	}
	want, err := c.Offsets(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 2 || !slices.Equal(ranges["a"], want) || !slices.Equal(ranges["b"], []stream.Range{{}}) {
		t.Errorf("the topics are %v, want %v of a, an empty b and no other", ranges, want)
	}
	if got, err := s.Committed(ctx, "group", "a", 3); err != nil || !slices.Equal(got, []int64{-1, -1, -1}) {
		t.Errorf("a group that is not there has committed %v, %v", got, err)
	}
	joined, leave := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Join(joined, "group", []string{"a"}, func(ctx context.Context, g *stream.Generation) error {
			if err := g.Commit(ctx, "a", map[int]int64{0: 3, 2: 7}); err != nil {
				return err
			}
			leave()
			return nil
		})
	}()
	<-done
	if got, err := s.Committed(ctx, "group", "a", 3); err != nil || !slices.Equal(got, []int64{3, -1, 7}) {
		t.Errorf("the group has committed %v, %v, want 3, nothing and 7", got, err)
	}
}

// A survey goes on when its broker comes back, and repeats nothing while it is away.
func TestASurveyOutlivesItsBroker(t *testing.T) {
	if backend.Real() {
		t.Skip("the test stops its broker")
	}
	services := backend.Embedded(t)
	c := dial(t, []string{services.Kafka})
	topic(t, c, "a", 1)
	s := c.NewSurvey()
	defer s.Close()
	if _, err := s.Ranges(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	services.StopKafka()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if found, err := s.Ranges(ctx, "a"); err == nil || found != nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a broker: %v, %v", found, err)
	}
	if _, err := s.Committed(ctx, "group", "a", 1); err == nil {
		t.Error("without a broker a group has offsets")
	}
	if err := services.StartKafka(); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Ranges(ctx, "a"); err != nil || len(found["a"]) != 1 {
		t.Errorf("the broker is back: %v, %v", found, err)
	}
}
