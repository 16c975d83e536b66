package feedback

import (
	"fmt"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// predictionOf is the record of a prediction of request r, for the candidate of an index, under a
// choice.
func predictionOf(request string, index int, ad, choice string, at event.Time) stream.Record {
	p := event.Prediction{ID: event.PredictionID(request, index), Request: request, Time: at, User: "u", Ad: ad, Choice: choice,
		P: []event.ObjectiveP{{Objective: "click", P: 0.25}}, Model: []event.ObjectiveVersion{{Objective: "click", Version: "click@0"}}, Propensity: 0.75, Policy: "epsilon",
		Features: event.Fields{{Name: "ad", Value: event.Value{Kind: event.String, Str: ad}}}}
	return stream.Record{Partition: -1, Key: []byte(p.ID), Place: []byte(request), Value: p.AppendJSON(nil)}
}

// Two scorers that are asked with one request id may both publish. The first choice in the topic
// counts, with all that it chose; the other makes no example, also after a restart.
func TestOneRequestGivesTheExamplesOfOneChoice(t *testing.T) {
	r := newRig(t)
	r.registry = prometheus.NewRegistry()
	_, stop := r.join()
	r.produce(event.TopicPredictions,
		// a resend, and another question
		predictionOf("r1", 0, "a0", "one", t0), predictionOf("r1", 1, "a1", "two", t0+1), predictionOf("r1", 0, "a9", "three", t0+1),
		// two were chosen, one is written twice
		predictionOf("r2", 2, "b2", "one", t0), predictionOf("r2", 0, "b0", "one", t0), predictionOf("r2", 2, "b2", "one", t0+1))
	r.produce(event.TopicEvents, clickOn("r1.0"), clickOn("r1.1"), clickOn("r2.2"))
	r.beat(t0.Add(span) + 1)
	r.awaitExamples(3)
	r.awaitMetric(2, "clickloop_feedback_conflicts_total", "click")
	r.awaitMetric(1, "clickloop_feedback_repeated_total", "click")
	stop()
	r.registry = nil
	r.join()
	r.produce(event.TopicPredictions, predictionOf("r1", 2, "a2", "two", t0+2), predictionOf("r1", 0, "a0", "one", t0+2), predictionOf("r3", 0, "c0", "one", t0+2))
	r.beat(t0.Add(span) + 2)
	got := map[string]string{}
	for _, x := range r.awaitExamples(4) {
		ad, _ := x.Features.Lookup("ad")
		got[x.Prediction] = fmt.Sprint(ad.Text(), x.Y, x.Propensity, x.Policy)
	}
	want := map[string]string{"r1.0": "a01 0.75epsilon", "r2.2": "b21 0.75epsilon", "r2.0": "b00 0.75epsilon", "r3.0": "c00 0.75epsilon"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("examples %v, want %v", got, want)
	}
}

// clickOn is the record of a click on a prediction.
func clickOn(prediction string) stream.Record {
	e := event.Event{ID: "c" + prediction, Type: event.TypeClick, Time: t0 + 10, Received: t0 + 10, User: "u", Prediction: prediction}
	return stream.Record{Partition: -1, Key: []byte(e.User), Value: e.AppendJSON(nil)}
}

// What is counted is what is known: an event that names a prediction is kept, and joined only when
// a label is made of it.
func TestEventsAreCountedAsWhatTheyAre(t *testing.T) {
	r := newRig(t)
	r.registry = prometheus.NewRegistry()
	r.join()
	record := func(change func(*event.Event)) stream.Record {
		e := event.Event{ID: "e", Type: event.TypeClick, Time: t0 + 1, Received: t0 + 1, User: "u", Prediction: "nobody.0"}
		change(&e)
		return stream.Record{Partition: -1, Key: []byte("u"), Value: e.AppendJSON(nil)}
	}
	r.produce(event.TopicPredictions, prediction(1), prediction(2))
	r.produce(event.TopicEvents, click(1, 1), click(1, 2),
		record(func(e *event.Event) {}), // of a prediction that there is not
		record(func(e *event.Event) { e.Type = event.TypeImpression }),
		record(func(e *event.Event) { e.Type = "scroll" }),
		record(func(e *event.Event) { e.Prediction = "" }),
		record(func(e *event.Event) { e.Type, e.Prediction = "scroll", "" }),
		record(func(e *event.Event) { e.Time = 5 }),
		stream.Record{Partition: 0, Value: []byte("{")})
	r.beat(t0.Add(span) + 2)
	r.awaitExamples(2)
	for result, want := range map[string]float64{"kept": 4, "other_type": 1, "no_prediction": 2, "refused": 2, "joined": 0} {
		r.awaitMetric(want, "clickloop_feedback_outcome_events_total", result)
	}
	r.awaitMetric(1, "clickloop_feedback_joined_outcomes_total", "click click")
	r.awaitMetric(0, "clickloop_feedback_joined_outcomes_total", "impression click")
	r.awaitMetric(1, "clickloop_feedback_examples_total", "positive click")
	r.awaitMetric(1, "clickloop_feedback_examples_total", "negative click")
	r.awaitMetric(0, "clickloop_feedback_examples_total", "none click")
	r.awaitMetric(float64(t0.Add(span)+2)/1000, "clickloop_feedback_watermark_timestamp_seconds", "")
}
