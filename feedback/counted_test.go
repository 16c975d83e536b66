package feedback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// While an alarm holds examples back that is told, with the sums that raised it; a person's word
// lets them go, and the gauge falls.
func TestAHeldBatchIsToldUntilItIsReleased(t *testing.T) {
	r := newRig(t)
	r.registry = prometheus.NewRegistry()
	r.cfg.Guard = Guard{MinExamples: 40, CalibrationHigh: 2, RateHigh: 1, Hold: true}
	_, mux, _ := r.start()
	for row := int64(1); row <= 40; row++ { // ten are expected, none comes
		r.produce(event.TopicPredictions, prediction(row))
	}
	r.beat(t0.Add(span) + 40)
	r.awaitMetric(1, "clickloop_feedback_held", "click")
	var guard []event.Evaluation
	r.await("an alarm", func() bool {
		guard = nil
		for _, rec := range r.read(event.TopicEvaluations) {
			if v, err := event.ParseEvaluation(rec.Value); err == nil && v.Window == "guard" {
				guard = append(guard, v)
			}
		}
		return len(guard) > 0
	})
	v := guard[0]
	if len(guard) != 1 || !strings.Contains(v.Alarm, "no positives where 10") || v.Examples == 0 || *v.Weight != float64(v.Examples) || *v.Predicted != float64(v.Examples)/4 || *v.Actual != 0 || v.PredictedOverActual != nil {
		t.Errorf("%d alarms, the first %+v", len(guard), v)
	}
	// what came before the block was full is written
	if fresh, _ := r.examples(); len(fresh) >= 40 {
		t.Errorf("%d examples were written in spite of the alarm", len(fresh))
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/feedback/release", nil))
	r.awaitExamples(40)
	r.awaitMetric(0, "clickloop_feedback_held", "click")
	r.awaitMetric(40, "clickloop_feedback_examples_total", "negative click")
}

// A release wakes the batch that waits; without one it is looked up again after a while.
func TestAReleaseWakesWhoWaits(t *testing.T) {
	g := &guard{}
	changed := g.changed.Wait()
	g.release()
	select {
	case <-changed:
	default:
		t.Error("nobody is told of the release")
	}
}

func TestExamplesCarryWhatThePredictionTells(t *testing.T) {
	p := event.Prediction{ID: "p", Time: t0, Ad: "a", Campaign: "c", Source: "s", Policy: "epsilon", Propensity: 0.9,
		P: []event.ObjectiveP{{Objective: "other", P: 0.5}, {Objective: "click", P: 0.25}}, Model: []event.ObjectiveVersion{{Objective: "click", Version: "click@7"}},
		Features: event.Fields{{Name: "device", Value: event.Value{Kind: event.String, Str: "mobile"}}}}
	o := event.Objective{Name: "click", Segments: []string{"campaign", "ad", "source", "policy", "device", "none"}}
	x := Example(o, &p, 1, event.Source{Topic: "t", Partition: 2, Offset: 3})
	got := fmt.Sprint(x.P, x.Model, x.Propensity, x.Policy, x.Y, x.W, x.Source.Offset)
	for _, f := range x.Segment {
		got += " " + f.Name + "=" + f.Value.Text()
	}
	if want := "0.25click@70.9epsilon1 1 3 campaign=c ad=a source=s policy=epsilon device=mobile"; got != want {
		t.Errorf("the example has %s, want %s", got, want)
	}
	if r := Revision(&x, 0); r.Propensity != 0.9 || r.Policy != "epsilon" {
		t.Errorf("its revision has %+v", r)
	}
	p.Ad, p.Campaign = "", ""
	if x := Example(o, &p, 0, event.Source{}); len(x.Segment) != 3 {
		t.Errorf("what a prediction lacks is a segment: %+v", x.Segment)
	}
}

func TestReadyNeedsKafkaAndTheStore(t *testing.T) {
	r := newRig(t)
	f := func(what string, client *stream.Client, down, want bool) {
		t.Helper()
		r.store.set(down)
		s, err := New(r.cfg, Deps{Client: client, Objectives: []event.Objective{r.objective}, Outcomes: r.store, Logger: slog.New(slog.DiscardHandler), Now: func() event.Time { return t0 }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := s.Ready(ctx); (err == nil) != want || down && !errors.Is(err, errDown) {
			t.Errorf("%s: ready says %v", what, err)
		}
	}
	nowhere, err := stream.Dial(stream.Config{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nowhere.Close() })
	f("all is well", r.client, false, true)
	f("the store is away", r.client, true, false)
	f("Kafka is away", nowhere, false, false)
}

func TestConfigurationIsTakenToItsBounds(t *testing.T) {
	f := func(good bool, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); (err == nil) != good {
			t.Errorf("%+v: %v, want it taken: %v", c, err, good)
		}
	}
	f(true, func(c *Config) { c.OutcomeTTL = time.Minute; c.ReviseWithin = 30 * time.Second })
	f(false, func(c *Config) { c.OutcomeTTL = time.Minute; c.ReviseWithin = 31 * time.Second })
	f(false, func(c *Config) { c.ReviseWithin = -1 })
	f(true, func(c *Config) { c.Batch = 1 })
	f(true, func(c *Config) { c.Batch = 10_000 })
	f(false, func(c *Config) { c.Batch = 10_001 })
	f(true, func(c *Config) { c.Guard.MinExamples = 1 })
	f(true, func(c *Config) { c.Guard.CalibrationLow = 0 })
	f(false, func(c *Config) { c.Guard.CalibrationLow = 1 })
	f(false, func(c *Config) { c.Guard.RateLow = 1 })
	f(false, func(c *Config) { c.Guard.RateLow, c.Guard.RateHigh = 0.5, 0.5 })
	f(true, func(c *Config) { c.Guard.CoverageLow = 1 })
	f(false, func(c *Config) { c.Guard.CoverageLow = -0.1 })
	c := DefaultConfig()
	if c.OutcomeTTL = 10 * time.Hour; c.Revises() != 5*time.Hour {
		t.Errorf("without revise_within, positives revise for %v after the window, want half of outcome_ttl", c.Revises())
	}
	if c.ReviseWithin = time.Hour; c.Revises() != time.Hour {
		t.Errorf("revise_within 1h is %v", c.Revises())
	}
}

// The rooms for predictions that wait are bounded: a partition is read no further while it is full.
func TestAPartitionIsReadNoFurtherWhileItsQueueIsFull(t *testing.T) {
	f := func(waiting, bytes int, want bool) {
		t.Helper()
		x := &fetcher{queue: &queue{waiting: make([]pending, waiting), bytes: bytes}, room: make(chan struct{}, 1), idle: true}
		g := &labeling{fetchers: []*fetcher{x}}
		g.refill()
		if got := len(x.room) == 1; got != want || x.idle == want {
			t.Errorf("%d predictions of %d bytes wait: reading goes on: %v, want %v", waiting, bytes, got, want)
		}
		if g.refill(); len(x.room) > 1 {
			t.Error("a token is given twice")
		}
	}
	f(0, 0, true)
	f(queueLength-1, queueBytes-1, true)
	f(queueLength, 0, false)
	f(1, queueBytes, false)
}
