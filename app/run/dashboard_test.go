package run_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/stream"
)

// The page is the same for everyone. What it shows wants the key, and a page of elsewhere gets
// neither.
func TestThePageNeedsNoKeyAndItsDataDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("admin-key-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := start(t, func(c *config.Config) {
		c.Access.Keys = map[string]access.Key{"all": {For: []access.Scope{access.Admin}, File: path}}
	})
	f := func(target, key string, want int) http.Header {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Admin+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s with key %q: %s, want %d", target, key, resp.Status, want)
		}
		return resp.Header
	}
	h := f("/", "", 200)
	if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the page's policy is %q", policy)
	}
	f("/assets/none", "", 404)
	for _, data := range []string{"/v1/dashboard", "/v1/dashboard/stream", "/v1/dashboard/series?objective=click", "/metrics"} {
		f(data, "", 401)
		f(data, "wrong-key-0123456789", 401)
		f(data, "admin-key-0123456789", 200)
	}
}

// The admin port's guard holds for the page, too: it answers to no name but its own.
func TestThePageAnswersToNoOtherName(t *testing.T) {
	l := start(t, nil)
	for _, target := range []string{"/", "/v1/dashboard"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Admin+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example"
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s by another name: %s", target, resp.Status)
		}
	}
}

// A process without the dashboard answers at / as before.
func TestTheDashboardCanBeSwitchedOff(t *testing.T) {
	l := start(t, func(c *config.Config) { c.Dashboard.Enabled = false })
	status, _, text := call(t, http.DefaultClient, http.MethodGet, "http://"+l.Admin+"/")
	if status != 200 || !strings.HasPrefix(text, "clickloop: GET /v1/model") {
		t.Errorf("%d %q", status, text)
	}
	if status, _, _ := call(t, http.DefaultClient, http.MethodGet, "http://"+l.Admin+"/v1/dashboard"); status != http.StatusNotFound {
		t.Errorf("the state: %d, want 404", status)
	}
}

// shown is what the test reads of the dashboard's state.
type shown struct {
	Clock  string
	Topics []struct {
		Topic   string
		Records int64
	}
	Consumers []struct {
		Group  string
		Behind *int64
	}
	Models      []struct{ Version, Served string }
	DeadLetters struct{ Total int64 }
	Predictions []struct {
		ID       string
		P        map[string]float64
		Outcomes map[string]struct{ Y float64 }
	}
	Judged []struct {
		ID   string
		P, Y float64
	}
	Evaluations []json.RawMessage
	Problems    []string
}

func dashboardOf(t *testing.T, l *run.Loop) (s shown) {
	t.Helper()
	_, _, text := call(t, http.DefaultClient, http.MethodGet, "http://"+l.Admin+"/v1/dashboard")
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return s
}

// lastOf reads all records of a topic, and returns the values of the newest n, the newest first.
func lastOf(t *testing.T, l *run.Loop, topic string, n int) (values [][]byte, count int64) {
	t.Helper()
	ranges, err := l.Client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	type record struct {
		at    time.Time
		value []byte
	}
	var all []record
	for p, rg := range ranges {
		count += rg.End
		err := l.Client.ReadRange(t.Context(), topic, p, rg.First, rg.End, func(r *stream.Record) error {
			all = append(all, record{r.Time, bytes.Clone(r.Value)})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortStableFunc(all, func(a, b record) int { return b.at.Compare(a.at) })
	for _, r := range all[:min(n, len(all))] {
		values = append(values, r.value)
	}
	return values, count
}

// After a replay in lockstep the page's figures are those that an independent reading of the topics
// finds.
func TestTheDashboardShowsWhatTheTopicsHold(t *testing.T) {
	rec := open(t, bank)
	l := start(t, recorded(rec))
	const rows = 3000
	sum, err := l.Play(t.Context(), run.PlayOptions{Recording: rec, Lockstep: true, Limit: rows})
	if err != nil {
		t.Fatal(err)
	}
	objective := rec.Objective().Name
	awaitIdle(t, l)
	s := dashboardOf(t, l)
	for _, topic := range s.Topics {
		if _, count := lastOf(t, l, topic.Topic, 0); topic.Records != count && topic.Topic != event.TopicEvents { // heartbeats go on
			t.Errorf("%s has %d records, and the dashboard says %d", topic.Topic, count, topic.Records)
		}
	}
	if len(s.Topics) != 6 || len(s.Problems) != 0 || s.DeadLetters.Total != sum.DeadLetters {
		t.Errorf("%d topics, problems %q, %d dead letters", len(s.Topics), s.Problems, s.DeadLetters.Total)
	}
	for _, c := range s.Consumers {
		if c.Behind == nil || *c.Behind != 0 && !strings.HasPrefix(c.Group, "profiles") && !strings.HasPrefix(c.Group, "outcomes") {
			t.Errorf("%s is behind although all is judged and learned: %+v", c.Group, c.Behind)
		}
	}
	if s.Models[0].Version != sum.Model {
		t.Errorf("the model is %s, want %s", s.Models[0].Version, sum.Model)
	}
	checkShownPredictions(t, l, s, objective)
	checkEvaluations(t, l, s)
}

// awaitIdle waits until the groups have committed what they have read.
func awaitIdle(t *testing.T, l *run.Loop) {
	t.Helper()
	for {
		idle := true
		for _, c := range dashboardOf(t, l).Consumers {
			idle = idle && c.Behind != nil && (*c.Behind == 0 || c.Group == "profiles" || c.Group == "outcomes")
		}
		if idle {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal("groups stay behind")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func checkShownPredictions(t *testing.T, l *run.Loop, s shown, objective string) {
	t.Helper()
	byID := map[string]event.Prediction{}
	values, _ := lastOf(t, l, event.TopicPredictions, 200) // a batch of one millisecond has no order
	for _, v := range values {
		p, err := event.ParsePrediction(v)
		if err != nil {
			t.Fatal(err)
		}
		byID[p.ID] = p
	}
	labels := map[string]event.Example{}
	values, _ = lastOf(t, l, event.TopicExamples(objective), 200)
	for _, v := range values {
		x, err := event.ParseExample(v)
		if err != nil {
			t.Fatal(err)
		}
		labels[x.Prediction] = x
	}
	if len(s.Predictions) != 50 || len(s.Judged) != 20 {
		t.Errorf("%d predictions and %d judged are shown", len(s.Predictions), len(s.Judged))
	}
	for _, p := range s.Predictions {
		if have := byID[p.ID]; have.ID == "" || p.P[objective] != have.P[0].P {
			t.Errorf("prediction %s is %v, on the topic %v", p.ID, p.P, have.P)
		}
		if y, ok := p.Outcomes[objective]; !ok || y.Y != labels[p.ID].Y {
			t.Errorf("the outcome of %s is %v %v, on the topic %v", p.ID, y, ok, labels[p.ID].Y)
		}
	}
	for _, j := range s.Judged {
		if x := labels[j.ID]; x.Prediction == "" || x.Y != j.Y || x.P != j.P {
			t.Errorf("judged %+v, on the topic %+v", j, x)
		}
	}
}

func checkEvaluations(t *testing.T, l *run.Loop, s shown) {
	t.Helper()
	newest := map[string]string{}
	values, _ := lastOf(t, l, event.TopicEvaluations, 1<<20)
	for _, v := range slices.Backward(values) { // the newest last
		e, err := event.ParseEvaluation(v)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Segment) == 0 {
			newest[e.Window] = string(v)
		}
	}
	for _, window := range []string{"all", "1m"} {
		if !slices.ContainsFunc(s.Evaluations, func(e json.RawMessage) bool { return string(e) == newest[window] }) {
			t.Errorf("the newest evaluation of %s is not shown: %s", window, newest[window])
		}
	}
}

// Whoever watches does not hold up the end of a process.
func TestOpenStreamsDoNotHoldUpTheEnd(t *testing.T) {
	l := start(t, nil)
	var watching sync.WaitGroup
	var first sync.WaitGroup
	for i := range 6 {
		first.Add(1)
		watching.Go(func() {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(i%2 == 0)
			protocols.SetUnencryptedHTTP2(i%2 == 1)
			client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
			defer client.CloseIdleConnections()
			resp, err := client.Get("http://" + l.Admin + "/v1/dashboard/stream")
			if err != nil {
				first.Done()
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			lines.Buffer(nil, 4<<20)
			once := sync.OnceFunc(first.Done)
			defer once()
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "data: ") {
					once()
				}
			}
			if err := lines.Err(); err != nil {
				t.Errorf("the stream over %s ends in %v", resp.Proto, err)
			}
		})
	}
	first.Wait()
	began := time.Now()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	watching.Wait()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the process took %v to end", took)
	}
}
