package learner

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/modelfile"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fixture is a Kafka with the loop's topics.
type fixture struct {
	t       testing.TB
	brokers []string
	prefix  string
	client  *stream.Client
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, brokers: backend.Kafka(t), prefix: backend.Prefix(t)}
	f.client = f.dial()
	f.topics()
	return f
}

func (f *fixture) dial() *stream.Client {
	f.t.Helper()
	by, login := backend.Secured(f.brokers)
	c, err := stream.Dial(stream.Config{Brokers: f.brokers, Prefix: f.prefix, ClientID: "learner-test", Session: backend.Session(), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (f *fixture) topics() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	var topics []stream.Topic
	for _, o := range event.Topics(objectives("click", "conversion"), 2) {
		topics = append(topics, stream.Topic{Name: o.Name, Partitions: o.Partitions, Retention: o.Retention})
	}
	if err := f.client.EnsureTopics(ctx, topics...); err != nil {
		f.t.Fatal(err)
	}
}

func objectives(names ...string) (o []event.Objective) {
	for _, name := range names {
		o = append(o, event.Objective{Name: name, Trigger: "prediction", Positive: name, Window: time.Minute})
	}
	return o
}

func (f *fixture) produce(records []stream.Record) {
	f.t.Helper()
	for i := range records {
		records[i].Time = time.Time{}
	}
	if err := f.client.Produce(f.t.Context(), event.TopicExamples("click"), records); err != nil {
		f.t.Fatal(err)
	}
}

// read returns all records of a topic's first partition.
func (f *fixture) read(topic string) []stream.Record {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	ranges, err := f.client.Offsets(ctx, topic)
	if err != nil {
		f.t.Fatal(err)
	}
	r := f.client.NewReader(topic, 0, ranges[0].First)
	defer r.Close()
	var all []stream.Record
	for r.Offset() < ranges[0].End {
		records, err := r.Read(ctx)
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, records...)
	}
	return all
}

// running is a Learner at work.
type running struct {
	t    testing.TB
	l    *Learner
	mux  *http.ServeMux
	stop func()
}

func (f *fixture) run(dir string, change func(*Config, *Deps)) *running {
	f.t.Helper()
	cfg := DefaultConfig()
	cfg.Publish = 5 * time.Millisecond
	d := Deps{Client: f.dial(), Objectives: objectives("click"), Model: smallModel(), Dir: dir, Now: func() event.Time { return 1764061200000 }, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg, &d)
	}
	l, err := New(cfg, d)
	if err != nil {
		f.t.Fatal(err)
	}
	r := &running{t: f.t, l: l, mux: http.NewServeMux()}
	l.Register(r.mux, r.mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Run(ctx) // ends with ctx's error
	}()
	r.stop = func() {
		cancel()
		<-done
	}
	f.t.Cleanup(r.stop)
	return r
}

func (r *running) call(method, path string) (int, state) {
	r.t.Helper()
	w := httptest.NewRecorder()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	r.mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, path, nil))
	var s state
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		r.t.Fatalf("%s: %s", w.Body, err)
	}
	return w.Code, s
}

// await polls until n examples are learned and published.
func (r *running) await(n int64) state {
	r.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		code, s := r.call(http.MethodGet, "/v1/learner?objective=click")
		if code == http.StatusOK && s.Examples >= n && s.Published == s.Examples {
			return s
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the learner is at %+v, want %d examples", s, n)
		}
		time.Sleep(time.Millisecond)
	}
}

// straight is the hash of the weights after examples [0, n) without any disturbance.
func straight(t testing.TB, n int64) string {
	t.Helper()
	c := newCore(t)
	take(c, recordsOf(1, 0, n))
	return WeightsHash(c.net)
}

// said is what the learner of recordsOf(1) predicts at a version, for a few examples.
func said(version int64) []float64 {
	straightOn.Lock()
	defer straightOn.Unlock()
	w := &straightOn
	if w.c == nil {
		net, err := model.New(smallModel())
		if err != nil {
			panic(err)
		}
		w.c = &core{net: net}
	}
	for n := int64(len(w.versions)); n <= version; n++ {
		w.versions = append(w.versions, predictions(w.c.net.Predict))
		take(w.c, recordsOf(1, n, n+1))
	}
	return w.versions[version]
}

// straightOn is an undisturbed learner, and what it predicted at each version.
var straightOn struct {
	sync.Mutex
	c        *core
	versions [][]float64
}

func predictions(predict func([]model.Feature, *model.Scratch) float64) (p []float64) {
	b := batchOf(recordsOf(2, 0, 3), 0)
	for i := range b.examples {
		p = append(p, predict(b.inputsOf(&b.examples[i]), &model.Scratch{}))
	}
	return p
}

// follow applies a topic of weights as a scorer does, leaving out deposed learners, and returns the
// replica and its epochs. After each message the replica must predict what the learner does that
// nothing happened to.
func follow(t testing.TB, records []stream.Record) (*model.Replica, []int64) {
	t.Helper()
	r := model.NewReplica()
	var epochs []int64
	var parts weights.Assembly
	for i := range records {
		h, err := weights.ParseHead(records[i].Headers)
		if err != nil {
			t.Fatal(err)
		}
		if len(epochs) == 0 || h.Epoch > epochs[len(epochs)-1] {
			epochs = append(epochs, h.Epoch)
		}
		if h.Epoch < epochs[len(epochs)-1] {
			continue
		}
		if m, whole := parts.Add(h, records[i].Value); whole {
			if err := r.Apply(m.Body...); err != nil {
				t.Fatalf("record %d (%+v): %v", i, h, err)
			}
			if got, want := predictions(r.Predict), said(r.Examples()); !slices.Equal(got, want) {
				t.Fatalf("record %d (%+v): version %d predicts %v, want %v", i, h, r.Examples(), got, want)
			}
		}
	}
	return r, epochs
}

func TestExamplesBecomePublishedWeights(t *testing.T) {
	f := newFixture(t)
	r := f.run(t.TempDir(), nil)
	f.produce(recordsOf(1, 0, 100))
	r.await(100)
	f.produce(recordsOf(1, 100, 500))
	s := r.await(500)
	if s.Weights != straight(t, 500) || s.Model != "click@500" || s.Behind != 0 {
		t.Errorf("state %+v, want weights %s", s, straight(t, 500))
	}
	replica, epochs := follow(t, f.read(event.TopicModel("click")))
	c := newCore(t)
	take(c, recordsOf(1, 0, 500))
	b := batchOf(recordsOf(1, 500, 520), 0)
	for i := range b.examples {
		x := b.inputsOf(&b.examples[i])
		if learned, served := c.net.Predict(x, c.net.NewScratch()), replica.Predict(x, replica.NewScratch()); learned != served {
			t.Fatalf("the published weights predict %v, the learned ones %v", served, learned)
		}
	}
	if replica.Examples() != 500 || len(epochs) != 1 {
		t.Errorf("version %d, epochs %v", replica.Examples(), epochs)
	}
	before := len(f.read(event.TopicModel("click")))
	if code, _ := r.call(http.MethodPost, "/v1/learner/snapshot?objective=click"); code != http.StatusOK {
		t.Errorf("asking for a snapshot: %d", code)
	}
	after := f.read(event.TopicModel("click"))
	if len(after) != before+1 || string(after[before].Headers[0].Value) != weights.Snapshot {
		t.Errorf("%d records after asking for a snapshot, %d before", len(after), before)
	}
	if code, _ := r.call(http.MethodGet, "/v1/learner?objective=other"); code != http.StatusNotFound {
		t.Errorf("another objective: %d", code)
	}
	for _, path := range []string{"GET /v1/learner?objective=click&lerned=5", "POST /v1/learner/snapshot?objective=click&lerned=5"} {
		w := httptest.NewRecorder()
		method, target, _ := strings.Cut(path, " ")
		r.mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, nil))
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "lerned is not known; did you mean learned?") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestAQuestionWaitsUntilAnOffsetIsLearned(t *testing.T) {
	f := newFixture(t)
	r := f.run("", nil)
	f.produce(recordsOf(1, 0, 100))
	r.await(100)
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 { // callers that have gone are forgotten
		var impatient *httptest.ResponseRecorder
		for patience := 20 * time.Millisecond; patience < 20*time.Second; patience *= 2 { // on a slow machine it takes a while until the question is taken
			impatient = httptest.NewRecorder()
			gone, leave := context.WithTimeout(ctx, patience)
			r.mux.ServeHTTP(impatient, httptest.NewRequestWithContext(gone, http.MethodGet, "/v1/learner?objective=click&learned=101", nil))
			leave()
			if impatient.Code != http.StatusServiceUnavailable {
				break
			}
		}
		if impatient.Code != http.StatusGatewayTimeout || !strings.Contains(impatient.Body.String(), "behind") {
			t.Errorf("what is not learned in time: %d %s", impatient.Code, impatient.Body)
		}
	}
	answered := make(chan state, 1)
	go func() {
		_, s := r.call(http.MethodGet, "/v1/learner?objective=click&learned=300")
		answered <- s
	}()
	f.produce(recordsOf(1, 100, 200))
	r.await(200)
	select {
	case s := <-answered:
		t.Errorf("answered at %d examples", s.Examples)
	default:
	}
	f.produce(recordsOf(1, 200, 400))
	if s := <-answered; s.Examples < 300 || s.Next != s.Examples || s.Weights != straight(t, s.Examples) {
		t.Errorf("state %+v, want that after at least 300 examples", s)
	}
	cancel()
	bad := httptest.NewRecorder()
	r.mux.ServeHTTP(bad, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/learner?objective=click&learned=all", nil))
	if bad.Code != http.StatusBadRequest || !strings.Contains(bad.Body.String(), `\"all\"`) {
		t.Errorf("learned=all: %d %s", bad.Code, bad.Body)
	}
}

func TestPoisonedExamplesGoToTheDeadLetters(t *testing.T) {
	f := newFixture(t)
	r := f.run("", nil)
	records := recordsOf(1, 0, 60)
	records[20].Value = []byte(`{"objective":`)
	records[40].Value = []byte(strings.Replace(string(records[40].Value), `"y":`, `"y":7,"z":`, 1))
	f.produce(records)
	s := r.await(58)
	letters := f.read(event.TopicDeadLetter)
	if s.Examples != 58 || len(letters) != 2 {
		t.Fatalf("%d examples, %d dead letters; want 58 and 2", s.Examples, len(letters))
	}
	for i, offset := range []int64{20, 40} {
		d, err := event.ParseDeadLetter(letters[i].Value)
		if err != nil || d.Stage != "learner" || d.Offset != offset || string(d.Payload) != string(records[offset].Value) || d.Reason == "" {
			t.Errorf("dead letter %s: %v", letters[i].Value, err)
		}
	}
}

func TestALearnerThatComesBackGoesOnFromItsCheckpoint(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	f.produce(recordsOf(1, 0, 200))
	r := f.run(dir, nil)
	first := r.await(200)
	r.stop()
	f.produce(recordsOf(1, 150, 300)) // 150 to 199 are repeats with new offsets
	r = f.run(dir, nil)
	second := r.await(300)
	if second.Weights != straight(t, 300) || second.Checkpoint != 200 || second.Epoch <= first.Epoch {
		t.Errorf("state %+v after %+v, want weights %s", second, first, straight(t, 300))
	}
	r.stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	r = f.run(dir, nil)
	if third := r.await(300); third.Weights != second.Weights || third.Epoch <= second.Epoch {
		t.Errorf("without checkpoints: %+v, want weights %s", third, second.Weights)
	}
	r.stop()
	replica, epochs := follow(t, f.read(event.TopicModel("click")))
	if replica.Examples() != 300 || len(epochs) != 3 {
		t.Errorf("version %d, epochs %v", replica.Examples(), epochs)
	}
}

func TestAStandbyTakesOver(t *testing.T) {
	f := newFixture(t)
	f.produce(recordsOf(1, 0, 100))
	a := f.run(t.TempDir(), nil)
	a.await(100)
	b := f.run(t.TempDir(), nil) // another machine: its checkpoints are its own
	f.produce(recordsOf(1, 100, 200))
	deadline := time.Now().Add(40 * time.Second)
	for done := false; !done; { // whichever owns it now
		for _, r := range []*running{a, b} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			s, err := r.l.owners["click"].ask(ctx, untilCopied, 0)
			cancel()
			done = done || err == nil && s.Examples == 200
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody learned on")
		}
	}
	a.stop()
	f.produce(recordsOf(1, 200, 300))
	if s := b.await(300); s.Weights != straight(t, 300) {
		t.Errorf("state %+v, want weights %s", s, straight(t, 300))
	}
	b.stop()
	if replica, _ := follow(t, f.read(event.TopicModel("click"))); replica.Examples() != 300 {
		t.Errorf("the topic of weights ends at version %d", replica.Examples())
	}
}

func TestObjectivesAreLearnedSideBySide(t *testing.T) {
	f := newFixture(t)
	r := f.run(t.TempDir(), func(_ *Config, d *Deps) { d.Objectives = objectives("click", "conversion") })
	f.produce(recordsOf(1, 0, 50))
	if s := r.await(50); s.Weights != straight(t, 50) {
		t.Errorf("state %+v", s)
	}
	code, s := r.call(http.MethodGet, "/v1/learner?objective=conversion")
	if code != http.StatusOK || s.Examples != 0 || s.Model != "conversion@0" {
		t.Errorf("conversion: %d %+v", code, s)
	}
}

func TestAWarmStartGoesOnFromAFittedModel(t *testing.T) {
	f := newFixture(t)
	c := newCore(t)
	take(c, recordsOf(1, 0, 100))
	path := filepath.Join(t.TempDir(), "fitted.model")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.net.WriteTo(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := f.run(dir, func(cfg *Config, _ *Deps) { cfg.Warm = map[string]string{"click": path} })
	f.produce(recordsOf(1, 100, 200))
	if s := r.await(200); s.Weights != straight(t, 200) {
		t.Errorf("state %+v, want weights %s", s, straight(t, 200))
	}
	r.stop()
	refused := func(dir, path string, m model.Config, wants ...string) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.Warm = map[string]string{"click": path}
		_, err := New(cfg, Deps{Client: f.client, Objectives: objectives("click"), Model: m, Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if len(wants) == 0 && err != nil {
			t.Errorf("%s: %v", path, err)
		}
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", path, err, want)
			}
		}
	}
	wider := smallModel()
	wider.TableBits = 11
	refused("", path, smallModel())
	var ofFiles bytes.Buffer // says how the columns of its files were read
	if err := modelfile.Write(&ofFiles, c.net, modelfile.About{Label: "y", Columns: []modelfile.Column{{Name: "posted", Read: "date", Form: "iso"}}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".files", ofFiles.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("", path+".files", smallModel())
	refused(t.TempDir(), path, wider, "click", path, "table_bits is 10, here 11")
	refused(dir, path, wider, "table_bits") // the checkpoint does not fit either
	refused(t.TempDir(), path+"x", smallModel(), "click", path+"x", "no such file")
	refused(dir, path+"x", smallModel()) // there is a checkpoint
}

func TestAnExamplesTopicThatIsMadeAgainIsLearnedFromItsStart(t *testing.T) {
	services := backend.Embedded(t)
	f := &fixture{t: t, brokers: []string{services.Kafka}, prefix: "again."}
	f.client = f.dial()
	f.topics()
	r := f.run(t.TempDir(), nil)
	f.produce(recordsOf(1, 0, 100))
	r.await(100)
	f.remake(event.TopicExamples("click"))
	f.produce(recordsOf(1, 50, 200)) // longer than the former one was, of which 50 to 99 were learned
	if s := r.await(200); s.Weights != straight(t, 200) {
		t.Errorf("state %+v, want weights %s", s, straight(t, 200))
	}
}

func TestWhileKafkaIsAwayNothingIsLostAndLearningGoesOnAfterwards(t *testing.T) {
	services := backend.Embedded(t)
	f := &fixture{t: t, brokers: []string{services.Kafka}, prefix: "away."}
	f.client = f.dial()
	f.topics()
	r := f.run(t.TempDir(), nil)
	f.produce(recordsOf(1, 0, 100))
	r.await(100)
	services.StopKafka()
	if code, s := r.call(http.MethodGet, "/v1/learner?objective=click"); code != http.StatusOK || s.Examples != 100 {
		t.Logf("while Kafka is away: %d %+v", code, s) // its group may have ended by then
	}
	if err := services.StartKafka(); err != nil {
		t.Fatal(err)
	}
	f.produce(recordsOf(1, 100, 200))
	if s := r.await(200); s.Weights != straight(t, 200) {
		t.Errorf("state %+v, want weights %s", s, straight(t, 200))
	}
	r.stop()
	if replica, _ := follow(t, f.read(event.TopicModel("click"))); replica.Examples() != 200 {
		t.Errorf("the topic of weights ends at version %d", replica.Examples())
	}
}

func TestExamplesThatAreGoneAreCounted(t *testing.T) {
	services := backend.Embedded(t)
	f := &fixture{t: t, brokers: []string{services.Kafka}, prefix: "gone."}
	f.client = f.dial()
	f.topics()
	f.produce(recordsOf(1, 0, 100))
	f.trim(event.TopicExamples("click"), 40)
	registry := prometheus.NewRegistry()
	r := f.run(t.TempDir(), func(_ *Config, d *Deps) { d.Registerer = registry })
	if s := r.await(60); s.Examples != 60 {
		t.Errorf("state %+v, want the 60 that are left", s)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "clickloop_learner_examples_total" {
				counts[m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	if counts["trimmed"] != 40 || counts["learned"] != 60 {
		t.Errorf("counted %v, want 40 trimmed and 60 learned", counts)
	}
}

// trim deletes a topic's records before an offset, -1 for all.
func (f *fixture) trim(name string, offset int64) {
	f.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic, partition := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	topic.Topic, partition.Offset = f.prefix+name, offset
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	if resp, err := req.RequestWith(f.t.Context(), admin(f.t, f.brokers[0])); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		f.t.Fatal(err, resp)
	}
}

// remake deletes a topic and makes it again.
func (f *fixture) remake(name string) {
	f.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr(f.prefix + name)
	req.Topics, req.TopicNames = append(req.Topics, topic), []string{*topic.Topic}
	if resp, err := req.RequestWith(f.t.Context(), admin(f.t, f.brokers[0])); err != nil || resp.Topics[0].ErrorCode != 0 {
		f.t.Fatal(err, resp)
	}
	f.topics()
}

// admin is a client for what the stages never do.
func admin(t testing.TB, broker string) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(backend.Franz(broker)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
