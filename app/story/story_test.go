package story_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/story"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// now is the clock of the tests, a minute after their predictions.
var now = event.TimeOf(time.Now().Truncate(time.Second))

const minute = 60_000

var clicks = event.Objective{Name: "click", Trigger: event.TypeImpression, Positive: event.TypeClick, Window: 30 * time.Second, Revisions: true}
var buys = event.Objective{Name: "buy", Trigger: event.TriggerPrediction, Positive: event.TypeConversion, Window: time.Hour}

// world is a Kafka with the topics of a loop, which tests write.
type world struct {
	t      *testing.T
	client *stream.Client
	finder story.Finder
}

func newWorld(t *testing.T) *world {
	t.Helper()
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	objectives := []event.Objective{clicks, buys}
	var topics []stream.Topic
	for _, topic := range event.Topics(objectives, 3) {
		topics = append(topics, stream.Topic{Name: topic.Name, Partitions: topic.Partitions, Retention: topic.Retention})
	}
	if err := client.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	return &world{t, client, story.Finder{Client: client, Objectives: objectives, Revise: time.Minute, Now: func() event.Time { return now }}}
}

func (w *world) write(topic string, r stream.Record) {
	w.t.Helper()
	if err := w.client.Produce(w.t.Context(), topic, []stream.Record{r}); err != nil {
		w.t.Fatal(err)
	}
}

// predict writes the first prediction of a request, made a minute before now, as scorers do.
func (w *world) predict(request string) string {
	w.t.Helper()
	p := event.Prediction{
		ID: request + ".0", Request: request, Time: now - minute, User: "u1", Ad: "a1", Campaign: "c1", Propensity: 0.95, Policy: "epsilon:0.1", Value: "p.click * 2", Score: 0.02,
		P: []event.ObjectiveP{{Objective: "click", P: 0.01}}, Others: []event.Other{{Ad: "a2", P: []event.ObjectiveP{{Objective: "click", P: 0.005}}, Score: 0.01}},
		Features: event.Fields{{Name: "device", Value: event.Value{Kind: event.String, Str: "mobile"}}, {Name: "user.clicks_1h", Value: event.Value{Kind: event.Number, Num: 2}}}, AgeMs: []event.Age{{Name: "user", Ms: 340}},
	}
	w.write(event.TopicPredictions, stream.Record{Partition: -1, Key: []byte(p.ID), Place: []byte(request), Value: p.AppendJSON(nil)})
	return p.ID
}

// happen writes an event, received so long after the prediction.
func (w *world) happen(kind, prediction, user string, after time.Duration) {
	w.t.Helper()
	at := (now - minute).Add(after)
	e := event.Event{ID: fmt.Sprint(kind, after), Type: kind, Time: at, Received: at, User: user, Prediction: prediction}
	w.write(event.TopicEvents, stream.Record{Partition: -1, Key: []byte(user), Value: e.AppendJSON(nil)})
}

// label writes an example of the prediction at a place.
func (w *world) label(objective, id string, partition int, offset int64, y float64, revision bool) {
	w.t.Helper()
	x := event.Example{Objective: objective, Prediction: id, Time: now - minute, Y: y, W: 1, P: 0.01, Revision: revision, Source: event.Source{Topic: "aaaaaaaa", Partition: int32(partition), Offset: offset}}
	w.write(event.TopicExamples(objective), stream.Record{Partition: 0, Key: []byte(id), Value: x.AppendJSON(nil)})
}

func (w *world) tell(id string) *story.Story {
	w.t.Helper()
	s, err := w.finder.Tell(w.t.Context(), story.Question{ID: id})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func verdicts(s *story.Story) (all []string) {
	for _, e := range s.Events {
		for _, v := range e.Verdicts {
			all = append(all, fmt.Sprintf("%s for %s: %v, %s", e.Type, v.Objective, v.Counts, v.Why))
		}
	}
	return all
}

func TestAStoryTellsWhatHappened(t *testing.T) {
	w := newWorld(t)
	other, id := w.predict("r0"), w.predict("r1")
	w.happen(event.TypeImpression, id, "u1", 2*time.Second)
	w.happen(event.TypeImpression, id, "u2", 3*time.Second) // another user: another partition
	w.happen(event.TypeClick, id, "", 40*time.Second)
	w.happen(event.TypePage, id, "u1", 5*time.Second)
	w.happen(event.TypeClick, other, "u1", 5*time.Second)
	place := w.tell(id).Prediction.Place
	w.label("click", id, place.Partition, place.Offset, 0, false)
	w.label("click", id, place.Partition, place.Offset, 1, true)
	w.write(event.TopicDeadLetter, stream.Record{Partition: 0, Key: []byte(id), Value: (&event.DeadLetter{Stage: "learner", Reason: "it is too long", Topic: "examples.click", Offset: 9, Time: now, Payload: []byte(`{"prediction":"` + id + `"}`)}).AppendJSON(nil)})
	s := w.tell(id)
	f := func(what string, got, want any) {
		t.Helper()
		if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
			t.Errorf("%s: %s\nwant %s", what, a, b)
		}
	}
	f("verdicts", strings.Join(verdicts(s), "\n"), `impression for click: true, it was received within the window of 30s
impression for buy: false, the label is not made of impression
impression for click: false, another impression was received before it
impression for buy: false, the label is not made of impression
page for click: false, the label is not made of page
page for buy: false, the label is not made of page
click for click: true, it was received 10s after the window had ended, and revises the label
click for buy: false, the label is not made of click`)
	click, buy := s.Objectives[0], s.Objectives[1]
	f("click", []any{click.State, *click.Label, len(click.Examples), click.Examples[1].Revision, click.Why}, []any{story.Revised, 1, 2, true, "a revision has corrected the label to 1"})
	f("buy", []any{buy.State, buy.Label, buy.P, buy.Why}, []any{story.Waiting, nil, nil, "its label is due in 59m0s, at " + (now - minute + 60*minute).String()})
	f("learned", click.Examples[0].Learned, []story.Learned{{Network: "default", Why: "no weights are published yet"}})
	f("letters", []any{s.Letters[0].Stage, s.Letters[0].Reason, s.Letters[0].Of.Offset}, []any{"learner", "it is too long", 9})
	f("features", fmt.Sprintf("%s %s %s %d", s.Features[0].Value, s.Features[1].Name, s.Features[1].Entity, *s.Features[1].AgeMs), `"mobile" user.clicks_1h user 340`)
	f("others", []any{s.Others[0].Ad, s.Others[0].P, *s.Others[0].Score, s.Prediction.NotChosen}, []any{"a2", map[string]float64{"click": 0.005}, 0.01, 1})
	var text bytes.Buffer
	if err := s.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"prediction " + id, "of user, 340ms old", "not chosen: 1", "events: 4", "objective click: revised", "revision", "dead letters: 1", "objective buy: waiting"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is not in\n%s", part, text.String())
		}
	}
	suits(t, s)
}

// suits holds a story against its schema.
func suits(t *testing.T, s *story.Story) {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("../../docs/schemas/story.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%v\n%s", err, b)
	}
}

func TestAPredictionWithoutATriggerIsNoExample(t *testing.T) {
	w := newWorld(t)
	id := w.predict("r1")
	f := func(state, why string) {
		t.Helper()
		if o := w.tell(id).Objectives[0]; o.State != state || !strings.HasPrefix(o.Why, why) {
			t.Errorf("%s: %s, want %s: %s", o.State, o.Why, state, why)
		}
	}
	f(story.Overdue, "its label was due 30s ago: labels wait")
	place := w.tell(id).Prediction.Place
	for p := range 3 { // of later predictions; those of other partitions say nothing
		if p != place.Partition {
			w.label("click", "other.0", p, 99, 0, false)
		}
	}
	f(story.Overdue, "its label was due")
	w.label("click", "later.0", place.Partition, place.Offset+1, 0, false)
	f(story.NoTrigger, "no impression was received within 30s")
	w.happen(event.TypeClick, id, "u1", 3*time.Second)
	if got := verdicts(w.tell(id))[0]; got != "click for click: false, the trigger impression was not received within the window" {
		t.Error(got)
	}
}

func TestExamplesAreFoundByHalving(t *testing.T) {
	w := newWorld(t)
	ids := map[string]story.Place{}
	for i := range 40 {
		id := w.predict(fmt.Sprintf("r%d", i))
		ids[id] = w.tell(id).Prediction.Place
	}
	for i := range 40 {
		if id := fmt.Sprintf("r%d.0", i); i%3 > 0 {
			w.label("buy", id, ids[id].Partition, ids[id].Offset, float64(i%2), false)
		}
	}
	for i := range 40 {
		s := w.tell(fmt.Sprintf("r%d.0", i))
		o := s.Objectives[1]
		if labelled := i%3 > 0; labelled != (o.State == story.Labelled) || labelled && *o.Label != float64(i%2) {
			t.Errorf("r%d: %s, %v", i, o.State, o.Label)
		}
	}
}

// The id of a request that had none tells its time, and so does a question.
func TestATimeNarrowsTheSearch(t *testing.T) {
	w := newWorld(t)
	request := uuid.Must(uuid.NewV7()).String()
	id := w.predict(request)
	if s := w.tell(id); s.Prediction == nil || s.Searched[0].How != "time" {
		t.Errorf("%+v", s.Searched)
	}
	plain := w.predict("r1")
	s, err := w.finder.Tell(t.Context(), story.Question{ID: plain, At: time.Now()})
	if err != nil || s.Prediction == nil || s.Searched[0].How != "time" {
		t.Errorf("%v %+v", err, s.Searched)
	}
	s, err = w.finder.Tell(t.Context(), story.Question{ID: plain, At: time.Now().Add(-24 * time.Hour)})
	if err != nil || s.Prediction == nil || s.Searched[1].How != "key" {
		t.Errorf("a wrong hint: %v %+v", err, s.Searched)
	}
}

func TestAnUnknownIdSaysWhatWasSearched(t *testing.T) {
	w := newWorld(t)
	w.predict("r1")
	s := w.tell("r2.0")
	if s.Found() || !strings.Contains(s.Missing().Error(), "there is no prediction r2.0; searched were predictions (") || !strings.Contains(s.Missing().Error(), "examples.click") {
		t.Error(s.Missing())
	}
	if _, err := w.finder.Tell(t.Context(), story.Question{}); err == nil {
		t.Error("an empty id is searched")
	}
	// retention keeps examples longer than predictions
	w.label("buy", "gone.0", 1, 7, 1, false)
	if s := w.tell("gone.0"); !s.Found() || s.Prediction != nil || *s.Objectives[1].Label != 1 {
		t.Errorf("%+v", s)
	} else {
		suits(t, s)
	}
}

// A process that serves stories indexes what comes, and finds it without a search.
func TestStoriesAreServedFromAnIndex(t *testing.T) {
	w := newWorld(t)
	first := w.predict("r1")
	w.happen(event.TypeImpression, first, "u1", time.Second)
	stories := story.New(w.finder, slog.New(slog.DiscardHandler))
	mux := http.NewServeMux()
	stories.Register(nil, mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- stories.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	get := func(path string, want int) (s story.Story, body string) {
		t.Helper()
		answer, err := server.Client().Get(server.URL + "/v1/predictions/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(answer.Body); err != nil || answer.StatusCode != want {
			t.Fatalf("%s: %d %s %v", path, answer.StatusCode, b.String(), err)
		}
		_ = json.Unmarshal(b.Bytes(), &s)
		return s, b.String()
	}
	ways := func(s story.Story) (text string) {
		for _, x := range s.Searched {
			if x.Records > 0 && (x.Topic == event.TopicPredictions || x.Topic == event.TopicEvents) {
				text += x.Topic + " " + x.How + ";"
			}
		}
		return text
	}
	get(first, 200)
	for ctx.Err() == nil { // until all is indexed: the test's own limit ends it
		if s, _ := get(first+"?brief=1", 200); ways(s) == "predictions index;events index;" && len(s.Events) == 1 {
			break
		}
	}
	second := w.predict("r2")
	w.happen(event.TypeImpression, second, "u1", time.Second)
	if s, _ := get(second, 200); s.ID != second || len(s.Events) != 1 {
		t.Errorf("what is just written is not told: %+v", s)
	}
	if _, body := get("none.0", 404); !strings.Contains(body, "searched were") {
		t.Error(body)
	}
	if _, body := get("r1.0?at=yesterday", 400); !strings.Contains(body, "want a time in RFC 3339") {
		t.Error(body)
	}
	get("r1.0?att=1", 400)
}
