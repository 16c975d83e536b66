package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// rig is a dashboard beside topics that a test writes.
type rig struct {
	*testing.T
	client     *stream.Client
	objectives []event.Objective
	d          *Dashboard
	c          *collector
}

func newRig(t *testing.T, brokers []string, missing ...string) *rig {
	t.Helper()
	by, login := backend.Secured(brokers)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r := &rig{T: t, client: client, objectives: []event.Objective{
		{Name: "click", Trigger: "impression", Positive: "click", Window: time.Minute, Networks: []string{"default", "plain"}},
		{Name: "conversion", Trigger: "impression", Positive: "conversion", Window: time.Hour, Revisions: true},
	}}
	all := append(event.Topics(r.objectives, 3), event.BiddingTopics()...)
	var made []stream.Topic
	var names []string
	for _, topic := range all {
		if !slices.Contains(missing, topic.Name) {
			made, names = append(made, stream.Topic(topic)), append(names, topic.Name)
		}
	}
	if err := client.EnsureTopics(t.Context(), made...); err != nil {
		t.Fatal(err)
	}
	r.d, err = New(DefaultConfig(), Deps{Client: client, Objectives: r.objectives, Topics: all, Bidding: true, Gatherer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r.c = newCollector(r.d)
	t.Cleanup(func() { r.c.close() })
	for t.Context().Err() == nil { // leaders of new topics are not known everywhere at once
		if ranges, err := r.c.survey.Ranges(t.Context(), names...); err == nil && len(ranges) == len(names) {
			break
		}
	}
	return r
}

func (r *rig) produce(topic string, values ...[]byte) {
	r.Helper()
	records := make([]stream.Record, len(values))
	for i, v := range values {
		records[i] = stream.Record{Partition: -1, Key: fmt.Append(nil, i), Value: v}
	}
	if err := r.client.Produce(r.Context(), topic, records); err != nil {
		r.Fatal(err)
	}
}

// turn makes a state, and returns it as a client has it.
func (r *rig) turn() *Content {
	r.Helper()
	r.c.collect(r.Context(), time.Now())
	f, err := encode(&r.c.state)
	if err != nil {
		r.Fatal(err)
	}
	var got Content
	if err := json.Unmarshal(f.json, &got); err != nil {
		r.Fatal(err)
	}
	return &got
}

func find[T any](t *testing.T, all []T, is func(*T) bool) *T {
	t.Helper()
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	t.Fatalf("it is not among %+v", all)
	return nil
}

func (r *rig) predictions(from, n int) {
	r.Helper()
	var values [][]byte
	for i := range n {
		p := event.Prediction{ID: fmt.Sprintf("r%d.0", from+i), Request: fmt.Sprintf("r%d", from+i), Time: t0 + event.Time(from+i), Ad: "a", User: "u", Propensity: 1, Policy: "greedy",
			P: []event.ObjectiveP{{Objective: "click", P: 0.25}}, Model: []event.ObjectiveVersion{{Objective: "click", Version: fmt.Sprintf("click@%d", from+i)}}}
		values = append(values, p.AppendJSON(nil))
	}
	r.produce(event.TopicPredictions, values...)
}

func example(n int, y float64, revision bool) []byte {
	x := event.Example{Objective: "click", Prediction: fmt.Sprintf("r%d.0", n), Time: t0 + event.Time(n), Y: y, W: 1, P: 0.25, Model: "click@1", Revision: revision,
		Features: event.Fields{{Name: "device", Value: event.Value{Kind: event.String, Str: "mobile"}}}, Source: event.Source{Topic: "aaaaaaaa", Offset: int64(n)}}
	return x.AppendJSON(nil)
}

// Figures are those of the topics, whatever number of records these hold.
func TestAStateHasTheNewestOfEachTopic(t *testing.T) {
	r := newRig(t, backend.Kafka(t))
	first := r.turn()
	if len(first.Topics) == 0 {
		t.Fatalf("no topic is told: %q", first.Problems)
	}
	if first.Topics[0].PerSecond != nil || len(first.Predictions) != 0 || len(first.Problems) != 0 || first.Clock != "wall" {
		t.Errorf("of empty topics: %+v", first)
	}
	r.predictions(0, 1000)
	r.produce(event.TopicExamples("click"), example(999, 0, false), example(998, 1, false), example(999, 1, true))
	head := weights.Cut(weights.Head{Kind: weights.Delta, Epoch: 1, From: 3, To: 12}, "click.plain", []byte("x"))
	if err := r.client.Produce(t.Context(), event.TopicModel("click.plain"), head); err != nil {
		t.Fatal(err)
	}
	beat := event.Event{Type: event.TypeHeartbeat, Time: t0 + 7000, Received: t0 + 7000}
	r.produce(event.TopicEvents, beat.AppendJSON(nil))
	got := r.turn()
	of := func(name string) *TopicInfo {
		return find(t, got.Topics, func(i *TopicInfo) bool { return i.Topic == name })
	}
	if p := of(event.TopicPredictions); p.Records != 1000 || p.Kept != 1000 || p.Partitions != 3 || p.PerSecond == nil || *p.PerSecond <= 0 || p.EventTime != t0+999 {
		t.Errorf("predictions are %+v", p)
	}
	if e := of(event.TopicEvents); e.EventTime != t0+7000 || got.Clock != "recorded" || got.Recorded != t0+7000 {
		// of years ago, and written now: a replay
		t.Errorf("events are %+v, the clock is %s of %v", e, got.Clock, got.Recorded)
	}
	if p := of(event.TopicPredictions); p.AgeSeconds == nil || *p.AgeSeconds != 6.001 {
		t.Errorf("by the recorded clock the newest prediction is 6.001 s old, and it is told as %v", *p.AgeSeconds)
	}
	if len(got.Predictions) != mostPredictions {
		t.Fatalf("%d predictions are told", len(got.Predictions))
	}
	for i, p := range got.Predictions {
		if want := fmt.Sprintf("r%d.0", 999-i); p.ID != want {
			t.Fatalf("prediction %d is %s, want %s", i, p.ID, want)
		}
	}
	if o := got.Predictions[0].Outcomes["click"]; o.Y != 1 || !o.Revised {
		t.Errorf("the newest has the outcome %+v, want that of its revision", o)
	}
	if o := got.Predictions[1].Outcomes["click"]; o.Y != 1 || o.Revised || len(got.Predictions[2].Outcomes) != 0 {
		t.Errorf("the next have %+v and %+v", o, got.Predictions[2].Outcomes)
	}
	if len(got.Judged) != 3 || got.Judged[0].ID != "r999.0" || !got.Judged[0].Revised {
		t.Errorf("judged are %+v", got.Judged)
	}
	plain := find(t, got.Models, func(m *ModelInfo) bool { return m.Network == "plain" })
	if plain.Version != "click.plain@12" || plain.Served != "" || plain.AgeMs == nil {
		t.Errorf("the network plain is %+v", plain)
	}
	if served := find(t, got.Models, func(m *ModelInfo) bool { return m.Objective == "click" && m.Network == "default" }); served.Served != "click@999" || served.Version != "" {
		t.Errorf("the served network is %+v", served)
	}
}

// A second costs a bounded number of records, however many come.
func TestAStateReadsABoundedNumberOfRecords(t *testing.T) {
	r := newRig(t, backend.Kafka(t))
	r.turn()
	r.predictions(0, 20_000)
	before := value(t, r.d.metrics.records)
	r.turn()
	if read := value(t, r.d.metrics.records) - before; read > 3*mostPredictions {
		t.Errorf("of 20000 predictions in 3 partitions %v were read, want at most %d", read, 3*mostPredictions)
	}
	before = value(t, r.d.metrics.records)
	r.turn()
	if read := value(t, r.d.metrics.records) - before; read != 0 {
		t.Errorf("%v records were read although none came", read)
	}
}

// What other producers write is passed over, counted and named, and hides nothing.
func TestMalformedRecordsArePassedOverAndNamed(t *testing.T) {
	r := newRig(t, backend.Kafka(t))
	r.turn()
	for _, topic := range []string{event.TopicPredictions, event.TopicEvaluations, event.TopicDeadLetter, event.TopicExamples("click"), event.TopicBids} {
		r.produce(topic, []byte("{"))
	}
	r.produce(event.TopicModel("click"), []byte("no weights"))
	r.produce(event.TopicEvaluations, evaluated("all", 1, nil).AppendJSON(nil), evaluated("fortnight", 1, nil).AppendJSON(nil))
	r.produce(event.TopicDeadLetter, (&event.DeadLetter{Stage: "ingest", Reason: `type "x" is not known`, Time: t0, Topic: "events", Offset: 17}).AppendJSON(nil))
	r.predictions(0, 3)
	got := r.turn()
	want := map[string]int64{event.TopicPredictions: 1, event.TopicEvaluations: 2, event.TopicDeadLetter: 1, event.TopicExamples("click"): 1, event.TopicBids: 1, event.TopicModel("click"): 1}
	for topic, n := range want {
		if got.Malformed[topic] != n {
			t.Errorf("of %s %d records are malformed, want %d", topic, got.Malformed[topic], n)
		}
		if !slices.ContainsFunc(got.Problems, func(p string) bool {
			return strings.Contains(p, fmt.Sprintf("%d records of %s cannot be read", n, topic))
		}) {
			t.Errorf("no problem names %s: %q", topic, got.Problems)
		}
	}
	if len(got.Predictions) != 3 || len(got.Evaluations) != 1 || got.DeadLetters.Total != 2 || len(got.DeadLetters.Reasons) != 1 || got.DeadLetters.Reasons[0].Offset != 17 {
		t.Errorf("beside them are %d predictions, %d evaluations, %+v", len(got.Predictions), len(got.Evaluations), got.DeadLetters)
	}
	r.predictions(3, 1)
	if again := r.turn(); again.Malformed[event.TopicPredictions] != 1 {
		t.Errorf("a record that was counted is counted again: %v", again.Malformed)
	}
}

// Topics that are not there yet are named, and the rest is told.
func TestMissingTopicsAreNamedAndSpareTheRest(t *testing.T) {
	r := newRig(t, backend.Kafka(t), event.TopicBids, event.TopicCampaigns, event.TopicExamples("conversion"))
	r.predictions(0, 2)
	got := r.turn()
	if want := "these topics do not exist yet: examples.conversion, bids, campaigns"; !slices.Contains(got.Problems, want) {
		t.Errorf("the problems are %q, want %q", got.Problems, want)
	}
	if len(got.Predictions) != 2 || got.Bidding == nil || len(got.Bidding.Campaigns) != 0 {
		t.Errorf("the rest is %d predictions, bidding %+v", len(got.Predictions), got.Bidding)
	}
}

// The lag of a group is in records, and in seconds since its first unread record was written, also
// when that was long before anybody watched.
func TestLagsAreToldInRecordsAndSeconds(t *testing.T) {
	r := newRig(t, backend.Kafka(t))
	old := make([]stream.Record, 10)
	for i := range old {
		e := event.Event{Type: "page", User: "u", Time: t0, Received: t0}
		old[i] = stream.Record{Partition: 1, Value: e.AppendJSON(nil), Time: time.Now().Add(-time.Hour)}
	}
	if err := r.client.Produce(t.Context(), event.TopicEvents, old); err != nil {
		t.Fatal(err)
	}
	lag := func(got *Content, group string) *ConsumerInfo {
		return find(t, got.Consumers, func(c *ConsumerInfo) bool { return c.Group == group })
	}
	if c := lag(r.turn(), "profiles"); c.Behind != nil || c.BehindSeconds != nil {
		t.Errorf("a group that has committed nothing: %+v", c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_ = r.client.Join(ctx, "profiles", []string{event.TopicEvents}, func(inner context.Context, g *stream.Generation) error {
		err := g.Commit(inner, event.TopicEvents, map[int]int64{1: 4})
		if err == nil {
			cancel()
		}
		return err
	})
	c := lag(r.turn(), "profiles")
	if c.Behind == nil || *c.Behind != 6 || c.BehindSeconds == nil {
		t.Fatalf("%+v, want 6 records", c)
	}
	// the topic events has the broker's time: a record cannot be an hour old there
	if s := *c.BehindSeconds; s < 0 || s > 3700 {
		t.Errorf("the first unread record is %v s old", s)
	}
	if c := lag(r.turn(), "labels.conversion"); c.WindowMs != 3_600_000 || c.Objective != "conversion" {
		t.Errorf("labels are %+v", c)
	}
}

// While Kafka is away the state stays, and says so. Then it goes on.
func TestKafkaThatIsAwayIsToldAndComesBack(t *testing.T) {
	if backend.Real() {
		t.Skip("the test stops its broker")
	}
	services := backend.Embedded(t)
	r := newRig(t, []string{services.Kafka})
	r.predictions(0, 5)
	before := r.turn()
	services.StopKafka()
	away := r.turn()
	if len(away.Problems) != 1 || !strings.HasPrefix(away.Problems[0], "Kafka is away, and this is the state of before: ") {
		t.Errorf("the problems are %q", away.Problems)
	}
	if away.Read != before.Read || len(away.Predictions) != 5 || len(away.Topics) != len(before.Topics) {
		t.Errorf("of the state before is left: %d predictions, %d topics", len(away.Predictions), len(away.Topics))
	}
	if err := services.StartKafka(); err != nil {
		t.Fatal(err)
	}
	r.predictions(5, 1)
	back := r.turn()
	for tries := 0; len(back.Problems) > 0 && tries < 20; tries++ { // connections that broke are noticed
		back = r.turn()
	}
	if len(back.Problems) != 0 || back.Predictions[0].ID != "r5.0" {
		t.Errorf("Kafka is back: %q, %+v", back.Problems, back.Predictions[0])
	}
}

// A history that is longer than is read says so, and so does one that retention has cut.
func TestGapsOfTheHistoryAreTold(t *testing.T) {
	r := newRig(t, backend.Kafka(t))
	var all [][]byte
	for n := range 1500 {
		all = append(all, evaluated("1m", n, nil).AppendJSON(nil))
	}
	r.produce(event.TopicEvaluations, all...)
	r.d.cfg.History = 1000
	r.turn()
	got := ask(t, r.d.history, series{objective: "click", window: "1m"}, pointsMost)
	if !got.Complete || len(got.Points) != 1000 || len(got.Gaps) != 1 || !strings.Contains(got.Gaps[0], "before offset 500 are not read: dashboard.history") {
		t.Errorf("complete %v, %d points, gaps %q", got.Complete, len(got.Points), got.Gaps)
	}
	r.c.close()
	r.c = newCollector(r.d) // the next watcher
	r.produce(event.TopicEvaluations, evaluated("1m", 1500, nil).AppendJSON(nil))
	r.turn()
	if again := ask(t, r.d.history, series{objective: "click", window: "1m"}, pointsMost); len(again.Points) != 1001 || len(again.Gaps) != 1 {
		t.Errorf("the next watcher has %d points, gaps %q", len(again.Points), again.Gaps)
	}
}
