package scorer

import (
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// engine returns the engine of newScorer with weights of which ad a1 is liked most, and a store
// that knows user u1.
func engine(t *testing.T, change func(*setup)) *Engine {
	t.Helper()
	store := features.NewMemory()
	s := newScorer(t, func(u *setup) {
		u.store = store
		if change != nil {
			change(u)
		}
	})
	click := event.Event{Type: event.TypeClick, User: "u1", Time: testNow - 1000, Received: testNow - 1000}
	if err := store.Apply(t.Context(), 0, features.Position{TopicID: "aaaa", Next: 1, Received: testNow}, s.profiles.set.Updates(nil, &click, 0)); err != nil {
		t.Fatal(err)
	}
	src := likeable(t)
	for i := range 400 {
		q := ask(&Call{}, "r", "a1", "a2")
		src.learnOf(s, q, i%2, float64(1-i%2))
	}
	for _, r := range src.message("snapshot") {
		if err := s.followers[0].accept(&r); err != nil {
			t.Fatal(err)
		}
	}
	return s.Engine
}

// ask adds a request of user u1 for one of these ads.
func ask(c *Call, id string, ads ...string) *Request {
	q := c.Add()
	q.ID, q.User = id, "u1"
	for _, ad := range ads {
		q.Add().Ad = ad
	}
	return q
}

// An engine is called in process: it reads profiles, scores, ranks, chooses and logs.
func TestAnEngineAnswersInProcess(t *testing.T) {
	e := engine(t, nil)
	var c Call
	ask(&c, "r1", "a2", "a1", "a3")
	ask(&c, "r2", "a2", "a3").Choose = 0
	c.Requests[0].Candidates[2].Value = 0
	if err := e.Answer(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	q := &c.Requests[0]
	a := &q.Answer
	if len(a.Ranked) != 3 || a.Ranked[0].Index != 1 || a.Ranked[1].Index != 0 || a.Ranked[2].Score != 0 || a.Policy != "greedy" {
		t.Errorf("the ranking is %+v by %s, want a1, a2, a3", a.Ranked, a.Policy)
	}
	if chosen := q.Chosen(); len(chosen) != 1 || chosen[0].Propensity != 1 || a.Ranked[1].Propensity != 0 {
		t.Errorf("chosen are %+v", chosen)
	}
	assembled := func(index int) event.Fields {
		r := q.featureRequest(index)
		return e.profiles.set.Assemble(nil, &r, c.profiles)
	}
	if v, _ := assembled(a.Ranked[0].Index).Lookup("user.click_count_1h"); v.Num != 1 {
		t.Errorf("of the user %v is used, want one click", v)
	}
	replica := e.followers[0].replicas.acquire()
	defer replica.release()
	for _, s := range a.Ranked {
		want := replica.weights.Predict(features.Encode(nil, assembled(s.Index)), &model.Scratch{})
		if s.P[0] != want || s.Score != want*q.Candidates[s.Index].Value {
			t.Errorf("candidate %d has probability %v and score %v, want %v", s.Index, s.P[0], s.Score, want)
		}
	}
	if len(a.Models) != 1 || a.Models[0].Version != event.ModelVersion("click", 400) || a.WithoutModel || a.WithoutProfiles || a.Err != nil {
		t.Errorf("the answer is %+v", a)
	}
	// Nothing was chosen of the second request, so nothing waits for Kafka.
	if len(c.records) != 1 || len(c.Requests[1].Chosen()) != 0 || a.Acknowledged || !a.Logged {
		t.Errorf("%d predictions are logged, %+v", len(c.records), a)
	}
}

// One id has one choice, within a call and between calls.
func TestAnEngineGivesOneAnswerToAnID(t *testing.T) {
	e := engine(t, func(u *setup) { u.config.Epsilon = 1 })
	var c Call
	ask(&c, "r", "a1", "a2", "a3")
	ask(&c, "r", "a1", "a2", "a3").User = "u2"
	ask(&c, "r", "a1", "a2")
	if err := e.Answer(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	want := append([]Scored(nil), c.Requests[0].Answer.Ranked...)
	same := func(q *Request, changed bool) {
		t.Helper()
		a := &q.Answer
		if !a.Repeated || a.Changed != changed || a.Policy != "epsilon:1" || len(a.Ranked) != len(want) || a.Err != nil || len(a.Models) != 1 || len(a.Ages) != 1 {
			t.Fatalf("the answer is %+v", a)
		}
		for i, s := range a.Ranked {
			if s.Index != want[i].Index || s.P[0] != want[i].P[0] || s.Score != want[i].Score || s.Propensity != want[i].Propensity {
				t.Errorf("place %d is %+v, first it was %+v", i, s, want[i])
			}
		}
	}
	same(&c.Requests[1], true)
	if err := c.Requests[2].Answer.Err; err != errConflict {
		t.Errorf("other candidates: %v", err)
	}
	var later Call
	same(func() *Request {
		q := ask(&later, "r", "a1", "a2", "a3")
		if err := e.Answer(t.Context(), &later); err != nil {
			t.Fatal(err)
		}
		return q
	}(), false)
}

// A Call that is reset has nothing of the requests before.
func TestACallIsUsedAgain(t *testing.T) {
	e := engine(t, nil)
	var c Call
	for i, ads := range [][]string{{"a1", "a2", "a3"}, {"a2"}, {"a3", "a1"}} {
		c.Reset()
		q := ask(&c, string(rune('a'+i)), ads...)
		if len(q.Candidates) != len(ads) || q.Choose != 1 || len(q.Context) != 0 {
			t.Fatalf("a new request is %+v", q)
		}
		q.Context = append(q.Context, event.Field{Name: "device", Value: event.Value{Kind: event.String, Str: "tv"}})
		if err := e.Answer(t.Context(), &c); err != nil || len(q.Answer.Ranked) != len(ads) || q.Answer.Repeated {
			t.Errorf("%v: %v %+v", ads, err, q.Answer)
		}
	}
}

// HTTP is a shell: the engine's files know neither it nor what comes over it.
func TestTheEngineKnowsNoHTTP(t *testing.T) {
	shell := map[string]bool{"http.go": true, "items.go": true, "model.go": true, "notes.go": true, "retrieve_form.go": true, "parse.go": true, "render.go": true, "warnings.go": true}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := file.Name()
		if shell[name] || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if path := i.Path.Value; path == `"net/http"` || strings.HasSuffix(path, `/internal/web"`) || strings.HasSuffix(path, `/internal/inbound"`) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
