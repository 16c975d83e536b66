package scorer

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/signing"
)

func ringOf(t testing.TB) *signing.Ring {
	t.Helper()
	keys, err := signing.Hold("a secret of scorer's tests")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// tokensOf are the tokens of an answer's predictions by their ids.
func tokensOf(t testing.TB, answer []byte) map[string]string {
	t.Helper()
	var a struct {
		Predictions []struct{ Prediction, Token string }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	tokens := map[string]string{}
	for _, p := range a.Predictions {
		if p.Token != "" {
			tokens[p.Prediction] = p.Token
		}
	}
	return tokens
}

const twoOfThree = `{"request":"r \"1\"","user":"u","choose":2,"candidates":[{"ad":"a1"},{"ad":"a2"},{"ad":"a3"}]}`

// The chosen candidates have tokens for their predictions, made at the time of these. A request
// that is sent again gets the same ones, later and after a restart too. Predictions are as they
// are without keys.
func TestTheChosenHaveTokensThatStay(t *testing.T) {
	brokers, prefix, keys := backend.Kafka(t), backend.Prefix(t), ringOf(t)
	now := testNow
	run := func(keys *signing.Ring) *Scorer {
		s := runScorer(t, brokers, prefix, func(u *setup) { u.keys = keys })
		s.now = func() event.Time { return now }
		if err := s.memory.restore(t.Context(), s.client, s.logger); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := run(keys)
	first := post(s, twoOfThree, "").Body.Bytes()
	tokens := tokensOf(t, first)
	if len(tokens) != 2 {
		t.Fatalf("%d tokens for two that are chosen: %s", len(tokens), first)
	}
	for id, token := range tokens {
		at := func(age time.Duration) signing.Verdict {
			return keys.Keys().Verify(token, id, testNow.Add(age), time.Hour)
		}
		if at(time.Hour) != signing.Valid || at(time.Hour+time.Millisecond) != signing.Expired {
			t.Errorf("the token of %s is %v and %v at the end of its life", id, at(time.Hour), at(time.Hour+time.Millisecond))
		}
	}
	now = now.Add(time.Minute)
	if again := post(s, twoOfThree, "").Body.String(); again != string(first) {
		t.Errorf("again\n%s, first\n%s", again, first)
	}
	logged(t, s)
	restarted := run(keys)
	for id, token := range tokensOf(t, post(restarted, twoOfThree, "").Body.Bytes()) {
		if tokens[id] != token {
			t.Errorf("%s has the token %s after a restart, %s before", id, token, tokens[id])
		}
	}
	for _, r := range logged(t, s) {
		if strings.Contains(string(r.Value), "token") {
			t.Errorf("a token is on the topic: %s", r.Value)
		}
	}
	if plain := post(run(nil), twoOfThree, "").Body.Bytes(); len(tokensOf(t, plain)) != 0 {
		t.Errorf("without keys: %s", plain)
	}
}

// A program that calls the engine in process gets the tokens that the HTTP answer has.
func TestAnEngineGivesTheTokensOfItsAnswers(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.keys = ringOf(t) })
	c := read(t, s, twoOfThree)
	s.score(t.Context(), c, false)
	c.settle()
	q := &c.Requests[0]
	for i := range q.Chosen() {
		scored := &q.Answer.Ranked[i]
		member := `,"token":"` + s.Token(q, scored) + `"`
		if got := string(s.appendToken(nil, q, scored.Index)); got != member || len(member) != len(`,"token":""`)+signing.TokenBytes {
			t.Errorf("the answer has %s, the engine says %s", got, member)
		}
	}
	s.keys = nil
	if got := s.Token(q, &q.Answer.Ranked[0]); got != "" {
		t.Errorf("without keys: %s", got)
	}
}

func TestATokenOfAnAnswerAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector, pools drop what they are given")
	}
	s := newScorer(t, func(u *setup) { u.keys = ringOf(t) })
	c := read(t, s, twoOfThree)
	s.score(t.Context(), c, false)
	c.settle()
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(1000, func() { dst = s.appendToken(dst[:0], &c.Requests[0], 1) }); n != 0 {
		t.Errorf("a token makes %v allocations", n)
	}
}

// Recorded times make tokens deterministic: they are those of the recording, however often it
// plays.
func TestTokensOfRecordedRequestsAreThoseOfTheirTimes(t *testing.T) {
	s := runScorer(t, backend.Kafka(t), backend.Prefix(t), func(u *setup) { u.keys, u.recorded = ringOf(t), true })
	body := strings.Replace(twoOfThree, `"user"`, `"time":"2019-11-24T00:01:03.979Z","user"`, 1)
	want := tokensOf(t, post(s, body, "").Body.Bytes())
	s.now = func() event.Time { return testNow.Add(time.Hour) }
	for id, token := range tokensOf(t, post(s, body, "").Body.Bytes()) {
		at, _ := event.ParseTime("2019-11-24T00:01:03.979Z")
		if want[id] != token || s.keys.Keys().Verify(token, id, at+1, 0) != signing.Expired {
			t.Errorf("%s: %s, then %s", id, want[id], token)
		}
	}
}
