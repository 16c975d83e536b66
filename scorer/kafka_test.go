package scorer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicsOf makes the loop's topics.
func topicsOf(t testing.TB, c *stream.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var topics []stream.Topic
	for _, o := range event.Topics([]event.Objective{{Name: "click", Window: time.Minute}}, 2) {
		topics = append(topics, stream.Topic{Name: o.Name, Partitions: o.Partitions, Retention: o.Retention})
	}
	if err := c.EnsureTopics(ctx, topics...); err != nil {
		t.Fatal(err)
	}
}

// runScorer returns a Scorer at work on brokers.
func runScorer(t testing.TB, brokers []string, prefix string, change func(*setup)) *Scorer {
	t.Helper()
	s := newScorer(t, func(u *setup) {
		u.brokers, u.prefix, u.config.PublishWait = brokers, prefix, 10*time.Second
		if change != nil {
			change(u)
		}
	})
	topicsOf(t, s.client)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx) // ends with ctx's error
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

func publish(t testing.TB, c *stream.Client, records []stream.Record) {
	t.Helper()
	if err := c.Produce(t.Context(), event.TopicModel("click"), records); err != nil {
		t.Fatal(err)
	}
}

// servedModel is the answer of /v1/model.
type servedModel struct {
	Model    string
	Examples int64
	AgeMs    *int64 `json:"age_ms"`
}

func getModel(t testing.TB, s *Scorer, query string) (int, servedModel) {
	t.Helper()
	mux := http.NewServeMux()
	s.Register(mux, mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/model?"+query, nil))
	var m servedModel
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return w.Code, m
}

func TestScoresWithTheNewestWeightsAndPublishesPredictions(t *testing.T) {
	s := runScorer(t, backend.Kafka(t), backend.Prefix(t), nil)
	if code, m := getModel(t, s, "objective=click"); code != 200 || m.Examples != -1 {
		t.Errorf("before any weights: %d %+v", code, m)
	}
	if s.Ready(t.Context()) == nil {
		t.Error("ready without weights")
	}
	src := newSource(t, 1, smallModel())
	src.part = 900_000
	src.learn(50)
	publish(t, s.client, src.message("snapshot"))
	src.learn(50)
	publish(t, s.client, src.message("delta"))
	if code, m := getModel(t, s, "objective=click&at_least=100&wait=30s"); code != 200 || m.Examples != 100 || m.Model != "click@100" || m.AgeMs == nil {
		t.Fatalf("waiting for version 100: %d %+v", code, m)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	body := ""
	for i := range 20 {
		body += fmt.Sprintf(`{"request":"r%d","user":"u%d","context":{"device":"mobile"},"candidates":[{"ad":"a"},{"ad":"b"}],"choose":2}`+"\n", i, i)
	}
	w := post(s, body, "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if w.Code != 200 || len(lines) != 20 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	answers := map[string]float64{}
	for _, line := range lines {
		a := parseAnswer(t, []byte(line))
		if a.Model["click"] != "click@100" || len(a.Degraded) != 0 || !is(a.Logged, true) {
			t.Fatalf("answer %s", line)
		}
		for _, p := range a.Predictions {
			answers[p.Prediction] = p.P["click"]
		}
	}
	predictions := logged(t, s)
	if len(predictions) != 40 {
		t.Fatalf("%d predictions are in the topic, want 40", len(predictions))
	}
	for _, r := range predictions {
		p, err := event.ParsePrediction(r.Value)
		if err != nil || string(r.Key) != p.ID || p.P[0].P != answers[p.ID] || p.Model[0].Version != "click@100" || p.Propensity != 1 || len(p.Features) == 0 || p.Time != testNow {
			t.Errorf("prediction %s: %v", r.Value, err)
		}
	}
}

// readAll returns the records of all partitions.
func readAll(t testing.TB, c *stream.Client, topic string) (all []stream.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ranges, err := c.Offsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, rg := range ranges {
		r := c.NewReader(topic, p, rg.First)
		defer r.Close()
		for r.Offset() < rg.End {
			records, err := r.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, records...)
		}
	}
	return all
}

func TestBadQuestionsForTheModelAreRefused(t *testing.T) {
	s := newScorer(t, nil)
	f := func(query string, code int) {
		t.Helper()
		if got, _ := getModel(t, s, query); got != code {
			t.Errorf("%s: %d, want %d", query, got, code)
		}
	}
	f("objective=other", 404)
	f("", 404)
	f("objective=click&at_least=x", 400)
	f("objective=click&wait=1", 400)
	f("objective=click&wait=2h", 400)
	f("objective=click&wait=-1s", 400)
	f("objective=click&at_least=0&wait=1ms", 200)
}

func TestAScorerThatJoinsReadsTheLastWholeSnapshotAndWhatFollows(t *testing.T) {
	prefix := backend.Prefix(t)
	by, login := backend.Secured(backend.Kafka(t))
	c, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: prefix, TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	topicsOf(t, c)
	src := newSource(t, 1, smallModel())
	src.epoch = 3
	want := newTruth()
	for round := range 30 {
		src.learn(10)
		kind := "delta"
		if round%10 == 0 {
			kind = "snapshot"
		}
		publish(t, c, src.message(kind))
	}
	want.note(src)
	torn := src.message("snapshot")
	publish(t, c, torn[:len(torn)/2]) // a snapshot that its learner did not live to end
	deposed := newSource(t, 9, smallModel())
	deposed.learn(1000)
	publish(t, c, deposed.message("snapshot"))

	s := runScorer(t, backend.Kafka(t), prefix, nil)
	_, m := getModel(t, s, "objective=click&at_least=300&wait=30s")
	if n, err := want.check(&s.followers[0].replicas, &model.Scratch{}); err != nil || n != 300 || m.Examples != 300 {
		t.Errorf("version %d is served (%+v): %v", n, m, err)
	}
}

// Epochs count within a topic: the deltas of a learner that begins anew in one that was made again
// must not be put upon the weights of another.
func TestALearnerInATopicThatIsMadeAgainIsAnotherOne(t *testing.T) {
	services, prefix := backend.Embedded(t), "again."
	c, err := stream.Dial(stream.Config{Brokers: []string{services.Kafka}, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	topicsOf(t, c)
	before := newSource(t, 1, smallModel())
	before.epoch = 5
	before.learn(100)
	publish(t, c, before.message("snapshot"))
	s := runScorer(t, []string{services.Kafka}, prefix, nil)
	if _, m := getModel(t, s, "objective=click&at_least=100&wait=30s"); m.Examples != 100 {
		t.Fatalf("%+v is served", m)
	}
	deleteTopic(t, services.Kafka, prefix+event.TopicModel("click"))
	topicsOf(t, c)
	src, want := newSource(t, 2, smallModel()), newTruth()
	publish(t, c, src.message("snapshot"))
	for _, n := range []int{100, 20} {
		src.learn(n)
		publish(t, c, src.message("delta"))
	}
	want.note(src)
	getModel(t, s, "objective=click&at_least=120&wait=30s")
	if n, err := want.check(&s.followers[0].replicas, &model.Scratch{}); err != nil || n != 120 {
		t.Errorf("version %d is served: %v", n, err)
	}
}

// logged returns what is on the topic of predictions once nothing waits for Kafka.
func logged(t *testing.T, s *Scorer) []stream.Record {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		n, _ := s.log.batcher.Waiting()
		if n == 0 {
			return readAll(t, s.client, event.TopicPredictions)
		}
		if time.Now().After(end) {
			t.Fatalf("%d predictions wait for Kafka", n)
		}
	}
}

func deleteTopic(t *testing.T, broker, name string) {
	t.Helper()
	admin, err := kgo.NewClient(backend.Franz(broker)...)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	req, topic := kmsg.NewPtrDeleteTopicsRequest(), kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req.Topics, req.TopicNames = append(req.Topics, topic), []string{name}
	if resp, err := req.RequestWith(t.Context(), admin); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
}

func TestWhileKafkaIsAwayBidsAreAnsweredAndPredictionsFollow(t *testing.T) {
	services := backend.Embedded(t)
	s := runScorer(t, []string{services.Kafka}, "away.", func(u *setup) { u.config.PublishWait = 2 * time.Second })
	const body = `{"request":"%s","log":"acknowledged","candidates":[{"ad":"a"}]}`
	if a := parseAnswer(t, post(s, fmt.Sprintf(body, "before"), "").Body.Bytes()); !is(a.Acknowledged, true) {
		t.Fatalf("with Kafka: %+v", a)
	}
	services.StopKafka()
	s.cfg.PublishWait = 20 * time.Millisecond
	for i := range 3 {
		w := post(s, fmt.Sprintf(body, fmt.Sprint("away", i)), "")
		if a := parseAnswer(t, w.Body.Bytes()); w.Code != 200 || !is(a.Logged, true) || !is(a.Acknowledged, false) {
			t.Fatalf("without Kafka: %d %s", w.Code, w.Body)
		}
	}
	if err := services.StartKafka(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		ids := map[string]bool{}
		for _, r := range readAll(t, s.client, event.TopicPredictions) {
			ids[string(r.Key)] = true
		}
		if len(ids) == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after Kafka came back the topic holds %v", ids)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
