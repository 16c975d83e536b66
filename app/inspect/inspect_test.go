package inspect

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

func smallModel() model.Config {
	c := model.DefaultConfig()
	c.TableBits, c.MaxFields, c.Network = 10, 8, []string{"linear", "mlp"}
	return c
}

// examples are n rows in which device mobile means yes, and site means nothing.
func examples(n int) (list []event.Example) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		e := event.Example{Objective: "click", Prediction: fmt.Sprint("p", i), Time: 1764061200000, W: 1, Source: event.Source{Topic: "aaaaaaaa", Offset: int64(i)}}
		device := "desktop"
		if rng.IntN(2) == 0 {
			device, e.Y = "mobile", 1
		}
		text := func(name, s string) event.Field {
			return event.Field{Name: name, Value: event.Value{Kind: event.String, Str: s}}
		}
		e.Features = event.Fields{text("site", fmt.Sprint("s", rng.IntN(5))), text("device", device)}
		list = append(list, e)
	}
	return list
}

// learned runs a learner over n examples and returns a client and the folder of its checkpoints.
func learned(t *testing.T, n int) (*stream.Client, string) {
	t.Helper()
	by, login := backend.Secured(backend.Kafka(t))
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	objectives := []event.Objective{{Name: "click", Window: time.Minute}}
	for _, o := range event.Topics(objectives, 1) {
		if err := client.EnsureTopics(ctx, stream.Topic{Name: o.Name, Partitions: o.Partitions}); err != nil {
			t.Fatal(err)
		}
	}
	var records []stream.Record
	for _, e := range examples(n) {
		records = append(records, stream.Record{Key: []byte(e.Prediction), Value: e.AppendJSON(nil)})
	}
	dir := t.TempDir()
	cfg := learner.DefaultConfig()
	cfg.Publish = time.Millisecond
	l, err := learner.New(cfg, learner.Deps{Client: client, Objectives: objectives, Model: smallModel(), Dir: dir, Now: func() event.Time { return 1 }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Run(run) // ends with ctx's error
	}()
	defer func() {
		stop()
		<-done
	}()
	mux := http.NewServeMux()
	l.Register(mux, mux)
	want := fmt.Sprintf(`"examples":%d,`, n)
	for chunk := range 4 { // so that there are deltas
		if err := client.Produce(ctx, event.TopicExamples("click"), records[chunk*n/4:(chunk+1)*n/4]); err != nil {
			t.Fatal(err)
		}
	}
	for {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/learner?objective=click", nil))
		if strings.Contains(w.Body.String(), want) && strings.Contains(w.Body.String(), fmt.Sprintf(`"published":%d,`, n)) {
			return client, dir
		}
		if ctx.Err() != nil {
			t.Fatalf("the learner says %s", w.Body)
		}
	}
}

func TestFileAndTopicAreShownComparedAndVerified(t *testing.T) {
	client, dir := learned(t, 400)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := func(name string) *Model {
		t.Helper()
		m, err := Open(ctx, name, func() (*stream.Client, error) { return client, nil })
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	file, topic := open(filepath.Join(dir, "click.checkpoint")), open("click")
	if file.Kind != KindCheckpoint || topic.Kind != KindTopic || file.Version() != "click@400" || topic.Version() != "click@400" || file.State.Next() != 400 {
		t.Errorf("file %s %s, topic %s %s", file.Kind, file.Version(), topic.Kind, topic.Version())
	}
	recent, err := RecentExamples(ctx, client, "click", 100)
	if err != nil || len(recent) != 100 {
		t.Fatalf("%d recent examples: %v", len(recent), err)
	}
	r := Describe(file, recent, 5)
	if r.Features[0].Feature != "device" || r.Values[0].Feature != "device" || r.Features[0].Absolute < 3*r.Features[1].Absolute {
		t.Errorf("influence %+v, values %+v: device decides", r.Features, r.Values)
	}
	d := Diff(file, topic, recent)
	if d.Largest != 0 || d.Compared != 100 || d.Examples != 0 || len(d.Settings) != 0 {
		t.Errorf("difference %+v: they are the same", d)
	}
	for _, m := range []*Model{file, topic} {
		v, err := Verify(ctx, m, nil, client, func(int64) {})
		if err != nil || !v.Same || v.Replayed != 400 {
			t.Errorf("%s: %+v, %v", m.Source, v, err)
		}
	}
	var text bytes.Buffer
	r.Write(&text)
	if !strings.Contains(text.String(), "click@400") || !strings.Contains(text.String(), "device = mobile") {
		t.Errorf("report:\n%s", &text)
	}
}

func TestVerifyTellsAModelThatTheExamplesDoNotGive(t *testing.T) {
	client, dir := learned(t, 100)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Produce(ctx, event.TopicExamples("click"), []stream.Record{{Value: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	m, err := openFile(filepath.Join(dir, "click.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.State.Net().Learn([]model.Feature{{Field: 1, Hash: 1, Value: 1}}, 1, 1, m.State.Net().NewScratch()); err != nil {
		t.Fatal(err)
	}
	if v, err := Verify(ctx, m, nil, client, func(int64) {}); err != nil || v.Same {
		t.Errorf("%+v, %v: one example is of no topic", v, err)
	}
}

// What will not come is told at once, not waited for.
func TestExamplesThatAreNotThereAreToldOf(t *testing.T) {
	client, dir := learned(t, 100)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := openFile(filepath.Join(dir, "click.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	by, login := backend.Secured(backend.Kafka(t))
	other, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := Verify(ctx, m, nil, other, func(int64) {}); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "examples.click") {
		t.Errorf("no topic: %v", err)
	}
	if _, err := RecentExamples(ctx, other, "click", 10); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "examples.click") {
		t.Errorf("no topic: %v", err)
	}
	s, err := learner.NewState("click", smallModel())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Replay(ctx, client, learner.Until{Offset: 101}, func() {}); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "ends at offset 100") {
		t.Errorf("a topic that has lost its end: %v", err)
	}
}

func TestDifferencesNameSettings(t *testing.T) {
	save := func(c model.Config) *Model {
		t.Helper()
		net, err := model.New(c)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "m")
		var b bytes.Buffer
		if _, err := net.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	other := smallModel()
	other.Seed, other.Linear.Optimizer.Rate = 9, 0.5
	d := Diff(save(smallModel()), save(other), examples(10))
	want := []model.Difference{{Name: "linear.optimizer.rate", From: "0.1", To: "0.5"}, {Name: "seed", From: "1", To: "9"}}
	if fmt.Sprint(d.Settings) != fmt.Sprint(want) {
		t.Errorf("settings %v, want %v", d.Settings, want)
	}
}

func TestWhatIsNoModelIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	if err := os.WriteFile(path, []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a text: %v", err)
	}
	if _, err := Open(t.Context(), "no/such/file", nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
}
