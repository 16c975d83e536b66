package story_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/app/story"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/stream"
)

// all reads a topic from its start to its end.
func all(t *testing.T, client *stream.Client, topic string) (records []stream.Record) {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := client.ReadRange(t.Context(), topic, p, r.First, r.End, func(r *stream.Record) error {
			records = append(records, *r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// TestStoriesAgreeWithTheTopics tells 100 random predictions of a replay, from the topics and by
// the process that has an index, and finds each field of them by plain reading.
func TestStoriesAgreeWithTheTopics(t *testing.T) {
	rec, err := recording.Open("../../examples/bank-marketing")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.HTTP, cfg.Admin, cfg.Data, cfg.Clock, cfg.Objectives = "127.0.0.1:0", "127.0.0.1:0", t.TempDir(), config.ClockRecorded, []event.Objective{rec.Objective()}
	l, err := run.Start(t.Context(), run.Options{Config: cfg, Embedded: true, AnyPort: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := l.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	const requests = 1000
	if _, err := l.Play(ctx, run.PlayOptions{Recording: rec, Lockstep: true, Limit: requests}); err != nil {
		t.Fatal(err)
	}
	predictions, events := all(t, l.Client, event.TopicPredictions), all(t, l.Client, event.TopicEvents)
	examples := map[string]stream.Record{}
	for _, r := range all(t, l.Client, event.TopicExamples("conversion")) {
		examples[string(r.Key)] = r
	}
	var versions []int64
	for _, r := range all(t, l.Client, event.TopicModel("conversion")) {
		if h, err := weights.ParseHead(r.Headers); err == nil {
			versions = append(versions, h.To)
		}
	}
	f := story.Finder{Client: l.Client, Objectives: cfg.Objectives, Now: func() event.Time { return event.TimeOf(time.Now()) }}
	random := rand.New(rand.NewPCG(14, 1))
	positives := 0
	for n := range 100 {
		r := &predictions[random.IntN(len(predictions))]
		told, err := f.Tell(ctx, story.Question{ID: string(r.Key)})
		if err != nil {
			t.Fatal(err)
		}
		check(t, told, r, events, examples, versions)
		if told.Objectives[0].Label != nil && *told.Objectives[0].Label == 1 {
			positives++
		}
		if n%10 == 0 {
			checkServed(t, l, told)
		}
	}
	if len(predictions) != requests || positives == 0 {
		t.Errorf("%d predictions, %d positives among those that were told", len(predictions), positives)
	}
}

// check compares a story with the records that it is about.
func check(t *testing.T, s *story.Story, r *stream.Record, events []stream.Record, examples map[string]stream.Record, versions []int64) {
	t.Helper()
	p, err := event.ParsePrediction(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	id := string(r.Key)
	is := func(what string, got, want any) {
		t.Helper()
		if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
			t.Errorf("%s: %s is %s, want %s", id, what, a, b)
		}
	}
	is("place", s.Prediction.Place, story.Place{Topic: "predictions", Partition: r.Partition, Offset: r.Offset, Written: r.Time.UTC()})
	is("message", string(s.Prediction.Message), string(r.Value))
	is("choice", []any{s.Prediction.Time, s.Prediction.User, s.Prediction.Ad, s.Prediction.Policy, s.Prediction.Propensity, s.Request}, []any{p.Time, p.User, p.Ad, p.Policy, p.Propensity, p.Request})
	is("features", len(s.Features), len(p.Features))
	for i, f := range s.Features {
		is("feature", f.Name+string(f.Value), p.Features[i].Name+string(p.Features[i].Value.AppendJSON(nil)))
	}
	var want []string
	for i := range events {
		if e, err := event.ParseEvent(events[i].Value); err == nil && e.Prediction == id {
			want = append(want, fmt.Sprint(events[i].Partition, events[i].Offset, e.ID, e.Type, e.Time, e.Received, int64(e.Received-p.Time), true))
		}
	}
	var got []string
	for _, e := range s.Events {
		got = append(got, fmt.Sprint(e.Partition, e.Offset, e.ID, e.Type, e.Time, e.Received, e.AfterMs, e.Verdicts[0].Counts))
	}
	is("events", got, want)
	o := &s.Objectives[0]
	record := examples[id]
	x, err := event.ParseExample(record.Value)
	if err != nil || len(o.Examples) != 1 {
		t.Fatalf("%s: %v, %d examples", id, err, len(o.Examples))
	}
	e := &o.Examples[0]
	is("example", []any{e.Offset, e.Y, e.W, e.P, e.Revision, *o.Label, o.State, o.Due}, []any{record.Offset, x.Y, x.W, x.P, false, x.Y, story.Labelled, p.Time + 30_000})
	is("label", *o.Label, map[bool]int{true: 1}[len(want) > 0])
	first := int64(0)
	for _, v := range versions {
		if first == 0 && v >= record.Offset+1 {
			first = v
		}
	}
	is("learned", e.Learned, []story.Learned{{Network: "default", Version: event.ModelVersion("conversion", first), Exact: true}})
	is("p", []any{*o.P, o.Model}, []any{p.P[0].P, p.Model[0].Version})
	b := o.Because
	if b == nil || !b.Same || b.Version != o.Model || b.P != *o.P {
		t.Fatalf("%s: why is %+v of %s with %v", id, b, o.Model, *o.P)
	}
	sum := b.Base + b.Rest
	for _, shift := range b.Shifts {
		sum += shift.By
	}
	if math.Abs(sum-b.Logit) > 1e-9 || math.Abs(1/(1+math.Exp(-b.Logit-b.Calibration))-b.P) > 1e-9 {
		t.Errorf("%s: shifts sum up to %v, not to the logit %v of %v", id, sum, b.Logit, b.P)
	}
	if len(s.Notes)+len(s.Letters) > 0 {
		t.Errorf("%s: %v %v", id, s.Notes, s.Letters)
	}
}

// checkServed asks the process for the same story.
func checkServed(t *testing.T, l *run.Loop, want *story.Story) {
	t.Helper()
	answer, err := http.Get("http://" + l.Admin + "/v1/predictions/" + want.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got story.Story
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	a, b := got, *want
	a.Ms, b.Ms, a.Searched, b.Searched = 0, 0, nil, nil // the index finds it in another way
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("served is\n%s\nwant\n%s", x, y)
	}
}
