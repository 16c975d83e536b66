package event

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

const docs = "../docs"

func schemaOf(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	schema, err := c.Compile(filepath.Join(docs, "schemas", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func instance(t testing.TB, line []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// goldenMessages has one of each message, with every field.
func goldenMessages() map[string]interface{ AppendJSON([]byte) []byte } {
	at := testNow + 123
	facts := Fields{{"device", Value{Kind: String, Str: "mobile"}}, {"user.clicks_1h", Value{Kind: Number, Num: 2}}, {"user.last_ad", Value{}},
		{"tags", Value{Kind: List, List: []WeightedToken{{"shoes", 1}, {"red", 0.5}}}}}
	metric := func(f float64) *float64 { return &f }
	return map[string]interface{ AppendJSON([]byte) []byte }{
		"event": &Event{"e1", "click", at, at + 40, TimeSentAt, at + 300_000, "u1", "a1", "r1.0", "AQECAwQBodFMkngRIjNEVWZ3iJmqu8zd7v8R", "r1", "a17", "c9", 1.25, "web", facts[:1],
			Fields{{"url", Value{Kind: String, Str: "https://example.com/?q=\"ü\"&a=1\n"}}}, "site-1", "collector-1", true},
		"prediction": &Prediction{"r1.0", "r1", 17, at, "u1", "a1", "a17", "c9", metric(2.5), "p.click * 2", 0.0246, []ObjectiveP{{"click", 0.0123}}, []ObjectiveVersion{{"click", "click@184203"}},
			0.95, "thompson", 0.25, "9f86d081884c7d65", 3, []Cap{{"campaign", 2}}, []Other{{"a18", "c9", []ObjectiveP{{"click", 0.0101}}, 2, 0.0202, 0.5}, {"a3", "", []ObjectiveP{{"click", 0.002}}, 1, 0.004, 1.25}}, 2, "c0535e4be2b79ffd", facts, []Age{{"user", 340}, {"model", 120}}, "site-1"},
		"example": &Example{"click", "r1.0", 17, at, 1, "red", 1, 0.0123, "click@184203", 0.95, "epsilon", 5837462938112, facts, facts[:1], true, Source{"1f0a77d2", 3, 991}},
		"evaluation": &Evaluation{
			Objective: "click", Window: "1m", Start: testNow, End: testNow + 60000, Examples: 5000, Positives: 61, Users: 1200, SegmentsLeftOut: 17,
			LogLoss: metric(0.061), NormalizedEntropy: metric(0.93), AUC: metric(0.71), PredictedOverActual: metric(1.02), ECE: metric(0.002),
			Brier: metric(0.012), AveragePrecision: metric(0.04), GAUC: metric(0.66), Lift: metric(2.5), RankError: metric(0.0005),
			LogLossInterval: &Interval{0.055, 0.067}, NormalizedEntropyInterval: &Interval{0.88, 0.98}, AUCInterval: &Interval{0.64, 0.78}, PredictedOverActualInterval: &Interval{0.8, 1.3},
			Calibration: []CalibrationBin{{2500, 12.25, 11}, {2500, 50, 50}}, Scores: []int64{0, 4000, 1000},
			Weight: metric(5000), Predicted: metric(62.25), Actual: metric(61), LogLossSum: metric(305), Segment: facts[:1],
			Model: "click@184203", Alarm: "predicted_over_actual is 1.6, above 1.2",
			Network: "plain", Versus: "wide", Offsets: &[2]int64{10000, 15000}, Difference: metric(-0.001), DifferenceInterval: &Interval{-0.002, -0.0005}, Better: "versus",
		},
		"item": &Item{"a17", "c9", 2.5, facts[:1], at},
		"bid": &BidStep{StepBid, "r1.0/2", "c9", "b41f6c02", at, 3, 1204, 2500, -100, "2026-11-25", "r1", "1", "a17", "shop", "deal-7", "u1", 2500, 3100, 500, 0.25, true, at + 300_000, facts[:2], 86_400_000,
			2400, 2100, 102, true, 20, true, 500_000, 50_000_000, 2_000_000, 7_000_000, Fields{{"2026-11-25", Value{Kind: Number, Num: 1_000_000}}}},
		"deadletter": &DeadLetter{"ingest", "time is not RFC 3339", "events", 2, 17, at, []byte(`{"time":"yesterday"}`)},
	}
}

func TestTheFormOnTheWireStaysAsItIs(t *testing.T) {
	for name, m := range goldenMessages() {
		path := filepath.Join("testdata", name+".json")
		line := append(m.AppendJSON(nil), '\n')
		if *update {
			if err := os.WriteFile(path, line, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(line, want) {
			t.Errorf("%s is written as\n%swant\n%s", name, line, want)
		}
	}
}

func TestMessagesFitTheirSchemas(t *testing.T) {
	for name, m := range goldenMessages() {
		schema := schemaOf(t, name)
		if err := schema.Validate(instance(t, m.AppendJSON(nil))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check := func(name string, make func(r random) []byte) {
		schema := schemaOf(t, name)
		for seed := range uint64(300) {
			line := make(newRandom(seed))
			if err := schema.Validate(instance(t, line)); err != nil {
				t.Fatalf("%s: %s: %v", name, line, err)
			}
		}
	}
	unit := func(r random) *float64 { f := r.Float64(); return &f }
	check("event", func(r random) []byte {
		e := r.event()
		e.Type, e.Value = "t"+e.Type, r.Float64()
		return e.AppendJSON(nil)
	})
	check("prediction", func(r random) []byte {
		p := r.prediction()
		p.Propensity, p.OthersCount = r.Float64(), r.Int64()
		for i := range p.Model {
			p.Model[i].Version = ModelVersion("click", r.Int64())
		}
		return p.AppendJSON(nil)
	})
	check("example", func(r random) []byte {
		x := r.example()
		x.Propensity = r.Float64()
		return x.AppendJSON(nil)
	})
	check("evaluation", func(r random) []byte {
		e := r.evaluation()
		for _, m := range e.metrics() {
			*m.value = unit(r)
		}
		e.Better = []string{"", "network", "versus"}[r.IntN(3)]
		return e.AppendJSON(nil)
	})
	check("item", func(r random) []byte {
		i := Item{ID: "i" + r.text(), Campaign: r.text(), Value: r.Float64(), Fields: r.fields(), Time: r.time()}
		return i.AppendJSON(nil)
	})
	check("bid", func(r random) []byte {
		b := r.bidStep()
		b.Day = r.time().Std().Format("2006-01-02")
		return b.AppendJSON(nil)
	})
	check("deadletter", func(r random) []byte { d := r.deadLetter(); return d.AppendJSON(nil) })
}

func TestSchemasRefuseWhatIsNoMessage(t *testing.T) {
	f := func(name, line string) {
		t.Helper()
		if err := schemaOf(t, name).Validate(instance(t, []byte(line))); err == nil {
			t.Errorf("%s takes %s", name, line)
		}
	}
	f("event", `{}`)
	f("event", `{"type":7}`)
	f("event", `{"type":"click","time":"yesterday"}`)
	f("prediction", `{"id":"p1","time":"2026-11-25T09:00:00Z","p":{},"features":{}}`)
	f("prediction", `{"id":"p1","time":"2026-11-25T09:00:00.000Z","p":{"click":1.5},"features":{}}`)
	f("prediction", `{"id":"p1","time":"2026-11-25T09:00:00.000Z","p":{},"features":{"x":[1]}}`)
	f("prediction", `{"id":"p1","time":"2026-11-25T09:00:00.000Z","p":{},"features":{"x":{"y":1}}}`)
	f("example", `{"objective":"click","prediction":"p1"}`)
	f("evaluation", `{"objective":"click","window":"1m","examples":1,"positives":0,"auc":2}`)
	f("item", `{"campaign":"c9"}`)
	f("item", `{"id":"a17","value":-1}`)
	f("item", `{"id":"a17","fields":{"size":{"w":1}}}`)
	f("bid", `{"step":"bid","epoch":1}`)
	f("bid", `{"step":"bid","time":"2026-11-25T09:00:00.000Z","epoch":0}`)
	f("bid", `{"step":"bid","time":"2026-11-25T09:00:00.000Z","epoch":1,"price":-1}`)
	f("bid", `{"step":"bid","time":"2026-11-25T09:00:00.000Z","epoch":1,"day":"25.11."}`)
	f("deadletter", `{"stage":"ingest","reason":"no","partition":0,"offset":0}`)
}

type asyncMessage struct {
	Name        string
	ContentType string `yaml:"contentType"`
	Payload     struct{ Schema map[string]string }
}

// TestTheAsyncAPIDocumentTellsTheTopicsAndSchemasThatThereAre compares it with Topics and with the
// folder of schemas.
func TestTheAsyncAPIDocumentTellsTheTopicsAndSchemasThatThereAre(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		AsyncAPI string `yaml:"asyncapi"`
		Channels map[string]struct {
			Address  string
			Messages map[string]map[string]string
			Bindings struct {
				Kafka struct{ Partitions int }
			}
		}
		Operations map[string]struct {
			Channel map[string]string
		}
		Components struct {
			Messages map[string]asyncMessage
		}
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(yaml.FormatError(err, false, true))
	}
	if doc.AsyncAPI != "3.0.0" {
		t.Fatalf("AsyncAPI %q", doc.AsyncAPI)
	}
	topics := map[string]int{}
	for _, topic := range Topics([]Objective{{Name: "{objective}"}}, 4, "{catalogue}") {
		topics["clickloop."+topic.Name] = topic.Partitions
	}
	for _, topic := range BiddingTopics() {
		topics["clickloop."+topic.Name] = topic.Partitions
	}
	for name, channel := range doc.Channels {
		partitions, ok := topics[channel.Address]
		if !ok {
			t.Errorf("channel %s is %s, and there is no such topic", name, channel.Address)
		}
		if told := channel.Bindings.Kafka.Partitions; told != 0 && told != partitions {
			t.Errorf("channel %s has %d partitions, its topic %d", name, told, partitions)
		}
		delete(topics, channel.Address)
		for _, m := range channel.Messages {
			if _, ok := doc.Components.Messages[strings.TrimPrefix(m["$ref"], "#/components/messages/")]; !ok {
				t.Errorf("channel %s names the message %s, which is not there", name, m["$ref"])
			}
		}
	}
	for topic := range topics {
		t.Errorf("no channel is the topic %s", topic)
	}
	for name, operation := range doc.Operations {
		if _, ok := doc.Channels[strings.TrimPrefix(operation.Channel["$ref"], "#/channels/")]; !ok {
			t.Errorf("operation %s names the channel %s, which is not there", name, operation.Channel["$ref"])
		}
	}
	checkMessages(t, doc.Components.Messages)
}

func checkMessages(t *testing.T, messages map[string]asyncMessage) {
	t.Helper()
	known := []string{SchemaEvent, SchemaPrediction, SchemaExample, SchemaEvaluation, SchemaItem, SchemaDeadLetter, SchemaBid, SchemaCampaign, SchemaModel}
	for key, m := range messages {
		i := slices.Index(known, m.Name)
		if i < 0 {
			t.Errorf("message %s has the schema %q, which no record has", key, m.Name)
			continue
		}
		known = slices.Delete(known, i, i+1)
		if m.Name == SchemaModel {
			if m.ContentType != ContentTypeBinary {
				t.Errorf("message %s is %s", key, m.ContentType)
			}
			continue
		}
		schema := schemaOf(t, key)
		if want := "schemas/" + key + ".json"; m.Payload.Schema["$ref"] != want || m.ContentType != ContentTypeJSON || schema.Title != m.Name {
			t.Errorf("message %s refers to %v with title %q, want %s with title %s", key, m.Payload.Schema, schema.Title, want, m.Name)
		}
	}
	if len(known) > 0 {
		t.Errorf("no message has the schemas %v", known)
	}
}
