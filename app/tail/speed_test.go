package tail

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

func schemaNames(t *testing.T, schema string) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/schemas/" + schema + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Properties map[string]any }
	if err := json.Unmarshal(text, &s); err != nil || len(s.Properties) == 0 {
		t.Fatal(err)
	}
	for name := range s.Properties {
		names = append(names, name)
	}
	return names
}

// prediction is a message as a scorer writes it, of about 600 bytes.
func prediction(n int) []byte {
	p := event.Prediction{
		ID: fmt.Sprintf("r%07d.0", n), Request: fmt.Sprintf("r%07d", n), Time: event.Time(1_790_000_000_000 + n), User: fmt.Sprintf("u%d", n%1000), Ad: fmt.Sprintf("a%d", n%50), Campaign: "c9",
		P: []event.ObjectiveP{{Objective: "click", P: float64(n%1000) / 1000}, {Objective: "conversion", P: 0.01}}, Model: []event.ObjectiveVersion{{Objective: "click", Version: "click@184203"}, {Objective: "conversion", Version: "conversion@1842"}},
		Propensity: 0.95, Policy: "epsilon:0.05", Choice: "3f2a9c01d2e4b5a6",
		Features: event.Fields{
			{Name: "device", Value: event.Value{Kind: event.String, Str: [...]string{"mobile", "desktop"}[n%2]}}, {Name: "hour", Value: event.Value{Kind: event.Number, Num: float64(n % 24)}},
			{Name: "site", Value: event.Value{Kind: event.String, Str: "news.example"}}, {Name: "geo.country", Value: event.Value{Kind: event.String, Str: "NL"}},
			{Name: "user.clicks_1h", Value: event.Value{Kind: event.Number, Num: 2}}, {Name: "user.impressions_1h", Value: event.Value{Kind: event.Number, Num: 17}}, {Name: "ad.ctr_1d", Value: event.Value{Kind: event.Number, Num: 0.0123456789}},
		},
		AgeMs: []event.Age{{Name: "user", Ms: 340}, {Name: "ad", Ms: 120}, {Name: "model", Ms: 120}},
	}
	return p.AppendJSON(nil)
}

// BenchmarkTail filters a topic of predictions in four partitions from its start to its end:
// CLICKLOOP_TAIL_MESSAGES of them, 100,000 by default.
func BenchmarkTail(b *testing.B) {
	n := 100_000
	if s := os.Getenv("CLICKLOOP_TAIL_MESSAGES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(b), Prefix: backend.Prefix(b)})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(b.Context(), stream.Topic{Name: event.TopicPredictions, Partitions: 4, Retention: time.Hour}); err != nil {
		b.Fatal(err)
	}
	headers := client.MessageHeaders("prediction/1")
	for at := 0; at < n; at += 2000 {
		var recs []stream.Record
		for i := at; i < min(at+2000, n); i++ {
			recs = append(recs, stream.Record{Partition: -1, Key: fmt.Appendf(nil, "r%07d.0", i), Value: prediction(i), Headers: headers})
		}
		if err := client.Produce(b.Context(), event.TopicPredictions, recs); err != nil {
			b.Fatal(err)
		}
	}
	o := Options{Topic: event.TopicPredictions, Partition: -1, Exit: true, Where: []string{`p.click > 0.99 && features.device == "mobile"`}, Objectives: objectives}
	if err := o.Span.Set("beginning"); err != nil {
		b.Fatal(err)
	}
	begin := processorTime(b)
	for b.Loop() {
		if err := Run(b.Context(), client, &o, io.Discard, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/float64(b.N), "ns/message")
	b.ReportMetric(float64((processorTime(b)-begin).Nanoseconds())/float64(n)/float64(b.N), "cpu-ns/message")
}

// processorTime is that of the process, the embedded broker's included. Other processes change it
// less than they change the time on the wall.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
