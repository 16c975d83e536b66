package feedback

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/stream"
)

// sums are what adds up in evaluations.
type sums struct {
	examples, positives                int64
	weight, predicted, actual, logLoss float64
}

func (s *sums) add(v event.Evaluation) {
	s.examples += v.Examples
	s.positives += v.Positives
	s.weight += *v.Weight
	s.predicted += *v.Predicted
	s.actual += *v.Actual
	s.logLoss += *v.LogLossSum
}

func (s sums) near(o sums) bool {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(a)) }
	return s.examples == o.examples && s.positives == o.positives && near(s.weight, o.weight) && near(s.predicted, o.predicted) && near(s.actual, o.actual) && near(s.logLoss, o.logLoss)
}

// The sums of minutes are those of their hour, those of hours those of their day, and those of
// days, all closed, those of all: also where there are no positives, and of each segment.
func TestMinutesAddUpToHoursAndDays(t *testing.T) {
	r := newRig(t)
	_, stop := r.join()
	midnight := t0 / day * day
	var records []stream.Record
	row := int64(0)
	add := func(at event.Time, y float64) {
		records = append(records, example(row, y, 0.01+float64(row%7)/100, func(x *event.Example) { x.Time = at; x.W = 1 + float64(row%3) }))
		row++
	}
	for d := range event.Time(3) {
		for h := range event.Time(3) {
			for m := range event.Time(4) {
				for i := range event.Time(3) {
					y := 0.0
					// most minutes, two hours of three and one day have no positives
					if h == 1 && m == 1 && d != 2 && i < 2 {
						y = 1
					}
					add(midnight+d*day+h*hour+m*minute+i*1000, y)
				}
			}
		}
		if d == 1 {
			r.produce(event.TopicExamples("click"), records...)
			records = nil
			r.await("the first day", func() bool { return len(r.evaluations("1d")) == 3 })
			stop() // who comes next writes what is missing
			_, stop = r.join()
		}
	}
	add(midnight+3*day, 0) // closes the last of them
	r.produce(event.TopicExamples("click"), records...)
	r.await("three days", func() bool { return len(r.evaluations("1d")) == 9 })
	days, hours, minutes := r.evaluations("1d"), r.evaluations("1h"), r.evaluations("1m")
	if len(minutes) != 3*36 || len(hours) != 3*9 {
		t.Errorf("%d evaluations of minutes and %d of hours, want 108 and 27, segments included", len(minutes), len(hours))
	}
	f := func(whole, parts map[string]event.Evaluation) {
		t.Helper()
		added := map[string]*sums{}
		for key, v := range whole {
			added[key] = &sums{}
			if want := (*v.LogLossSum) / (*v.Weight); math.Abs(*v.LogLoss-want) > 1e-12 {
				t.Errorf("%s: log loss %v, from the sums %v", key, *v.LogLoss, want)
			}
			if v.PredictedOverActual == nil != (v.Positives == 0) {
				t.Errorf("%s: predicted over actual %v with %d positives", key, v.PredictedOverActual, v.Positives)
			}
		}
		for _, p := range parts {
			for key, v := range whole {
				if p.Start >= v.Start && p.End <= v.End && fmt.Sprint(p.Segment) == fmt.Sprint(v.Segment) {
					added[key].add(p)
				}
			}
		}
		for key, v := range whole {
			var want sums
			if want.add(v); !added[key].near(want) || want.weight == 0 || want.predicted == 0 || want.logLoss == 0 {
				t.Errorf("%s %s: parts sum up to %+v, want %+v", v.Window, key, *added[key], want)
			}
		}
	}
	f(hours, minutes)
	f(days, hours)
	var sum, want sums
	for _, v := range days {
		if len(v.Segment) == 0 {
			sum.add(v)
		}
	}
	// written when the last minute was closed
	last := r.evaluations("all")[(midnight + 2*day + 2*hour + 4*minute).String()]
	if want.add(last); !sum.near(want) || sum.examples != 108 || sum.positives != 4 {
		t.Errorf("days sum up to %+v, all since the start is %+v", sum, want)
	}
	for key, v := range days {
		if v.End != v.Start+day || v.Start%day != 0 {
			t.Errorf("day %s is from %s to %s", key, v.Start, v.End)
		}
	}
}

// What undefined ratios leave out, the sums say.
func TestAWindowWithoutPositivesKeepsItsSums(t *testing.T) {
	r := newRig(t)
	_, mux, _ := r.start()
	r.produce(event.TopicExamples("click"), example(0, 0, 0.25, nil), example(1, 0, 0.5, func(x *event.Example) { x.W = 2 }))
	r.await("two examples", func() bool {
		_, b := evaluation(t, mux, "?objective=click")
		var v event.Evaluation
		return json.Unmarshal(b, &v) == nil && v.Examples == 2
	})
	_, b := evaluation(t, mux, "?objective=click")
	want := fmt.Sprintf(`"weight":3,"predicted":1.25,"actual":0,"log_loss_sum":%v`, -math.Log1p(-0.25)-2*math.Log1p(-0.5))
	if !strings.Contains(string(b), want) || strings.Contains(string(b), "predicted_over_actual") {
		t.Errorf("the evaluation is %s, want %s", b, want)
	}
}

// clicks is a kind of objective.
var clicks = objective.KindOf(event.Objective{Trigger: event.TriggerPrediction, Positive: event.TypeClick, Window: span})

// Windows that a former owner has written are not written again, however far back a day's lies.
func TestADayIsNotWrittenTwice(t *testing.T) {
	newest := map[string]event.Time{"1m": t0}
	f := func(name string, width, start event.Time, want bool) {
		t.Helper()
		w := newWindow(clicks, nil, name, width)
		if w.start = start; isWritten(w, newest) != want {
			t.Errorf("window %s at %s is written: %v, want %v", name, start, !want, want)
		}
	}
	f("1m", minute, t0, true)
	f("1m", minute, t0+minute, false)
	f("1h", hour, t0-hour, true) // ended with the minute before the newest
	f("1h", hour, t0, false)
	f("1d", day, t0-day, true)
	f("1d", day, t0/day*day, false)
	newest["1d"] = t0 / day * day
	f("1d", day, t0/day*day, true)
	newest = map[string]event.Time{}
	f("1d", day, t0, false)
}

// Segments that come beyond the bound are left out of the parts, not of the whole.
func TestSegmentsAreBounded(t *testing.T) {
	w := newWindow(clicks, nil, "1m", minute)
	for i := range maxSegments + 50 {
		x := event.Example{Time: t0, P: 0.5, W: 1, Segment: event.Fields{{Name: "ad", Value: event.Value{Kind: event.String, Str: fmt.Sprint("a", i)}}}}
		w.add(&x)
		w.add(&x)
	}
	all := w.evaluations(nil, "click", "click@0", t0, "")
	if len(all) != 1+maxSegments || all[0].Examples != 2*(maxSegments+50) || all[1].Examples != 2 || all[maxSegments].Segment[0].Value.Str != fmt.Sprint("a", maxSegments-1) {
		t.Errorf("%d evaluations, the whole has %d examples, the last segment is %+v", len(all), all[0].Examples, all[len(all)-1].Segment)
	}
	if all[0].SegmentsLeftOut != 100 || all[1].SegmentsLeftOut != 0 {
		t.Errorf("%d examples have a segment that is not measured, want 100; the first segment says %d", all[0].SegmentsLeftOut, all[1].SegmentsLeftOut)
	}
	w.open(&event.Example{Time: t0})
	if all := w.evaluations(nil, "click", "", t0, ""); len(all) != 1 || all[0].Examples != 0 || all[0].SegmentsLeftOut != 0 || *all[0].Weight != 0 || w.tally != (tally{}) {
		t.Errorf("a window that is opened again has %+v", all)
	}
}

// Only the owner of the partition writes: everybody can tell what the metrics are.
func TestOnlyTheOwnerWritesEvaluations(t *testing.T) {
	r := newRig(t)
	r.moves = true // while both join
	_, muxA, _ := r.start()
	_, muxB, _ := r.start()
	for row := int64(0); row < 130; row++ {
		r.produce(event.TopicExamples("click"), example(row, float64(row%2), 0.5, nil))
	}
	for _, mux := range []*http.ServeMux{muxA, muxB} {
		r.await("130 examples", func() bool {
			_, b := evaluation(t, mux, "")
			return strings.Contains(string(b), `"examples":130`)
		})
	}
	// evaluations fails where two differ
	r.await("two minutes", func() bool { return len(r.evaluations("1m")) == 6 })
	e := &evaluator{task: &task{objective: r.objective, client: r.client}}
	out := []event.Evaluation{{Objective: "click", Window: "1m", Start: t0 + hour}}
	for _, owner := range []bool{false, true} {
		e.owner.Store(owner)
		if err := e.write(t.Context(), out); err != nil {
			t.Fatal(err)
		}
		if _, there := r.evaluations("1m")[out[0].Start.String()]; there != owner {
			t.Errorf("an evaluator that is the owner: %v has written: %v", owner, there)
		}
	}
}
