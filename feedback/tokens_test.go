package feedback

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	newSecret     = "the secret that signs"
	oldSecret     = "the secret that signed before"
	foreignSecret = "the secret of another deployment"
)

func ring(t testing.TB, secrets ...string) *signing.Ring {
	t.Helper()
	r, err := signing.Hold(strings.Join(secrets, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// signed is the token of the prediction of row, issued at a time after it was made.
func signed(t testing.TB, secret string, row int64, after time.Duration) string {
	t.Helper()
	return string(ring(t, secret).Keys().Append(nil, fmt.Append(nil, "p", row), (t0 + event.Time(row)).Add(after)))
}

// outcomeEvent is the record of an event about the prediction of row, a second after it.
func outcomeEvent(kind string, row int64, token string) stream.Record {
	at := (t0 + event.Time(row)).Add(time.Second)
	e := event.Event{ID: fmt.Sprint(kind, row, token), Type: kind, Time: at, Received: at, User: fmt.Sprint("u", row), Prediction: fmt.Sprint("p", row), Token: token}
	return stream.Record{Partition: -1, Key: []byte(e.User), Value: e.AppendJSON(nil)}
}

// tokenCases are what clients may bring, a prediction each: of its impression and of its click. y
// is the label that must come of it, -1 for no example.
func tokenCases(t testing.TB) []struct {
	impression, click string
	y                 float64
} {
	valid := func(row int64) string { return signed(t, newSecret, row, 0) }
	altered := []byte(valid(4))
	altered[20] ^= 1
	late := -span - DefaultConfig().OutcomeTTL
	return []struct {
		impression, click string
		y                 float64
	}{
		1:  {valid(1), valid(1), 1},
		2:  {"", "", -1},
		3:  {signed(t, foreignSecret, 3, 0), signed(t, foreignSecret, 3, 0), -1},
		4:  {string(altered), string(altered), -1},
		5:  {valid(1), valid(1), -1}, // of another prediction
		6:  {signed(t, newSecret, 6, late), signed(t, newSecret, 6, late), -1},
		7:  {valid(7), "", 0},
		8:  {"", valid(8), -1},
		9:  {valid(9), "no token at all", 0},
		10: {signed(t, oldSecret, 10, 0), signed(t, oldSecret, 10, 0), 1},
		11: {signed(t, newSecret, 11, late+2*time.Second), valid(11), 1}, // expires a second later
	}
}

// The whole of it on Redis: what is forged, altered, foreign, expired or missing is counted,
// labels nothing and leaves no trace, and a rebuild comes to the same verdicts while it has the
// keys.
func TestOnlyEventsWithAValidTokenLabel(t *testing.T) {
	r := newRig(t)
	client, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(t), Username: backend.Administrator().Username, PasswordFile: backend.Administrator().PasswordFile, TLS: backend.TLS()}, features.Writing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	raw := backend.RedisClient(t)
	empty := func() {
		if keys, err := raw.Keys(t.Context(), r.client.Prefix()+"*").Result(); err == nil && len(keys) > 0 {
			raw.Del(t.Context(), keys...)
		}
	}
	store := features.NewRedis(client, r.client.Prefix(), "outcomes", time.Hour)
	r.outcomes, r.objective.Trigger, r.keys, r.registry = store, event.TypeImpression, ring(t, newSecret, oldSecret), prometheus.NewRegistry()
	cases := tokenCases(t)
	var ids []string
	for row := int64(1); row < int64(len(cases)); row++ {
		ids = append(ids, fmt.Sprint("p", row))
		r.produce(event.TopicPredictions, prediction(row))
		r.produce(event.TopicEvents, outcomeEvent(event.TypeImpression, row, cases[row].impression), outcomeEvent(event.TypeClick, row, cases[row].click))
	}
	// a token that is sent again is the same proof, and changes nothing
	again := outcomeEvent(event.TypeClick, 1, cases[1].click)
	again.Value = bytes.Replace(again.Value, []byte(`"id":"`), []byte(`"id":"again`), 1)
	r.produce(event.TopicEvents, again)

	_, stop := r.join()
	r.beat(t0.Add(2 * span))
	want := map[string]float64{}
	for row, c := range cases {
		if row > 0 && c.y >= 0 {
			want[fmt.Sprint("p", row)] = c.y
		}
	}
	got := map[string]float64{}
	for _, x := range r.awaitExamples(len(want)) {
		got[x.Prediction] = x.Y
	}
	if !maps.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
	for result, n := range map[string]float64{"valid": 10, "missing": 4, "malformed": 1, "unknown_key": 2, "mismatch": 4, "expired": 2} {
		if got := r.metric("clickloop_feedback_tokens_total", result); got != n {
			t.Errorf("%v events are counted as %s, want %v", got, result, n)
		}
	}
	if got := r.metric("clickloop_feedback_outcome_events_total", "token"); got != 13 {
		t.Errorf("%v events are counted as not kept", got)
	}
	kept := func() map[string]string {
		found, err := store.Read(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		events := map[string]string{}
		for id, p := range found {
			if out := OutcomeOf(p); len(out) > 0 {
				events[id] = fmt.Sprint(slices.Sorted(maps.Keys(out)))
			}
		}
		return events
	}
	both := "[click impression]"
	before, wantKept := kept(), map[string]string{"p1": both, "p7": "[impression]", "p8": "[click]", "p9": "[impression]", "p10": both, "p11": both}
	if !maps.Equal(before, wantKept) {
		t.Errorf("the store holds %v, want %v", before, wantKept)
	}
	stop()

	delete(wantKept, "p10") // its secret is taken away before the second rebuild
	for secrets, want := range map[string]map[string]string{newSecret + "\n" + oldSecret: before, newSecret: wantKept} {
		empty()
		r.keys, r.registry = ring(t, secrets), prometheus.NewRegistry()
		f, _, stop := r.start()
		r.await("the rebuild", func() bool { at, ok := f.outcomes.Own(partitions); return ok && at >= t0.Add(2*span) })
		stop()
		if got := kept(); !maps.Equal(got, want) {
			t.Errorf("folded again with %d secrets: %v, want %v", 1+strings.Count(secrets, "\n"), got, want)
		}
	}
	empty()
}

// Without a key, tokens mean nothing: all events count, whatever they bring, and nothing is
// counted.
func TestWithoutAKeyEveryEventLabels(t *testing.T) {
	r := newRig(t)
	r.registry = prometheus.NewRegistry()
	for row, token := range []string{"", "forged", signed(t, foreignSecret, 2, 0)} {
		r.produce(event.TopicPredictions, prediction(int64(row)+1))
		r.produce(event.TopicEvents, outcomeEvent(event.TypeClick, int64(row)+1, token))
	}
	r.join()
	r.beat(t0.Add(2 * span))
	for _, x := range r.awaitExamples(3) {
		if x.Y != 1 {
			t.Errorf("%s has the label %v", x.Prediction, x.Y)
		}
	}
	if got := r.metric("clickloop_feedback_tokens_total", "missing"); got != 0 {
		t.Errorf("%v tokens are counted", got)
	}
}

// Another producer's events that happened too long before their receipt label nothing.
func TestEventsThatAreTooOldLabelNothing(t *testing.T) {
	r := newRig(t)
	r.registry, r.maxAge = prometheus.NewRegistry(), event.AgeLimits{event.TypeClick: time.Hour}
	for row := int64(1); row <= 2; row++ {
		at := (t0 + event.Time(row)).Add(time.Second)
		e := event.Event{ID: fmt.Sprint("c", row), Type: event.TypeClick, Time: at.Add(-time.Hour) - event.Time(row-1), Received: at, User: "u", Prediction: fmt.Sprint("p", row)}
		r.produce(event.TopicPredictions, prediction(row))
		r.produce(event.TopicEvents, stream.Record{Partition: -1, Key: []byte("u"), Value: e.AppendJSON(nil)})
	}
	r.join()
	r.beat(t0.Add(2 * span))
	for _, x := range r.awaitExamples(2) {
		if want := map[string]float64{"p1": 1, "p2": 0}[x.Prediction]; x.Y != want {
			t.Errorf("%s has the label %v, want %v", x.Prediction, x.Y, want)
		}
	}
	if got := r.metric("clickloop_feedback_outcome_events_total", "refused"); got != 1 {
		t.Errorf("%v events are refused", got)
	}
}

// However many events are forged, the log gets a line a minute, with the numbers and what to do.
func TestRefusedTokensAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		k := newTokens(ring(t, newSecret), time.Hour, newCounters().tokens, slog.New(slog.NewTextHandler(&log, nil)))
		e := event.Event{Type: event.TypeClick, Prediction: "p1", Received: t0}
		for range 100 {
			if k.accept(&e) {
				t.Fatal("an event without a token is taken")
			}
		}
		e.Token = signed(t, foreignSecret, 1, 0)
		k.accept(&e)
		time.Sleep(warnEvery + time.Millisecond)
		k.accept(&e)
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "missing=1") || !strings.Contains(lines[1], "missing=99 unknown_key=2") ||
			!strings.Contains(lines[0], "send the member token") || !strings.Contains(lines[1], "the same secrets") || strings.Contains(log.String(), newSecret) {
			t.Errorf("the log is\n%s", log.String())
		}
	})
}
