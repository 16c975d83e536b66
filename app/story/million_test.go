package story_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/story"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// BenchmarkTell tells random predictions of many, from the topics and by a process with an index.
// CLICKLOOP_STORY_PREDICTIONS is how many there are, 20,000 by default; each has an impression and
// an example of click.
func BenchmarkTell(b *testing.B) {
	n := 20_000
	if s := os.Getenv("CLICKLOOP_STORY_PREDICTIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	w := manyPredictions(b, n)
	random := rand.New(rand.NewPCG(14, 2))
	report := func(b *testing.B, tell func(id string)) {
		var took []time.Duration
		before := processorTime(b)
		for b.Loop() {
			begun := time.Now()
			tell(fmt.Sprintf("r%08d.0", random.IntN(n)))
			took = append(took, time.Since(begun))
		}
		spent := processorTime(b) - before
		b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "cpu-ms")
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "median-ms")
		b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "max-ms")
	}
	b.Run("topics", func(b *testing.B) {
		report(b, func(id string) {
			if s, err := w.Tell(b.Context(), story.Question{ID: id, Brief: true}); err != nil || s.Prediction == nil || len(s.Events) != 1 || s.Objectives[0].Label == nil {
				b.Fatalf("%v %+v", err, s)
			}
		})
	})
	b.Run("served", func(b *testing.B) {
		var told story.Story
		stories := story.New(*w, slog.New(slog.DiscardHandler))
		mux := http.NewServeMux()
		stories.Register(nil, mux)
		server := httptest.NewServer(mux)
		defer server.Close()
		go func() { _ = stories.Run(b.Context()) }()
		get := func(id string) {
			answer, err := server.Client().Get(server.URL + "/v1/predictions/" + id + "?brief=1")
			if err != nil || answer.StatusCode != 200 {
				b.Fatal(answer, err)
			}
			told = story.Story{}
			if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
				b.Fatal(err)
			}
			_ = answer.Body.Close()
		}
		indexed := func() bool {
			searched := int64(0)
			for _, s := range told.Searched {
				if s.How != "index" && (s.Topic == event.TopicPredictions || s.Topic == event.TopicEvents) {
					searched += s.Records
				}
			}
			return searched == 0
		}
		begun := time.Now()
		middle := fmt.Sprintf("r%08d.0", n/2) // the index begins at the newest records, up to its bound
		for get(middle); !indexed(); get(middle) {
		}
		b.Logf("the index was filled in %s", time.Since(begun))
		report(b, get)
	})
}

// processorTime is that of the process, the embedded broker's included.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func manyPredictions(b *testing.B, n int) *story.Finder {
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(b), Prefix: "many."})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	objectives := []event.Objective{clicks}
	var topics []stream.Topic
	for _, topic := range event.Topics(objectives, 4) {
		topics = append(topics, stream.Topic{Name: topic.Name, Partitions: topic.Partitions})
	}
	if err := client.EnsureTopics(b.Context(), topics...); err != nil {
		b.Fatal(err)
	}
	features := event.Fields{}
	for i := range 15 {
		features = append(features, event.Field{Name: fmt.Sprintf("feature_%d", i), Value: event.Value{Kind: event.Number, Num: float64(i)}})
	}
	offsets := make([]int64, 4)
	at := event.TimeOf(time.Now())
	for from := 0; from < n; from += 2000 {
		var predictions, events, examples []stream.Record
		for i := from; i < min(from+2000, n); i++ {
			request := fmt.Sprintf("r%08d", i)
			p := event.Prediction{ID: request + ".0", Request: request, Time: at, User: fmt.Sprint("u", i%1000), Ad: "a1", P: []event.ObjectiveP{{Objective: "click", P: 0.01}}, Policy: "greedy", Propensity: 1, Features: features}
			place := stream.Partition([]byte(request), 4)
			x := event.Example{Objective: "click", Prediction: p.ID, Time: at, W: 1, P: 0.01, Features: features, Source: event.Source{Topic: "aaaaaaaa", Partition: int32(place), Offset: offsets[place]}}
			offsets[place]++
			e := event.Event{ID: request, Type: event.TypeImpression, Time: at, Received: at, User: p.User, Prediction: p.ID, Ad: "a1"}
			predictions = append(predictions, stream.Record{Partition: place, Key: []byte(p.ID), Value: p.AppendJSON(nil)})
			events = append(events, stream.Record{Partition: -1, Key: []byte(p.User), Value: e.AppendJSON(nil)})
			examples = append(examples, stream.Record{Partition: 0, Key: []byte(p.ID), Value: x.AppendJSON(nil)})
		}
		for topic, records := range map[string][]stream.Record{event.TopicPredictions: predictions, event.TopicEvents: events, event.TopicExamples("click"): examples} {
			if err := client.Produce(b.Context(), topic, records); err != nil {
				b.Fatal(err)
			}
		}
	}
	return &story.Finder{Client: client, Objectives: objectives, Now: func() event.Time { return event.TimeOf(time.Now()) }}
}
