package feedback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// example is the record of an example of row, that many seconds after t0, read from partition row%3
// of the predictions topic.
func example(row int64, y, p float64, change func(*event.Example)) stream.Record {
	x := event.Example{Objective: "click", Prediction: fmt.Sprint("p", row), Row: row, Time: t0 + 1000*event.Time(row), Y: y, W: 1, P: p, Model: "click@0",
		Source:  event.Source{Topic: "aaaaaaaa", Partition: int32(row % 3), Offset: row / 3},
		Segment: event.Fields{{Name: "campaign", Value: event.Value{Kind: event.String, Str: fmt.Sprint("c", row%2)}}}}
	if change != nil {
		change(&x)
	}
	return stream.Record{Key: []byte(x.Prediction), Value: x.AppendJSON(nil)}
}

// evaluations returns those of a window, by start and segment; what is written twice fails the
// test, unless it is the same and ownership moves.
func (r *rig) evaluations(window string) map[string]event.Evaluation {
	r.Helper()
	found := map[string]event.Evaluation{}
	for _, rec := range r.read(event.TopicEvaluations) {
		v, err := event.ParseEvaluation(rec.Value)
		if err != nil {
			r.Fatalf("evaluation %s: %v", rec.Value, err)
		}
		if v.Window != window {
			continue
		}
		key := v.Start.String()
		if window == "all" {
			key = v.End.String()
		}
		if len(v.Segment) > 0 {
			key += " " + v.Segment[0].Value.Text()
		}
		if before, twice := found[key]; twice && !(r.moves && reflect.DeepEqual(before, v)) {
			r.Errorf("window %s %s is written twice", window, key)
		}
		found[key] = v
	}
	return found
}

func TestWindowsAreMeasuredOnceWhoeverRunsAndRestarts(t *testing.T) {
	r := newRig(t)
	_, stop := r.join()
	_, stopOther := r.join()
	const rows = 400
	loss := map[event.Time]float64{}
	for row := int64(0); row < rows; row++ {
		y, p := 0.0, 0.2
		if row%5 == 0 {
			y, p = 1, 0.4
		}
		loss[(t0+1000*event.Time(row))/minute*minute] -= y*math.Log(p) + (1-y)*math.Log1p(-p)
		r.produce(event.TopicExamples("click"), example(row, y, p, nil))
		switch {
		case row%11 == 3: // written again after a crash, and a revision: neither is measured
			r.produce(event.TopicExamples("click"), example(row, y, p, nil), example(row, 1, p, func(x *event.Example) { x.Revision = true }))
		case row == 150, row == 310:
			// one of the two goes and comes again: who writes changes at least once
			r.await("the minutes so far", func() bool { return len(r.evaluations("1m")) >= 3*int(row/60) })
			stop()
			_, stop = r.join()
			stop, stopOther = stopOther, stop
		}
	}
	const closed = rows / 60 // the last minute is still open
	r.await("every minute", func() bool { return len(r.evaluations("1m")) >= 3*closed })
	minutes := r.evaluations("1m")
	if len(minutes) != 3*closed {
		t.Errorf("there are %d evaluations of minutes, want %d with their segments", len(minutes), 3*closed)
	}
	for m := range event.Time(closed) {
		start := t0 + m*minute
		v, c0 := minutes[start.String()], minutes[start.String()+" c0"]
		if v.Examples != 60 || v.Positives != 12 || math.Abs(*v.LogLoss-loss[start]/60) > 1e-12 || v.End != start+minute || v.Model != "click@0" {
			t.Errorf("minute %d measures %+v", m, v)
		}
		if c0.Examples != 30 || c0.Segment[0].Name != "campaign" {
			t.Errorf("minute %d, campaign c0 measures %+v", m, c0)
		}
	}
	all := r.evaluations("all")
	if v := all[(t0 + closed*minute).String()]; len(all) != closed || v.Examples < 60*closed || v.Start != t0 {
		t.Errorf("since the start: %d evaluations, the last %+v", len(all), v)
	}
}

// evaluation asks over HTTP.
func evaluation(t *testing.T, mux *http.ServeMux, query string) (int, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/evaluation"+query, nil))
	b, _ := io.ReadAll(w.Result().Body)
	return w.Code, b
}

func TestTheEvaluationSinceTheStartIsServed(t *testing.T) {
	r := newRig(t)
	_, mux, _ := r.start()
	for row := range int64(10) {
		r.produce(event.TopicExamples("click"), example(row, float64(row%2), 0.5, nil))
	}
	// of a prediction for other objectives
	noP := example(10, 0, 0, func(x *event.Example) { x.Model = "" })
	r.produce(event.TopicExamples("click"), noP, stream.Record{Value: []byte("{")}, example(11, 1, 0.5, nil))
	var v event.Evaluation
	r.await("eleven examples", func() bool {
		_, b := evaluation(t, mux, "?objective=click")
		return json.Unmarshal(b, &v) == nil && v.Examples == 11
	})
	if v.Window != "all" || v.Positives != 6 || math.Abs(*v.LogLoss-math.Ln2) > 1e-12 {
		t.Errorf("the evaluation is %+v", v)
	}
	f := func(query string, want int) {
		t.Helper()
		code, b := evaluation(t, mux, query)
		if code != want || !json.Valid(b) {
			t.Errorf("%s: %d %s, want %d", query, code, b, want)
		}
	}
	f("", 200) // the only one
	f("?objective=conversion", 404)
	if _, b := evaluation(t, mux, "?segments=1"); json.Valid(b) || len(b) == 0 {
		t.Errorf("with segments: %s, want a line for each", b)
	}
}

// What a question asks for is answered, or refused by name: a filter that does nothing gives false
// numbers.
func TestWindowsAndSegmentsAreServed(t *testing.T) {
	r := newRig(t)
	_, mux, _ := r.start()
	for row := range int64(150) {
		r.produce(event.TopicExamples("click"), example(row, float64(row%5/4), 0.2, nil))
	}
	lines := func(query string) (all []event.Evaluation) {
		t.Helper()
		code, b := evaluation(t, mux, query)
		if code != 200 {
			t.Fatalf("%s: %d %s", query, code, b)
		}
		for line := range bytes.Lines(b) {
			v, err := event.ParseEvaluation(bytes.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
		return all
	}
	r.await("all examples", func() bool { return lines("")[0].Examples == 150 })
	f := func(query, window string, examples ...int64) {
		t.Helper()
		all := lines(query)
		if len(all) != len(examples) {
			t.Errorf("%s: %d evaluations, want %d", query, len(all), len(examples))
			return
		}
		for i, v := range all {
			if v.Window != window || v.Examples != examples[i] {
				t.Errorf("%s: line %d is %+v, want %d examples of %s", query, i, v, examples[i], window)
			}
		}
	}
	f("?window=all", "all", 150)
	f("?segments=1", "all", 150, 75, 75)
	f("?segments=0", "all", 150)
	f("?segment=campaign", "all", 75, 75)
	f("?segment=campaign%3Dc1", "all", 75)
	f("?window=1m&segment=campaign=c0", "1m", 30)
	f("?window=1m", "1m", 60)
	f("?window=1h", "1h", 0) // none has passed
	if v := lines("?window=1m")[0]; v.Start != t0+minute || v.End != t0+2*minute || v.Positives != 12 {
		t.Errorf("the newest minute that has passed is %+v", v)
	}
	refused := func(query, want string) {
		t.Helper()
		if code, b := evaluation(t, mux, query); code != 400 || !strings.Contains(string(b), want) {
			t.Errorf("%s: %d %s, want 400 with %s", query, code, b, want)
		}
	}
	refused("?window=1w", `"field":"window"`)
	refused("?window=1w", "1h, 1m, all")
	refused("?segment=campain", `"field":"segment"`)
	refused("?segment=campaign=c7", "campaign=c7")
	refused("?segment=campaign&segments=1", "give one")
	refused("?segments=campaign", `"field":"segments"`)
	refused("?windw=1m", "did you mean window?")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/feedback/release?objektive=click", nil))
	if w.Code != 400 || !strings.Contains(w.Body.String(), "did you mean objective?") {
		t.Errorf("release: %d %s", w.Code, w.Body)
	}
}

func TestLatePositivesAreRevisedOnce(t *testing.T) {
	r := newRig(t)
	r.objective.Revisions = true
	r.registry = prometheus.NewRegistry()
	r.cfg.ReviseWithin = 10 * time.Minute
	_, _, stop := r.start()
	r.produce(event.TopicPredictions, prediction(1), prediction(2), prediction(3), prediction(4))
	r.produce(event.TopicEvents, click(1, time.Second))
	due := t0.Add(span)
	r.beat(due + 4)
	if fresh := r.awaitExamples(4); fresh[0].Y != 1 || fresh[1].Y != 0 || fresh[2].Y != 0 {
		t.Fatalf("examples are %+v", fresh)
	}
	// 2 was clicked in time, but the click came late; 3 was clicked after its window; 4 too late
	// for anything.
	r.produce(event.TopicEvents, click(2, time.Second), click(3, 5*time.Minute), click(4, 12*time.Minute))
	r.beat(due.Add(9 * time.Minute))
	r.awaitMark(due.Add(9 * time.Minute))
	r.awaitExamples(4)
	r.beat(due.Add(10*time.Minute) + 4)
	fresh := r.awaitExamples(6)
	for i, want := range []string{"p2", "p3"} {
		x := fresh[4+i]
		if !x.Revision || x.Prediction != want || x.Y != 1 || x.Source != fresh[1+i].Source || len(x.Features) != 1 {
			t.Errorf("revision %d is %+v, want one of %s", i, x, want)
		}
		if got := x.W * (x.P - x.Y); math.Abs(got+1) > 1e-12 {
			t.Errorf("at the served probability its gradient is %v, want -1: the negative taken back and the positive learned", got)
		}
	}
	r.awaitMetric(2, "clickloop_feedback_revisions_total", "click")
	stop()
	r.registry = nil
	r.start()
	r.produce(event.TopicPredictions, prediction(5))
	r.beat(due.Add(20 * time.Minute))
	r.awaitExamples(7) // whatever is written again is dropped by readers
}

func TestARevisionsWeightIsBounded(t *testing.T) {
	for _, p := range []float64{0, 0.01, 0.5, 0.95, 0.999, 1} {
		v := Revision(&event.Example{P: p, W: 2}, 1)
		if v.W < 2 || v.W > 2*maxRevisionWeight || v.Y != 1 || !v.Revision {
			t.Errorf("p %v: %+v", p, v)
		}
	}
	if v := Revision(&event.Example{P: 0.9, W: event.MaxWeight}, 1); v.W != event.MaxWeight {
		t.Errorf("a revision weighs %v, which no network takes", v.W)
	}
}

// Clicks that an outage holds up raise an alarm; what is held back then becomes true when the
// clicks come.
func TestExamplesAreHeldBackUntilTheOutageIsOver(t *testing.T) {
	r := newRig(t)
	r.cfg.Batch = 20
	r.cfg.Guard = Guard{MinExamples: 20, CalibrationHigh: 100, RateLow: 0.1, RateHigh: 1, Hold: true}
	_, mux, _ := r.start()
	predict := func(from, to int64) {
		for row := from; row <= to; row++ {
			r.produce(event.TopicPredictions, prediction(row))
		}
	}
	clicks := func(from, to int64) {
		for row := from; row <= to; row++ {
			if positive(row) {
				r.produce(event.TopicEvents, click(row, time.Second))
			}
		}
	}
	alarms := func() (n int) {
		for _, rec := range r.read(event.TopicEvaluations) {
			if v, err := event.ParseEvaluation(rec.Value); err == nil && v.Window == "guard" && v.Alarm != "" {
				n++
			}
		}
		return n
	}
	due := t0.Add(span)
	predict(1, 200)
	clicks(1, 40)
	r.beat(due + 40)
	r.awaitExamples(40)
	r.beat(due + 200)
	r.await("an alarm", func() bool { return alarms() == 1 })
	const sure = 80 // two blocks after the last click, an alarm stands
	if fresh, _ := r.examples(); len(fresh) > sure {
		t.Fatalf("%d examples were written in spite of the alarm", len(fresh))
	}
	clicks(41, 200)
	r.beat(due + 200) // the folds' next record
	fresh := r.awaitExamples(200)
	for _, x := range fresh {
		if want := positive(x.Row); (x.Y == 1) != want && (x.Row > sure || x.Row <= 40) {
			t.Errorf("row %d is positive: %v, want %v", x.Row, x.Y, want)
		}
	}
	// Nobody clicks any more, and a person says go on.
	predict(201, 300)
	r.beat(due + 300)
	r.await("another alarm", func() bool { return alarms() == 2 })
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/feedback/release?objective=click", nil))
	if w.Code != http.StatusOK {
		t.Errorf("release: %d %s", w.Code, w.Body)
	}
	r.awaitExamples(300)
}

func TestConfigurationNamesWhatIsWrong(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatalf("the default: %v", err)
	}
	f := func(field string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if e, ok := c.Validate().(*event.Error); !ok || e.Field != field {
			t.Errorf("%s: %v", field, c.Validate())
		}
	}
	f("outcome_ttl", func(c *Config) { c.OutcomeTTL = time.Second })
	f("batch", func(c *Config) { c.Batch = 0 })
	f("revise_within", func(c *Config) { c.ReviseWithin = c.OutcomeTTL })
	f("guard.min_examples", func(c *Config) { c.Guard.MinExamples = 0 })
	f("guard.calibration_low", func(c *Config) { c.Guard.CalibrationLow = math.NaN() })
	f("guard.calibration_high", func(c *Config) { c.Guard.CalibrationHigh = 1 })
	f("guard.rate_low", func(c *Config) { c.Guard.RateLow = -1 })
	f("guard.rate_high", func(c *Config) { c.Guard.RateHigh = 2 })
	f("guard.coverage_low", func(c *Config) { c.Guard.CoverageLow = 2 })
}
