package feedback

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// shownFacts are the facts of tests: the position of an ad, and its slot.
func shownFacts(t testing.TB) *features.Shown {
	t.Helper()
	set, err := features.Compile(features.Config{Shown: []features.ShownConfig{{Name: "position", Serve: "1"}, {Name: "slot", Serve: "top"}}})
	if err != nil {
		t.Fatal(err)
	}
	return set.Shown()
}

// placed is the record of a prediction of row with the values that are served.
func placed(row int64) stream.Record {
	r := prediction(row)
	p, err := event.ParsePrediction(r.Value)
	if err != nil {
		panic(err)
	}
	p.Features = append(fieldsOf(`{"position":1,"slot":"top"}`), p.Features...)
	r.Value = p.AppendJSON(nil)
	return r
}

func fieldsOf(text string) (f event.Fields) {
	if err := f.UnmarshalJSON([]byte(text)); err != nil {
		panic(err)
	}
	return f
}

// impression is the record of an impression of row that was received at a time after the
// prediction, with properties.
func impression(row int64, after time.Duration, properties string) stream.Record {
	at := (t0 + event.Time(row)).Add(after)
	e := event.Event{ID: fmt.Sprint("i", row, after, properties), Type: event.TypeImpression, Time: at, Received: at, User: fmt.Sprint("u", row, after), Prediction: fmt.Sprint("p", row),
		Properties: fieldsOf(properties)}
	return stream.Record{Partition: -1, Key: []byte(e.User), Value: e.AppendJSON(nil)}
}

// shownIn is what an example says was shown.
func shownIn(x *event.Example) string { return string(x.Features[:2].AppendJSON(nil)) }

// checkShown compares what examples say was shown, by row from 1.
func checkShown(t *testing.T, fresh []event.Example, want ...string) {
	t.Helper()
	for i, w := range want {
		if got := shownIn(&fresh[i]); got != w || fresh[i].Features[2].Name != "device" {
			t.Errorf("%s: %s of %s, want %s", fresh[i].Prediction, got, fresh[i].Features.AppendJSON(nil), w)
		}
	}
}

func TestAnExampleCarriesWhatTheFirstImpressionBrought(t *testing.T) {
	for _, trigger := range []string{event.TypeImpression, event.TriggerPrediction} {
		r := newRig(t)
		r.shown, r.objective.Trigger, r.objective.Segments, r.registry = shownFacts(t), trigger, []string{"position"}, prometheus.NewRegistry()
		r.start()
		for row := range int64(8) {
			r.produce(event.TopicPredictions, placed(row+1))
		}
		r.produce(event.TopicEvents,
			impression(1, time.Second, `{"position":3,"slot":"side"}`),
			impression(2, 2*time.Second, `{"position":9}`), impression(2, time.Second, `{"position":4}`), // arrived in another order
			impression(3, time.Second, `{}`), impression(3, 2*time.Second, `{"position":"5"}`), // the first says nothing
			impression(4, time.Second, `{"position":"fifth"}`),                                       // of no kind
			impression(5, time.Second, `{}`), impression(5, span+time.Millisecond, `{"position":6}`), // too late
			impression(6, time.Second, `{"position":7,"slot":"side"}`), impression(6, 2*time.Second, `{"position":8,"slot":"foot"}`),
			impression(7, time.Second, `{"position":1,"slot":"top"}`), click(7, 2*time.Second),
			impression(8, time.Second, `{"slot":"side"}`), impression(8, 2*time.Second, `{"position":2}`)) // facts stay together
		r.beat(t0.Add(span) + 9)
		fresh := r.awaitExamples(8)
		slices.SortFunc(fresh, func(a, b event.Example) int { return int(a.Row - b.Row) })
		checkShown(t, fresh, `{"position":3,"slot":"side"}`, `{"position":4,"slot":null}`, `{"position":5,"slot":null}`, `{"position":null,"slot":null}`,
			`{"position":null,"slot":null}`, `{"position":7,"slot":"side"}`, `{"position":1,"slot":"top"}`, `{"position":null,"slot":"side"}`)
		if fresh[0].P != 0.25 || string(fresh[0].Segment.AppendJSON(nil)) != `{"position":3}` {
			t.Errorf("trigger %s: p %v, segment %s", trigger, fresh[0].P, fresh[0].Segment.AppendJSON(nil))
		}
		r.awaitMetric(5, "clickloop_feedback_shown_total", "position event click")
		r.awaitMetric(3, "clickloop_feedback_shown_total", "position none click")
		r.awaitMetric(1, "clickloop_feedback_shown_refused_total", "position")
	}
}

// A prediction without an impression is an example of an objective that wants none, and says that
// nobody knows what was shown.
func TestWithoutAnImpressionWhatWasShownIsUnknown(t *testing.T) {
	r := newRig(t)
	r.shown = shownFacts(t)
	r.start()
	r.produce(event.TopicPredictions, placed(1), prediction(2))
	r.produce(event.TopicEvents, impression(2, time.Second, `{"position":3}`))
	r.beat(t0.Add(span) + 3)
	fresh := r.awaitExamples(2)
	slices.SortFunc(fresh, func(a, b event.Example) int { return int(a.Row - b.Row) })
	checkShown(t, fresh[:1], `{"position":null,"slot":null}`)
	if got := string(fresh[1].Features.AppendJSON(nil)); got != `{"device":"mobile"}` {
		t.Errorf("a prediction of before the setting has %s", got)
	}
}

// A revision takes back the very example that was learned: with what it said was shown, even if an
// impression came meanwhile.
func TestARevisionSaysWhatItsExampleSaid(t *testing.T) {
	r := newRig(t)
	r.shown, r.objective.Revisions = shownFacts(t), true
	r.cfg.ReviseWithin = 10 * time.Minute
	r.start()
	r.produce(event.TopicPredictions, placed(1), placed(2))
	r.produce(event.TopicEvents, impression(1, time.Second, `{"position":3,"slot":"side"}`))
	due := t0.Add(span)
	r.beat(due + 3)
	r.awaitExamples(2)
	r.produce(event.TopicEvents, impression(2, 2*time.Minute, `{"position":5}`), click(1, 3*time.Minute), click(2, 3*time.Minute))
	r.beat(due.Add(10*time.Minute) + 3)
	fresh := r.awaitExamples(4)
	slices.SortStableFunc(fresh, func(a, b event.Example) int { return int(a.Row - b.Row) })
	checkShown(t, fresh, `{"position":3,"slot":"side"}`, `{"position":3,"slot":"side"}`, `{"position":null,"slot":null}`, `{"position":null,"slot":null}`)
	if !fresh[1].Revision || !fresh[3].Revision {
		t.Errorf("%+v", fresh)
	}
}

// What was shown is a function of the log: whoever folds it, however often, and with whatever
// stores that are emptied meanwhile.
func TestWhatWasShownSurvivesEmptiedStoresAndRestarts(t *testing.T) {
	r := newRig(t)
	r.shown, r.objective.Trigger = shownFacts(t), event.TypeImpression
	client, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(t), Username: backend.Administrator().Username, PasswordFile: backend.Administrator().PasswordFile, TLS: backend.TLS()}, features.Writing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	raw := backend.RedisClient(t)
	r.outcomes = features.NewRedis(client, r.client.Prefix(), "outcomes", time.Hour)
	empty := func() {
		t.Helper()
		keys, err := raw.Keys(t.Context(), r.client.Prefix()+"*").Result()
		if err == nil && len(keys) > 0 {
			err = raw.Del(t.Context(), keys...).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const n = 200
	rng := rand.New(rand.NewPCG(3, 4))
	want := make([]string, n)
	for row := range int64(n) {
		r.produce(event.TopicPredictions, placed(row+1))
		first := rng.IntN(9)
		want[row] = fmt.Sprintf(`{"position":%d,"slot":"s%d"}`, first, row%5)
		shows := []stream.Record{impression(row+1, time.Second, want[row])}
		for again := range rng.IntN(3) {
			shows = append(shows, impression(row+1, time.Duration(again+2)*time.Second, fmt.Sprintf(`{"position":%d}`, 10+again)), shows[0])
		}
		rng.Shuffle(len(shows), func(i, j int) { shows[i], shows[j] = shows[j], shows[i] })
		r.produce(event.TopicEvents, shows...)
	}
	_, stop := r.join()
	for upTo := int64(0); upTo < n; {
		upTo = min(n, upTo+30)
		r.beat(t0.Add(span) + event.Time(upTo))
		switch upTo {
		case 60, 150:
			empty()
		case 90:
			stop()
			_, stop = r.join()
		}
		r.beat(t0.Add(span) + event.Time(upTo))
		r.awaitExamples(int(upTo))
	}
	stop()
	fresh, _ := r.examples()
	slices.SortFunc(fresh, func(a, b event.Example) int { return int(a.Row - b.Row) })
	checkShown(t, fresh, want...)
	empty()
}

// A prediction for the first position says nothing about clicks in others: only what was shown as
// it was predicted is held against it.
func TestTheGuardJudgesWhatWasShownAsPredicted(t *testing.T) {
	g := DefaultConfig().Guard
	g.MinExamples = 100
	f := func(same, other int, wantAlarm bool) {
		t.Helper()
		var sum tally
		for i := range same + other {
			x := event.Example{P: 0.5, W: 1}
			if i%2 == 0 && i < same { // as predicted where it was shown so, never clicked elsewhere
				x.Y = 1
			}
			sum.predictions++
			sum.add(&x, i < same)
		}
		if alarm := g.judge(sum); (alarm != "") != wantAlarm || sum.examples != int64(same+other) {
			t.Errorf("%d as predicted, %d otherwise: alarm %q", same, other, alarm)
		}
	}
	f(200, 0, false)
	f(200, 2000, false)
	f(10, 2000, false) // too few to judge
	f(0, 2000, false)
	var sum tally
	for range 300 {
		sum.predictions++
		sum.add(&event.Example{P: 0.5, W: 1}, true)
	}
	if g.judge(sum) == "" {
		t.Error("no alarm where predictions are wrong")
	}
}
