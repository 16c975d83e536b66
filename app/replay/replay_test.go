package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
)

// stages are a collector and a scorer that write down what they are asked, in order.
type stages struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	fail   func(path string, n int) int // status of the nth call of a path, 0 for its own
	counts map[string]int
	score  string // answer to a row
}

// call is a row that was scored, an event that was posted, the clock, or a question for the model.
type call struct {
	kind string
	id   string
	at   event.Time
	n    int64
}

func newStages(t *testing.T) *stages {
	s := &stages{counts: map[string]int{}, score: `{"request":"r"}`}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *stages) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[r.URL.Path]++
	if s.fail != nil {
		if status := s.fail(r.URL.Path, s.counts[r.URL.Path]); status != 0 {
			http.Error(w, `{"error":"no"}`, status)
			return
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	query := r.URL.Query()
	parsed := func(text string) event.Time {
		at, err := event.ParseTime(text)
		if err != nil {
			panic(err)
		}
		return at
	}
	switch r.URL.Path {
	case "/v1/score":
		for _, line := range bytes.Split(bytes.TrimSpace(body), []byte("\n")) {
			var row struct{ Request, Time string }
			if err := json.Unmarshal(line, &row); err != nil {
				panic(err)
			}
			s.calls = append(s.calls, call{kind: "score", id: row.Request, at: parsed(row.Time)})
			fmt.Fprintln(w, s.score)
		}
	case "/v1/events":
		var events []struct{ ID, Received string }
		if err := json.Unmarshal(body, &events); err != nil {
			panic(err)
		}
		for _, e := range events {
			s.calls = append(s.calls, call{kind: "event", id: e.ID, at: parsed(e.Received)})
		}
		if clock := query.Get("clock"); clock != "" {
			s.calls = append(s.calls, call{kind: "clock", at: parsed(clock)})
		}
		fmt.Fprint(w, `{"verdicts":[]}`)
	case "/v1/clock":
		s.calls = append(s.calls, call{kind: "folded", at: parsed(query.Get("folded"))})
		fmt.Fprintf(w, `{"folded":%q}`, query.Get("folded"))
	case "/v1/model":
		c := call{kind: "model"}
		if _, err := fmt.Sscan(query.Get("at_least"), &c.n); err != nil {
			panic(err)
		}
		s.calls = append(s.calls, c)
		fmt.Fprintf(w, `{"examples":%d}`, c.n)
	}
}

// recorded is a recording of a row a second, of which every third is positive; its event comes
// seven seconds later.
func recorded(t *testing.T, rows int) *recording.Recording {
	t.Helper()
	text := "a,y\n"
	for i := range rows {
		text += fmt.Sprintf("%d,%t\n", i, i%3 == 0)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{recording.File: "name: r\nfiles: [d.csv]\nformat: csv\nlabel: y\npositive: \"true\"\ntick: 4s\nobjective: {name: click, window: 10s}\n" +
		"events: [{type: click, when: positive, delay: 7s}]\n", "d.csv": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := recording.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func driver(t *testing.T, s *stages, rows int, change func(*Config)) *Driver {
	t.Helper()
	r := recorded(t, rows)
	cfg := Config{Recording: r, Objective: r.Objective(), Tick: r.Tick(), Chunk: 9, Collector: s.URL, CollectorAdmin: s.URL, Scorer: s.URL, ScorerAdmin: s.URL}
	if change != nil {
		change(&cfg)
	}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Rows and events are each sent once, in order; no row is scored after an event that came later;
// the clock follows the events. In lockstep, what a row may know is folded and learned before it is
// scored.
func TestNoRequestSeesItsFuture(t *testing.T) {
	const rows, tick = 100, event.Time(4000)
	for _, lockstep := range []bool{false, true} {
		s := newStages(t)
		d := driver(t, s, rows, func(c *Config) { c.Lockstep = lockstep })
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var scored, events int
		var clock, folded, lastRow, lastEvent event.Time
		var learned int64
		seen := map[string]bool{}
		for i, c := range s.calls {
			if (c.kind == "score" || c.kind == "event") && seen[c.id] {
				t.Errorf("lockstep %v: %s is sent twice", lockstep, c.id)
			}
			seen[c.id] = true
			switch c.kind {
			case "score":
				scored++
				if c.at < lastRow || c.at <= lastEvent {
					t.Errorf("lockstep %v, call %d: the row of %s follows a row of %s and an event of %s", lockstep, i, c.at, lastRow, lastEvent)
				}
				if start := c.at - c.at%tick; lockstep && (clock != start || folded != start || learned != d.dueBefore(start)) {
					t.Errorf("call %d: the row of %s is scored with the clock at %s, folded to %s, %d learned, want %d", i, c.at, clock, folded, learned, d.dueBefore(start))
				}
				lastRow = c.at
			case "event":
				events++
				if c.at < clock || c.at < lastEvent {
					t.Errorf("lockstep %v, call %d: the event of %s follows the clock of %s", lockstep, i, c.at, clock)
				}
				lastEvent = c.at
			case "clock":
				clock = c.at
			case "folded":
				folded = c.at
			case "model":
				learned = c.n
			}
		}
		p := &d.Progress
		if scored != rows || events != 34 || learned != rows || p.Rows.Load() != rows || p.Events.Load() != 34 || p.Expected.Load() != rows || p.Rejected.Load() != 0 {
			t.Errorf("lockstep %v: %d rows, %d events, %d learned; progress %d, %d, %d", lockstep, scored, events, learned, p.Rows.Load(), p.Events.Load(), p.Expected.Load())
		}
	}
}

// dueBefore is how many rows of a second each have a window of ten seconds that has passed.
func (d *Driver) dueBefore(t event.Time) int64 {
	var n int64
	for row, err := range d.cfg.Recording.Rows() {
		if err == nil && row.Time+10_000 <= t {
			n++
		}
	}
	return n
}

// A replay that goes on repeats no more than it must, and misses nothing.
func TestResumeRepeatsTheTickOfTheLastRow(t *testing.T) {
	f := func(lockstep bool, resume int64, first string, skipped int64) {
		t.Helper()
		s := newStages(t)
		d := driver(t, s, 100, func(c *Config) { c.Lockstep, c.Resume = lockstep, resume })
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range s.calls {
			if c.kind == "score" {
				ids = append(ids, c.id)
			}
		}
		if ids[0] != first || ids[len(ids)-1] != "r-00000100" || int64(len(ids)) != 100-skipped || d.Progress.Skipped.Load() != skipped || d.Progress.Rows.Load() != 100 || d.Progress.Expected.Load() != 100 {
			t.Errorf("lockstep %v, after row %d: %d rows from %s, %d skipped", lockstep, resume, len(ids), ids[0], d.Progress.Skipped.Load())
		}
	}
	f(true, 0, "r-00000001", 0)
	f(true, 1, "r-00000001", 0)
	f(true, 4, "r-00000001", 0)
	f(true, 5, "r-00000005", 4)
	f(true, 100, "r-00000097", 96)
	f(false, 18, "r-00000001", 0) // two chunks of nine
	f(false, 60, "r-00000041", 40)
}

func TestCallsAreRepeatedUntilTheyAreAnswered(t *testing.T) {
	s := newStages(t)
	statuses := []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusRequestTimeout}
	s.fail = func(_ string, n int) int {
		if n <= len(statuses) {
			return statuses[n-1]
		}
		return 0
	}
	d := driver(t, s, 3, nil)
	if err := d.Run(t.Context()); err != nil || d.Progress.Rows.Load() != 3 || d.Progress.Events.Load() != 1 {
		t.Errorf("%v, %d rows, %d events", err, d.Progress.Rows.Load(), d.Progress.Events.Load())
	}
	s = newStages(t)
	s.fail = func(path string, _ int) int {
		if path == "/v1/score" {
			return http.StatusConflict
		}
		return 0
	}
	err := driver(t, s, 3, nil).Run(t.Context())
	var no *refused
	if !errors.As(err, &no) || no.status != http.StatusConflict || !strings.Contains(err.Error(), "/v1/score answered 409: ") || s.counts["/v1/score"] != 1 {
		t.Errorf("refused: %v after %d calls", err, s.counts["/v1/score"])
	}
	s = newStages(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.fail = func(_ string, n int) int {
		if n == 2 {
			cancel()
		}
		return http.StatusServiceUnavailable
	}
	if err := driver(t, s, 3, nil).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRowsThatAreRefusedAreCounted(t *testing.T) {
	s := newStages(t)
	s.score = `{"error":{"code":"bad_request"}}`
	d := driver(t, s, 20, func(c *Config) { c.Limit = 12 })
	if err := d.Run(t.Context()); err != nil || d.Progress.Rejected.Load() != 12 || d.Progress.Rows.Load() != 12 {
		t.Errorf("%v, %d refused of %d", err, d.Progress.Rejected.Load(), d.Progress.Rows.Load())
	}
}

func TestSpeedIsKept(t *testing.T) {
	s := newStages(t)
	d := driver(t, s, 40, func(c *Config) { c.Speed = 500 })
	began := time.Now()
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// the last row's tick begins after 36 s
	if took := time.Since(began); took < 36*time.Second/500 {
		t.Errorf("40 s at 500 a second took %v", took)
	}
}

func TestAWrongTickIsRefused(t *testing.T) {
	r := recorded(t, 3)
	if _, err := New(Config{Recording: r}); err == nil || !strings.Contains(err.Error(), "tick is 0s, want a duration above 0") {
		t.Errorf("no tick: %v", err)
	}
	if _, err := New(Config{Tick: time.Second}); err == nil || !strings.Contains(err.Error(), "without a recording") {
		t.Errorf("no recording: %v", err)
	}
}

func TestExamplesDueAreThoseWhoseTriggerCameInTime(t *testing.T) {
	o := event.Objective{Trigger: "impression", Positive: "click", Window: 10 * time.Second}
	q := dueQueue{kind: objective.KindOf(o)}
	shown := func(at event.Time) []event.Event { return []event.Event{{Type: "impression", Time: at, Received: at}} }
	q.add([]recording.Row{{Time: 0, Events: shown(0)}, {Time: 0}, {Time: 0, Events: shown(10_000)}, {Time: 1000, Events: shown(11_001)}, {Time: 2000, Events: shown(3000)}})
	for _, c := range []struct {
		at   event.Time
		want int64
	}{{9999, 0}, {10_000, 2}, {11_999, 2}, {12_000, 3}, {99_000, 3}} {
		if got := q.before(c.at); got != c.want {
			t.Errorf("%d due by %v, want %d", got, c.at, c.want)
		}
	}
}
