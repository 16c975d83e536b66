package scorer

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/prometheus/client_golang/prometheus"
)

// published is a Scorer over a broker of the test's own, its log and its metrics.
type published struct {
	*Scorer
	broker *backend.Refusing
	lines  *safeBuffer
	reg    *prometheus.Registry
	stop   func()
}

func publishing(t *testing.T, change func(*Config)) *published {
	t.Helper()
	return publishingAt(t, backend.NewRefusing(t), backend.Prefix(t), change)
}

// publishingAt is publishing over a broker that there is.
func publishingAt(t *testing.T, broker *backend.Refusing, prefix string, change func(*Config)) *published {
	t.Helper()
	p := &published{broker: broker, lines: &safeBuffer{}, reg: prometheus.NewRegistry()}
	p.Scorer = newScorer(t, func(u *setup) {
		u.brokers, u.prefix = []string{p.broker.Kafka}, prefix
		u.logger, u.registry = slog.New(slog.NewTextHandler(p.lines, nil)), p.reg
		change(&u.config)
	})
	topicsOf(t, p.client)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.log.run(ctx) // ends with ctx's error
	}()
	p.stop = func() { cancel(); <-done }
	t.Cleanup(p.stop)
	return p
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (p *published) count(t *testing.T, result string) float64 {
	t.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "clickloop_scorer_predictions_total" && m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func askedPlain(n int, context string) string {
	return fmt.Sprintf(`{"request":"r%d","context":{%s},"candidates":[{"ad":"a"}]}`, n, context)
}

// Predictions that wait for Kafka are written when the process is stopped, as soon as Kafka takes
// them.
func TestWhatWaitsIsWrittenBeforeTheEnd(t *testing.T) {
	p := publishing(t, func(c *Config) { c.PublishWait, c.Drain = time.Millisecond, time.Minute })
	topic := p.client.Prefix() + event.TopicPredictions
	p.broker.Refuse(topic, true)
	for n := range 20 {
		if a := parseAnswer(t, post(p.Scorer, askedPlain(n, ""), "").Body.Bytes()); !is(a.Logged, true) {
			t.Fatalf("request %d is not logged: %+v", n, a)
		}
	}
	stopped := make(chan struct{})
	go func() { p.stop(); close(stopped) }()
	for at := p.broker.Refused(topic); p.broker.Refused(topic) < at+2; {
		time.Sleep(time.Millisecond)
	}
	p.broker.Refuse(topic, false)
	<-stopped
	p.stop()
	if n := len(readAll(t, p.client, event.TopicPredictions)); n != 20 || p.count(t, "lost") != 0 || p.count(t, "acknowledged") != 20 {
		t.Errorf("%d predictions are in the topic, %v lost, %v acknowledged; want 20, 0, 20\n%s", n, p.count(t, "lost"), p.count(t, "acknowledged"), p.lines)
	}
}

func TestPredictionsThatCannotBeWrittenBeforeTheEndAreCountedAndLogged(t *testing.T) {
	p := publishing(t, func(c *Config) { c.PublishWait, c.Drain = time.Millisecond, 50*time.Millisecond })
	p.broker.Refuse(p.client.Prefix()+event.TopicPredictions, true)
	for n := range 30 {
		post(p.Scorer, askedPlain(n, ""), "")
	}
	p.stop()
	if p.count(t, "lost") != 30 {
		t.Errorf("%v are counted as lost, want 30", p.count(t, "lost"))
	}
	total := 0
	// those in flight, and those that waited behind them
	for line := range strings.Lines(p.lines.String()) {
		var n int
		if i := strings.Index(line, "count="); i >= 0 && strings.Contains(line, "predictions were not written") {
			if _, err := fmt.Sscanf(line[i:], "count=%d", &n); err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	if total != 30 {
		t.Errorf("the log has %d, want 30:\n%s", total, p.lines)
	}
	if w := post(p.Scorer, askedPlain(31, ""), ""); w.Code != 503 || !strings.Contains(w.Body.String(), "stopping") || p.count(t, "lost") != 30 {
		t.Errorf("behind the end: %d %s, %v lost", w.Code, w.Body, p.count(t, "lost"))
	}
}

// Every answer says whether its predictions will be on the topic, and it is true of each.
func TestEveryLoggedAnswerIsOnTheTopicAfterTheQueueWasFull(t *testing.T) {
	p := publishing(t, func(c *Config) { c.MaxWaiting = 1 << 20 })
	topic := p.client.Prefix() + event.TopicPredictions
	p.broker.Refuse(topic, true)
	big := `"x":"` + strings.Repeat("y", 15_000) + `"`
	logged, refused, unlogged := map[string]bool{}, 0, 0
	for n := range 150 {
		body := askedPlain(n, big)
		if n%3 == 0 {
			body = strings.Replace(body, "{", `{"log":"best_effort",`, 1)
		}
		w := post(p.Scorer, body, "")
		switch a := parseAnswer(t, w.Body.Bytes()); {
		case w.Code == 503 && a.Error.Code == "queue_full" && n%3 != 0:
			refused++
		case w.Code == 200 && is(a.Logged, true):
			logged[a.Predictions[0].Prediction] = true
		case w.Code == 200 && is(a.Logged, false) && n%3 == 0:
			unlogged++
		default:
			t.Fatalf("request %d: %d %s", n, w.Code, w.Body)
		}
	}
	if len(logged) < 60 || len(logged) > 70 || refused == 0 || unlogged == 0 {
		t.Errorf("%d logged, %d refused, %d not logged of 150 that need 2.3 MB where 1 MB may wait", len(logged), refused, unlogged)
	}
	p.broker.Refuse(topic, false)
	p.stop()
	for _, r := range readAll(t, p.client, event.TopicPredictions) {
		if !logged[string(r.Key)] {
			t.Errorf("%s is on the topic and was not logged, or is there twice", r.Key)
		}
		delete(logged, string(r.Key))
	}
	if len(logged) > 0 {
		t.Errorf("%d answers said they were logged and are not on the topic", len(logged))
	}
}

// A prediction that the topic does not take is refused by name, once the limit is known before it
// is promised; those that share its call or its batch are not.
func TestAPredictionThatTheTopicDoesNotTakeIsRefusedAlone(t *testing.T) {
	p := publishing(t, func(c *Config) { c.PublishWait = 30 * time.Second })
	backend.AlterTopic(t, p.broker.Kafka, p.client.Prefix()+event.TopicPredictions, "max.message.bytes", "4000")
	big := `"x":"` + strings.Repeat("y", 5000) + `"`
	w := post(p.Scorer, strings.Replace(askedPlain(1, big), "{", `{"log":"acknowledged",`, 1), "")
	if a := parseAnswer(t, w.Body.Bytes()); w.Code != 413 || a.Error.Code != "too_large" || !strings.Contains(a.Error.Message, "max.message.bytes is 4000") {
		t.Errorf("alone: %d %s", w.Code, w.Body)
	}
	w = post(p.Scorer, askedPlain(2, "")+"\n"+askedPlain(3, big)+"\n"+askedPlain(4, "")+"\n", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if w.Code != 200 || len(lines) != 3 {
		t.Fatalf("lines: %d %s", w.Code, w.Body)
	}
	for i, line := range lines {
		a := parseAnswer(t, []byte(line))
		if refused := a.Error.Code == "too_large"; refused != (i == 1) || is(a.Logged, true) == refused {
			t.Errorf("line %d: %s", i, line)
		}
	}
	p.stop()
	if n := len(readAll(t, p.client, event.TopicPredictions)); n != 2 || p.count(t, "refused") != 2 || p.count(t, "acknowledged") != 2 {
		t.Errorf("%d predictions are in the topic, %v refused, %v acknowledged; want 2, 2, 2", n, p.count(t, "refused"), p.count(t, "acknowledged"))
	}
}
