package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/replay"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
)

const bank = "../../examples/bank-marketing"

// start runs all stages on embedded services of the test's own, which it may stop.
func start(t *testing.T, change func(*config.Config)) *run.Loop {
	t.Helper()
	cfg := config.Default()
	cfg.HTTP, cfg.Admin, cfg.Data = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	cfg.Scorer.MaxQueueTime = 0 // on a machine that is busy with other tests, every request is answered
	if change != nil {
		change(&cfg)
	}
	l, err := run.Start(t.Context(), run.Options{Config: cfg, Embedded: true, AnyPort: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := l.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

func open(t *testing.T, path string) *recording.Recording {
	t.Helper()
	rec, err := recording.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func recorded(rec *recording.Recording) func(*config.Config) {
	return func(c *config.Config) {
		c.Clock, c.Objectives = config.ClockRecorded, []event.Objective{rec.Objective()}
	}
}

// The replay command refuses a collector whose clock is the wall's: it reads that from the
// collector's answer.
func TestTheCheckOfAClockUnderstandsTheCollector(t *testing.T) {
	l := start(t, func(c *config.Config) { c.Clock = config.ClockRecorded })
	check := func() error {
		return replay.CheckClock(t.Context(), http.DefaultClient, "http://"+l.Admin, slog.New(slog.DiscardHandler))
	}
	if err := check(); err != nil {
		t.Errorf("with recorded times: %v", err)
	}
	l.SetRecorded(false)
	if err := check(); err == nil || !strings.Contains(err.Error(), `"wall"`) {
		t.Errorf("with the wall's: %v", err)
	}
}

// During a free replay, Kafka is stopped and Redis is emptied, stopped and comes back empty:
// nothing is lost, nothing counts twice, and no label is false.
func TestFaultsDuringAReplayLoseNothingAndMakeNoLabelFalse(t *testing.T) {
	rec := open(t, bank)
	l := start(t, recorded(rec))
	const rows = 6000
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	watched := make(chan *replay.Driver, 1)
	type outcome struct {
		s   *run.Summary
		err error
	}
	played := make(chan outcome, 1)
	go func() {
		s, err := l.Play(ctx, run.PlayOptions{Recording: rec, Limit: rows, Watch: func(d *replay.Driver) { watched <- d }})
		played <- outcome{s, err}
	}()
	d := <-watched
	at := func(n int64) {
		for d.Progress.Rows.Load() < n && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	at(1000)
	l.Services.StopKafka()
	if status := post(t, l, "/v1/events", `{"type":"page","user":"u1","time":"2008-05-05T08:00:00Z"}`, 15*time.Second); status != http.StatusServiceUnavailable {
		t.Errorf("an event while Kafka is away: status %d, want 503", status)
	}
	if err := l.Services.StartKafka(); err != nil {
		t.Fatal(err)
	}
	at(2000)
	l.Services.FlushRedis()
	at(3000)
	l.Services.StopRedis()
	time.Sleep(200 * time.Millisecond) // the time for which Redis is away, not a wait for anything
	if err := l.Services.StartRedis(); err != nil {
		t.Fatal(err)
	}
	got := <-played
	if got.err != nil {
		t.Fatal(got.err)
	}
	positives := int64(0)
	for row, err := range rec.Rows() {
		if err != nil || row.N > rows {
			break
		}
		if row.Positive {
			positives++
		}
	}
	s := got.s
	if s.Predictions != rows || s.Examples != rows || s.Positives != positives || s.DeadLetters != 0 {
		t.Errorf("after the faults: %d predictions, %d examples, %d positives, %d dead letters; want %d, %d, %d, 0", s.Predictions, s.Examples, s.Positives, s.DeadLetters, rows, rows, positives)
	}
}

func post(t *testing.T, l *run.Loop, path, body string, wait time.Duration) int {
	t.Helper()
	client := http.Client{Timeout: wait}
	resp, err := client.Post("http://"+l.HTTP+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func postJSON(t *testing.T, l *run.Loop, path, body string, v any) {
	t.Helper()
	resp, err := http.Post("http://"+l.HTTP+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, resp.StatusCode, b, err)
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(v); err != nil {
		t.Fatalf("%s answered %s: %v", path, b, err)
	}
}

// A click on the wall's clock: scored, seen, clicked, and within moments an example that the served
// weights have learned.
func TestALiveClickIsLearned(t *testing.T) {
	l := start(t, func(c *config.Config) {
		c.Objectives = []event.Objective{{Name: "click", Trigger: event.TypeImpression, Positive: event.TypeClick, Window: 500 * time.Millisecond}}
		c.Ingest.Heartbeat = 20 * time.Millisecond
	})
	var answer struct {
		Predictions []struct {
			Prediction string
			P          map[string]float64
			Chosen     bool
		}
		Model map[string]string
	}
	postJSON(t, l, "/v1/score", `{"request":"r1","user":"u1","context":{"device":"mobile"},"candidates":[{"ad":"a1","campaign":"c1"},{"ad":"a2","campaign":"c1"}]}`, &answer)
	if len(answer.Predictions) != 2 || !answer.Predictions[0].Chosen || answer.Predictions[1].Chosen || answer.Model["click"] != "click@0" {
		t.Fatalf("the answer is %+v", answer)
	}
	p := answer.Predictions[0].Prediction
	now := event.TimeOf(time.Now())
	events := fmt.Sprintf(`[{"id":"i1","type":"impression","time":%q,"user":"u1","prediction":%q,"ad":"a1"},{"id":"c1","type":"click","time":%q,"user":"u1","prediction":%q,"ad":"a1"}]`, now, p, now, p)
	var verdicts struct{ Results []struct{ Status string } }
	postJSON(t, l, "/v1/events", events, &verdicts)
	if len(verdicts.Results) != 2 || verdicts.Results[0].Status != "accepted" || verdicts.Results[1].Status != "accepted" {
		t.Fatalf("verdicts are %+v", verdicts)
	}
	resp, err := http.Get("http://" + l.Admin + "/v1/model?objective=click&at_least=1&wait=20s")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var model struct{ Examples int64 }
	if err := json.NewDecoder(resp.Body).Decode(&model); err != nil || model.Examples != 1 {
		t.Fatalf("the served weights have learned %d examples (%v), want 1", model.Examples, err)
	}
}

// Malformed bodies of all sorts get a 4xx with a reason, and good events beside bad ones pass.
func TestBadInputIsRefusedAndSparesTheGood(t *testing.T) {
	l := start(t, nil)
	deep := strings.Repeat("[", 100_000)
	for _, path := range []string{"/v1/events", "/v1/score", "/v1/track", "/v1/page", "/v1/identify", "/v1/batch"} {
		for _, body := range []string{"", "{", "[", "null", "\xff\xfe{}", deep, strings.Repeat(`{"a":`, 5000), strings.Repeat("x", 3_000_000), `"text"`, "7", `{"candidates":7}`, `{"type":7}`, `{"type":"click","time":"yesterday"}`} {
			if status := post(t, l, path, body, 10*time.Second); status < 400 || status >= 500 {
				t.Errorf("%s %.30q: status %d, want 4xx", path, body, status)
			}
		}
	}
	var verdicts struct {
		Results []struct{ Status, Reason, Field string }
	}
	postJSON(t, l, "/v1/events", `[{"id":"g1","type":"click","user":"u"},{"id":"b1","type":7},{"id":"g2","type":"click","user":"u","time":"1971-01-01T00:00:00Z"},{"id":"g3","type":"page","user":"u"}]`, &verdicts)
	got := ""
	for _, r := range verdicts.Results {
		got += r.Status[:1]
	}
	if got != "arra" || verdicts.Results[1].Field != "type" || verdicts.Results[2].Field != "time" {
		t.Errorf("verdicts are %+v", verdicts)
	}
	if status := post(t, l, "/v1/score", `{"request":"r","candidates":[{"ad":"a"}]}`, 5*time.Second); status != http.StatusOK {
		t.Errorf("a good request afterwards: %d", status)
	}
}
