package scorer

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
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
	lines  *bytes.Buffer // the batcher's goroutine alone writes to it
	reg    *prometheus.Registry
	stop   func()
}

func publishing(t *testing.T, change func(*Config)) *published {
	t.Helper()
	p := &published{broker: backend.NewRefusing(t), lines: &bytes.Buffer{}, reg: prometheus.NewRegistry()}
	p.Scorer = newScorer(t, func(u *setup) {
		u.brokers, u.prefix = []string{p.broker.Kafka}, backend.Prefix(t)
		u.logger, u.registry = slog.New(slog.NewTextHandler(p.lines, nil)), p.reg
		change(&u.config)
	})
	topicsOf(t, p.client)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.log.batcher.Run(ctx) // ends with ctx's error
	}()
	p.stop = func() { cancel(); <-done }
	t.Cleanup(p.stop)
	return p
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

// Predictions that were answered "published":false are written when the process is stopped, as soon
// as Kafka takes them.
func TestPredictionsOfUnpublishedAnswersAreWrittenBeforeTheEnd(t *testing.T) {
	p := publishing(t, func(c *Config) { c.PublishWait, c.Drain = time.Millisecond, time.Minute })
	topic := p.client.Prefix() + event.TopicPredictions
	p.broker.Refuse(topic, true)
	for n := range 20 {
		if a := parseAnswer(t, post(p.Scorer, askedPlain(n, ""), "").Body.Bytes()); a.Published == nil || *a.Published {
			t.Fatalf("request %d is answered as published: %+v", n, a)
		}
	}
	stopped := make(chan struct{})
	go func() { p.stop(); close(stopped) }()
	for at := p.broker.Refused(topic); p.broker.Refused(topic) < at+2; {
		time.Sleep(time.Millisecond)
	}
	p.broker.Refuse(topic, false)
	<-stopped
	if n := len(readAll(t, p.client, event.TopicPredictions)); n != 20 || p.count(t, "lost") != 0 || p.count(t, "late") != 20 {
		t.Errorf("%d predictions are in the topic, %v lost, %v late; want 20, 0, 20\n%s", n, p.count(t, "lost"), p.count(t, "late"), p.lines)
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
	if a := parseAnswer(t, post(p.Scorer, askedPlain(31, ""), "").Body.Bytes()); a.Published == nil || *a.Published || p.count(t, "lost") != 31 {
		t.Errorf("behind the end: %+v, %v lost", a, p.count(t, "lost"))
	}
}

func TestPredictionsThatFindNoRoomAreNotPublished(t *testing.T) {
	p := publishing(t, func(c *Config) { c.PublishWait, c.Drain, c.MaxWaiting = time.Millisecond, 0, 1<<20 })
	p.broker.Refuse(p.client.Prefix()+event.TopicPredictions, true)
	big := `"x":"` + strings.Repeat("y", 15_000) + `"`
	for n := range 100 {
		if a := parseAnswer(t, post(p.Scorer, askedPlain(n, big), "").Body.Bytes()); a.Published == nil || *a.Published {
			t.Fatalf("request %d is answered as published: %+v", n, a)
		}
	}
	if lost := p.count(t, "lost"); lost < 20 || lost > 40 || lost+p.count(t, "late") != 100 {
		t.Errorf("%v lost, %v late of 100 that need 1.5 MB where 1 MB may wait", lost, p.count(t, "late"))
	}
}

// A prediction that the topic does not take is refused by name; those that share its call or its
// batch are not.
func TestAPredictionThatTheTopicDoesNotTakeIsRefusedAlone(t *testing.T) {
	p := publishing(t, func(c *Config) { c.PublishWait = 30 * time.Second })
	backend.AlterTopic(t, p.broker.Kafka, p.client.Prefix()+event.TopicPredictions, "max.message.bytes", "4000")
	big := `"x":"` + strings.Repeat("y", 5000) + `"`
	w := post(p.Scorer, askedPlain(1, big), "")
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
		if refused := a.Error.Code == "too_large"; refused != (i == 1) || a.Published != nil {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if n := len(readAll(t, p.client, event.TopicPredictions)); n != 2 || p.count(t, "refused") != 2 || p.count(t, "acknowledged") != 2 {
		t.Errorf("%d predictions are in the topic, %v refused, %v acknowledged; want 2, 2, 2", n, p.count(t, "refused"), p.count(t, "acknowledged"))
	}
}
