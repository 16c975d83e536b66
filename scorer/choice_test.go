package scorer

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

const asked = `{"request":"r","user":"u","anonymous":"x","source":"s","w":2,"context":{"a":1,"b":{"c":"d"},"t":["x",["y",2]]},"choose":2,` +
	`"candidates":[{"ad":"a1","campaign":"c1","value":2,"context":{"size":"1x1"}},{"ad":"a2"},{"ad":"a3"}]}`

// A request id stands for what was asked with it first. What a resend may change is the spelling,
// the time, and what is ignored.
func TestARequestIDStandsForOneQuestion(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newScorer(t, func(u *setup) { u.registry = reg })
	first := post(s, asked, "").Body.String()
	same := func(from, to string) {
		t.Helper()
		body := strings.Replace(asked, from, to, 1)
		if w := post(s, body, ""); w.Code != 200 || (w.Body.String() != first && !strings.Contains(to, "tmax")) || body == asked && from != "" {
			t.Errorf("%s: %d %s, want the first answer %s", body, w.Code, w.Body, first)
		}
	}
	same("", "")
	same(`"a":1,"b":{"c":"d"}`, `"b.c":"d", "a":1.0`)
	same(`"w":2`, `"w":2,"time":"2026-01-01T00:00:00Z","row":9`)
	same(`"w":2`, `"w":2,"tmax":7`)
	same(`"a2"}`, `"a2","value":1}`)
	if got, ok := metric(t, reg, "clickloop_scorer_requests_total", "repeated"), metric(t, reg, "clickloop_scorer_requests_total", "ok"); got != 5 || ok != 1 {
		t.Errorf("%v answers are counted as repeated and %v as ok, want 5 and 1", got, ok)
	}
	changes := 0.0
	changed := func(from, to string) {
		t.Helper()
		body := strings.Replace(asked, from, to, 1)
		w := post(s, body, "")
		a := parseAnswer(t, w.Body.Bytes())
		want := strings.TrimSuffix(first, "}") + `,"warnings":[{"field":"request","message":"` + changedWarning.Message + `"}]}`
		if w.Code != 200 || w.Body.String() != want || body == asked || len(a.Warnings) != 1 || a.Warnings[0].Field != "request" {
			t.Errorf("%s: %d %s, want the first answer with a warning", body, w.Code, w.Body)
		}
		changes++
	}
	changed(`"user":"u"`, `"user":"v"`)
	changed(`"anonymous":"x",`, ``)
	changed(`"source":"s"`, `"source":"t"`)
	changed(`"w":2,`, ``)
	changed(`"w":2,`, `"w":1,`)
	changed(`"a":1`, `"a":2`)
	changed(`"a":1`, `"a":"1"`)
	changed(`"c":"d"`, `"c":null`)
	changed(`["y",2]`, `["y",3]`)
	changed(`"value":2`, `"value":3`)
	changed(`"1x1"`, `"2x2"`)
	if got := metric(t, reg, "clickloop_scorer_requests_total", "changed"); got != changes {
		t.Errorf("%v changed requests are counted, want %v", got, changes)
	}
	conflicts := 0.0
	other := func(from, to string) {
		t.Helper()
		body := strings.Replace(asked, from, to, 1)
		w := post(s, body, "")
		a := parseAnswer(t, w.Body.Bytes())
		if w.Code != 409 || a.Error.Code != "conflict" || a.Error.Field != "request" || len(a.Predictions) != 0 || body == asked {
			t.Errorf("%s: %d %s, want a conflict", body, w.Code, w.Body)
		}
		conflicts++
	}
	other(`"choose":2`, `"choose":1`)
	other(`"a1"`, `"a4"`)
	other(`"c1"`, `"c2"`)
	other(`{"ad":"a2"},{"ad":"a3"}`, `{"ad":"a3"},{"ad":"a2"}`)
	other(`{"ad":"a2"},{"ad":"a3"}`, `{"ad":"a2"}`)
	other(`{"ad":"a3"}`, `{"ad":"a3"},{"ad":"a4"}`)
	if got := metric(t, reg, "clickloop_scorer_requests_total", "conflict"); got != conflicts {
		t.Errorf("%v conflicts are counted, want %v", got, conflicts)
	}
	if got := post(s, asked, "").Body.String(); got != first {
		t.Errorf("after the conflicts: %s, want the first answer %s", got, first)
	}
	if w := post(s, strings.Replace(asked, `"r"`, `"r2"`, 1), ""); w.Code != 200 {
		t.Errorf("the same under another id: %d %s", w.Code, w.Body)
	}
}

// prefers makes weights that like one of two ads, and has s, which runs, serve them.
func prefers(t *testing.T, s *Scorer, src *source, ad string) {
	t.Helper()
	for i := range 400 {
		q := &read(t, s, fmt.Sprintf(`{"candidates":[{"ad":"a%d"}]}`, 1+i%2)).Requests[0]
		y := 0.0
		if q.Candidates[0].Ad == ad {
			y = 1
		}
		src.learnOf(s, q, 0, y)
	}
	publish(t, s.client, src.message("snapshot"))
	if _, m := getModel(t, s, fmt.Sprintf("objective=click&at_least=%d&wait=30s", src.net.Examples())); m.Examples < src.net.Examples() {
		t.Fatalf("%+v is served", m)
	}
}

func likeable(t testing.TB) *source {
	src := newSource(t, 1, model.DefaultConfig())
	src.part = 900_000
	return src
}

func chosenAd(t *testing.T, s *Scorer, id string) string {
	t.Helper()
	a := parseAnswer(t, post(s, fmt.Sprintf(`{"request":%q,"candidates":[{"ad":"a1"},{"ad":"a2"}]}`, id), "").Body.Bytes())
	for _, p := range a.Predictions {
		if p.Chosen {
			return p.Ad
		}
	}
	t.Fatalf("answer %+v", a)
	return ""
}

func TestAChoiceStandsWhenLearningMovesTheRanking(t *testing.T) {
	s := runScorer(t, backend.Kafka(t), backend.Prefix(t), nil)
	src := likeable(t)
	prefers(t, s, src, "a1")
	if got := chosenAd(t, s, "r1"); got != "a1" {
		t.Fatalf("first %s is chosen", got)
	}
	prefers(t, s, src, "a2")
	if got := chosenAd(t, s, "r2"); got != "a2" {
		t.Fatalf("after learning, %s is chosen: the test tests nothing", got)
	}
	if got := chosenAd(t, s, "r1"); got != "a1" {
		t.Errorf("sent again, %s is chosen, first it was a1", got)
	}
	if n := len(logged(t, s)); n != 2 {
		t.Errorf("the topic holds %d predictions, want one for each request", n)
	}
}

// A process that begins reads back what was chosen before it, also by one that was killed.
func TestAChoiceStandsThroughARestart(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	explore := func(u *setup) { u.config.Epsilon = 0.3 }
	before := runScorer(t, brokers, prefix, explore)
	prefers(t, before, likeable(t), "a1")
	const two = `{"request":"r1","user":"u","choose":2,"candidates":[{"ad":"a1"},{"ad":"a2"},{"ad":"a3"}]}`
	first := parseAnswer(t, post(before, two, "").Body.Bytes())
	chosen := map[string]string{}
	for i := range 20 {
		id := fmt.Sprint("q", i)
		chosen[id] = chosenAd(t, before, id)
	}
	logged(t, before)
	s := runScorer(t, brokers, prefix, explore)
	// it does so by itself too; here the test waits for it
	if err := s.memory.restore(t.Context(), s.client, s.logger); err != nil {
		t.Fatal(err)
	}
	later := likeable(t)
	later.epoch = 9
	prefers(t, s, later, "a2")
	for _, body := range []string{
		strings.Replace(two, "a3", "a4", 1), strings.Replace(two, `"choose":2`, `"choose":1`, 1),
		`{"request":"q1","candidates":[{"ad":"b1"},{"ad":"b2"}]}`, `{"request":"q1","candidates":[{"ad":"b1"}]}`,
	} {
		if w := post(s, body, ""); w.Code != 409 {
			t.Errorf("%s after the restart: %d %s", body, w.Code, w.Body)
		}
	}
	moved := 0
	for id, ad := range chosen {
		if got := chosenAd(t, s, id); got != ad {
			t.Errorf("%s: %s is chosen after the restart, %s before", id, got, ad)
		}
		if chosenAd(t, s, "new-"+id) != ad {
			moved++
		}
	}
	if moved == 0 {
		t.Error("the ranking is as it was: the test tests nothing")
	}
	again := parseAnswer(t, post(s, two, "").Body.Bytes())
	for i := range 2 {
		if a, b := first.Predictions[i], again.Predictions[i]; a.Prediction != b.Prediction || a.Ad != b.Ad || a.Propensity != b.Propensity || !b.Chosen {
			t.Errorf("place %d: %+v before, %+v after the restart", i, a, b)
		}
	}
	if w := post(s, strings.Replace(two, `"r1"`, `"r3"`, 1), ""); w.Code != 200 {
		t.Errorf("a new request: %d %s", w.Code, w.Body)
	}
}

func TestLinesWithOneIDAreOneRequest(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newScorer(t, func(u *setup) { u.registry = reg })
	w := post(s, `{"request":"r","candidates":[{"ad":"a"}]}
{"request":"r","candidates":[{"ad":"b"}]}
{"request":"r","candidates":[{"ad":"a"}],"tmax":1}
{"request":"big","context":{"a":"`+strings.Repeat("y", 21_000)+`"},"candidates":[{"ad":"a"}]}
{"request":"big","context":{"a":"`+strings.Repeat("y", 21_000)+`"},"candidates":[{"ad":"a"}]}
`, "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if w.Code != 200 || len(lines) != 5 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var all []answered
	for _, l := range lines {
		all = append(all, parseAnswer(t, []byte(l)))
	}
	if all[1].Error.Code != "conflict" || len(all[2].Predictions) != 1 || all[2].Predictions[0].Ad != "a" || warned(all[2]) != "tmax>tmax_ms" || len(all[0].Warnings) != 0 {
		t.Errorf("answers %s", w.Body)
	}
	if all[3].Error.Field != "context" || all[4].Error.Field != "context" {
		t.Errorf("what cannot be answered: %s", w.Body)
	}
	for answer, want := range map[string]float64{"ok": 1, "repeated": 1, "conflict": 1, "refused": 2} {
		if got := metric(t, reg, "clickloop_scorer_requests_total", answer); got != want {
			t.Errorf("%v are counted as %s, want %v", got, answer, want)
		}
	}
	// The id of what could not be answered is free.
	if w := post(s, `{"request":"big","candidates":[{"ad":"a"}]}`, ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Two calls with one id at the same time get one choice: the second waits for the first, which it
// can since no call waits while another waits for it.
func TestOfTwoCallsAtOnceTheSecondLearnsTheFirstsAnswer(t *testing.T) {
	b := blocking{entered: make(chan struct{}), leave: make(chan struct{})}
	s := newScorer(t, func(u *setup) { u.store = b })
	const one, two = `{"request":"r1","user":"u","candidates":[{"ad":"a1"}]}`, `{"request":"r2","user":"u","candidates":[{"ad":"a1"}]}`
	answers := make(chan *httptest.ResponseRecorder, 2)
	send := func(body string) { answers <- post(s, body, "application/x-ndjson") }
	go send(one + "\n" + two)
	<-b.entered
	// r3 is scored before it waits
	go send(two + "\n" + one + "\n" + strings.Replace(one, "r1", "r3", 1))
	<-b.entered
	other := make(chan *httptest.ResponseRecorder, 1)
	go func() { other <- post(s, strings.Replace(one, "a1", "a2", 1), "") }()
	select {
	case w := <-other:
		if w.Code != 409 {
			t.Errorf("another question meanwhile: %d %s", w.Code, w.Body)
		}
	case <-b.entered:
		t.Error("another question is scored under an id that is at work")
	}
	close(b.leave)
	for range 2 {
		w := <-answers
		if got := w.Body.String(); w.Code != 200 || strings.Count(got, `"prediction":"r1.0"`) != 1 || strings.Count(got, `"prediction":"r2.0"`) != 1 || strings.Contains(got, "error") {
			t.Errorf("%d %s", w.Code, got)
		}
	}
	select {
	case <-b.entered:
		t.Error("a request was scored twice")
	default:
	}
}

// An answer that was given while Kafka was away is given again; its predictions are queued once,
// and when Kafka has them the answer says so.
func TestALateAnswerIsGivenAgainAndQueuedOnce(t *testing.T) {
	services := backend.Embedded(t)
	reg := prometheus.NewRegistry()
	s := runScorer(t, []string{services.Kafka}, "late.", func(u *setup) { u.registry = reg; u.config.PublishWait = 2 * time.Second })
	const body = `{"request":"r","log":"acknowledged","candidates":[{"ad":"a"},{"ad":"b"}]}`
	services.StopKafka()
	s.cfg.PublishWait = 10 * time.Millisecond
	first := post(s, body, "").Body.String()
	if a := parseAnswer(t, []byte(first)); !is(a.Logged, true) || !is(a.Acknowledged, false) {
		t.Fatalf("without Kafka: %s", first)
	}
	if got := post(s, body, "").Body.String(); got != first {
		t.Errorf("again without Kafka: %s, want %s", got, first)
	}
	if n, _ := s.log.batcher.Waiting(); n != 1 {
		t.Errorf("%d predictions wait, want 1", n)
	}
	if err := services.StartKafka(); err != nil {
		t.Fatal(err)
	}
	s.cfg.PublishWait = 20 * time.Second
	for range 2 {
		if a := parseAnswer(t, post(s, body, "").Body.Bytes()); !is(a.Acknowledged, true) || a.Predictions[0].Prediction != "r.0" {
			t.Errorf("with Kafka: %+v, want an answer that is acknowledged", a)
		}
	}
	if got := metric(t, reg, "clickloop_scorer_predictions_total", "acknowledged"); got != 1 {
		t.Errorf("%v predictions are counted as acknowledged, want 1", got)
	}
	if n := len(logged(t, s)); n != 1 {
		t.Errorf("the topic holds %d predictions, want 1", n)
	}
}

// A full queue refuses requests before anything is promised, so they may be sent again with
// whatever they ask. Best effort is answered, and stays what it was.
func TestAFullQueueIsToldBeforeAnythingIsPromised(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newScorer(t, func(u *setup) { u.registry = reg })
	// nobody writes: the first waits, the others find it full
	s.log.batcher = stream.NewBatcher(s.client, event.TopicPredictions, 1)
	send := func(id, ad, more string) *httptest.ResponseRecorder {
		return post(s, fmt.Sprintf(`{"request":%q,%s"candidates":[{"ad":%q}]}`, id, more, ad), "")
	}
	if w := send("r0", "a", ""); w.Code != 200 || !is(parseAnswer(t, w.Body.Bytes()).Logged, true) {
		t.Errorf("the first: %d %s", w.Code, w.Body)
	}
	for _, more := range []string{"", `"log":"queued",`, `"log":"acknowledged",`} {
		for _, ad := range []string{"a", "b"} {
			w := send("r1", ad, more)
			if a := parseAnswer(t, w.Body.Bytes()); w.Code != 503 || w.Header().Get("Retry-After") == "" || a.Error.Code != "queue_full" || !strings.Contains(a.Error.Message, "scorer.max_waiting") {
				t.Errorf("%s: %d %v %s", more, w.Code, w.Header(), w.Body)
			}
		}
	}
	first := send("r2", "a", `"log":"best_effort",`)
	if a := parseAnswer(t, first.Body.Bytes()); first.Code != 200 || !is(a.Logged, false) || len(a.Predictions) != 1 {
		t.Errorf("best effort: %d %s", first.Code, first.Body)
	}
	if w := send("r2", "b", ""); w.Code != 409 {
		t.Errorf("other candidates under the id of an answer that is not logged: %d", w.Code)
	}
	if w := send("r0", "a", ""); w.Code != 200 || !is(parseAnswer(t, w.Body.Bytes()).Logged, true) {
		t.Errorf("the first again: %d %s", w.Code, w.Body)
	}
	if w := post(s, `{"choose":0,"candidates":[{"ad":"a"}]}`, ""); w.Code != 200 {
		t.Errorf("nothing to log: %d %s", w.Code, w.Body)
	}
	s.log.batcher = stream.NewBatcher(s.client, event.TopicPredictions, 1<<20)
	for range 2 {
		if w := send("r2", "a", ""); w.Body.String() != first.Body.String() {
			t.Errorf("again with room: %s, want %s", w.Body, first.Body)
		}
	}
	if w := send("r1", "b", ""); w.Code != 200 || !is(parseAnswer(t, w.Body.Bytes()).Logged, true) {
		t.Errorf("what was refused, with room: %d %s", w.Code, w.Body)
	}
	for result, want := range map[string]float64{"unavailable": 6, "conflict": 1, "repeated": 3, "ok": 4} {
		if got := metric(t, reg, "clickloop_scorer_requests_total", result); got != want {
			t.Errorf("%v requests are %s, want %v", got, result, want)
		}
	}
	if got := metric(t, reg, "clickloop_scorer_predictions_total", "unlogged"); got != 1 {
		t.Errorf("%v predictions are unlogged, want 1", got)
	}
	s.log.batcher = stream.NewBatcher(s.client, event.TopicPredictions, 1)
	s.SetRecorded(true)
	s.replayWait = 10 * time.Millisecond
	if w := send("r9", "a", ""); w.Code != 503 {
		t.Errorf("a replay whose predictions wait: %d %s", w.Code, w.Body)
	}
}

// Lines of one body may want different things of a full queue.
func TestLinesAreRefusedByThemselvesWhenTheQueueIsFull(t *testing.T) {
	s := newScorer(t, nil)
	s.log.batcher = stream.NewBatcher(s.client, event.TopicPredictions, 1)
	post(s, `{"candidates":[{"ad":"a"}]}`, "")
	w := post(s, `{"log":"best_effort","candidates":[{"ad":"a"}]}`+"\n"+`{"candidates":[{"ad":"a"}]}`+"\n"+`{"choose":0,"candidates":[{"ad":"a"}]}`, "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for i, want := range []string{`"logged":false`, `"code":"queue_full"`, `"logged":true`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d: %s, want %s", i, lines[i], want)
		}
	}
}

func TestAnUnknownModeOfTheLogIsRefusedByName(t *testing.T) {
	s := newScorer(t, nil)
	for _, value := range []string{`"default"`, `""`, `"QUEUED"`, `true`, `["queued"]`, `{}`} {
		w := post(s, `{"log":`+value+`,"candidates":[{"ad":"a"}]}`, "")
		if a := parseAnswer(t, w.Body.Bytes()); w.Code != 400 || a.Error.Field != "log" || value[0] == '"' && !strings.Contains(a.Error.Message, "want queued, acknowledged, best_effort") {
			t.Errorf("%s: %d %s", value, w.Code, w.Body)
		}
	}
}

// A choice that another process made stands, also when the first one who asks for it again is
// refused for lack of room.
func TestARefusalForgetsNoChoiceOfAnotherProcess(t *testing.T) {
	s := newScorer(t, nil)
	c := read(t, s, `{"request":"r","candidates":[{"ad":"a"},{"ad":"b"}]}`)
	q := &c.Requests[0]
	s.memory.remember(&past{request: "r", choice: choiceOf(q.claim.content, []int{1}), answer: Answer{Policy: "greedy", Time: 7, Ranked: []Scored{{Index: 1, Propensity: 1}}}})
	const body = `{"request":"r","candidates":[{"ad":"a"},{"ad":"b"}]}`
	s.log.batcher = stream.NewBatcher(s.client, event.TopicPredictions, 1)
	post(s, `{"candidates":[{"ad":"a"}]}`, "")
	if w := post(s, body, ""); w.Code != 503 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	s.log.batcher = stream.NewBatcher(s.client, event.TopicPredictions, 1<<20)
	if a := parseAnswer(t, post(s, body, "").Body.Bytes()); len(a.Predictions) != 2 || a.Predictions[0].Ad != "b" {
		t.Errorf("%+v, want the choice of b", a)
	}
}

func TestRecordingsMayRepeatIDs(t *testing.T) {
	s := newScorer(t, nil)
	s.SetRecorded(true)
	s.replayWait = time.Millisecond
	for _, ad := range []string{"a", "b"} {
		c := read(t, s, `{"request":"r","candidates":[{"ad":"`+ad+`"}]}`)
		_ = s.replay(t.Context(), c) // Kafka is away
		if err := c.Requests[0].Answer.Err; err != nil || len(c.records) != 1 {
			t.Errorf("ad %s: %v", ad, err)
		}
	}
}

func TestTheMemoryIsBoundedAndForgetsTheOldestFirst(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxRemembered = 1 << 20 })
	m := s.memory
	c := &Call{}
	const rows = 20_000
	for i := range rows {
		c.Requests = append(c.Requests[:0], Request{claim: claim{hash: m.hash(strconv.Itoa(i)), content: 1}})
		m.claim(c)
		q := &c.Requests[0]
		q.Answer.Logged, q.claim.progress = i%3 != 0, scored
		q.claim.data = fmt.Appendf(nil, `{"request":"%d","predictions":[0123456789012345678901234567890123456789]`, i)
		m.finish(c)
		if m.bytes > m.limit && len(m.chunks) > 1 {
			t.Fatalf("after %d answers the memory has %d bytes", i, m.bytes)
		}
	}
	known, first := 0, -1
	for i := range rows {
		if e, ok := m.memos[m.hash(strconv.Itoa(i))]; ok {
			if want := fmt.Sprintf(`{"request":"%d"`, i); !strings.HasPrefix(string(m.data(e)), want) {
				t.Fatalf("request %d: %s", i, m.data(e))
			}
			if known++; first < 0 {
				first = i
			}
		}
	}
	if known != rows-first || known < 1000 || len(m.owners) != 0 {
		t.Errorf("%d answers are known, the oldest is %d of %d", known, first, rows)
	}
}

// What is answered anew is forgotten with the new answer, not with the one before.
func TestAnAnswerOutlivesWhatWasKnownBeforeIt(t *testing.T) {
	m := newMemory(1 << 20)
	filler := make([]byte, 200<<10)
	m.store(1, memo{state: memoRestored}, nil)
	for h := range uint64(3) {
		m.store(10+h, memo{state: memoAnswered}, filler)
	}
	m.store(1, memo{state: memoAnswered}, filler)
	for h := range uint64(2) {
		m.store(20+h, memo{state: memoAnswered}, filler)
	}
	_, oldest := m.memos[10]
	if e, ok := m.memos[1]; !ok || e.state != memoAnswered || oldest || m.first == 0 {
		t.Errorf("the answer is known: %v, one before it: %v, %d blocks are forgotten", ok, oldest, m.first)
	}
}

// A call that panics gives up what it has claimed.
func TestACallThatEndsEarlyGivesItsIDsUp(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.store = panicking{} })
	const body = `{"request":"r","user":"u","candidates":[{"ad":"a"}]}`
	func() {
		defer func() { _ = recover() }()
		post(s, body, "")
	}()
	s.profiles.store = features.NewMemory()
	if w := post(s, body, ""); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

type panicking struct{ features.Store }

func (panicking) Read(context.Context, []string) (map[string]features.Profile, error) {
	panic("on purpose")
}

func TestFingerprintsReadBack(t *testing.T) {
	for _, f := range []fingerprint{0, 1, 0x0123456789abcdef, ^fingerprint(0)} {
		if got, ok := parseFingerprint(f.String()); !ok || got != f {
			t.Errorf("%x is written as %s", uint64(f), f)
		}
	}
	for _, s := range []string{"", "0123456789abcdeg", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdef0"} {
		if _, ok := parseFingerprint(s); ok {
			t.Errorf("%q is a fingerprint", s)
		}
	}
	// It is the same in every process and version: predictions carry it.
	q := read(t, newScorer(t, nil), asked).Requests[0]
	if got := q.content().String(); got != "54e09c258fbdb866" {
		t.Errorf("the fingerprint is %s", got)
	}
}
