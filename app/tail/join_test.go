package tail

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// joined is a source with predictions in two partitions and examples of both objectives. All are
// written at times of their own, so a join reads them in turns.
func joined(t *testing.T, predictions int) *source {
	t.Helper()
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	year := 100 * 365 * 24 * time.Hour
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicPredictions, Partitions: 2, Retention: year},
		stream.Topic{Name: event.TopicExamples("click"), Partitions: 1, Retention: year}, stream.Topic{Name: event.TopicExamples("conversion"), Partitions: 1, Retention: year}); err != nil {
		t.Fatal(err)
	}
	s := &source{client, brokers, prefix, event.TopicPredictions}
	var recs []stream.Record
	for i := range predictions {
		recs = append(recs, stream.Record{Partition: i % 2, Time: at(i), Key: fmt.Appendf(nil, "r%07d.0", i), Value: prediction(i)})
	}
	s.produce(t, event.TopicPredictions, recs...)
	return s
}

func (s *source) produce(t *testing.T, topic string, recs ...stream.Record) {
	t.Helper()
	if err := s.Produce(t.Context(), topic, recs); err != nil {
		t.Fatal(err)
	}
}

// label writes the example of prediction n, ten seconds after it.
func (s *source) label(t *testing.T, objective string, n int, y float64, revision bool) {
	t.Helper()
	x := event.Example{Objective: objective, Prediction: fmt.Sprintf("r%07d.0", n), Time: 1, Y: y, W: 1, Revision: revision, Source: event.Source{Topic: "aaaaaaaa", Partition: int32(n % 2), Offset: int64(n / 2)}}
	s.produce(t, event.TopicExamples(objective), stream.Record{Partition: 0, Time: at(n + 10), Key: []byte(x.Prediction), Value: x.AppendJSON(nil)})
}

// outcomes are the lines of a join by their ids.
func outcomes(t *testing.T, out string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(out) {
		var m struct {
			ID       string
			Outcomes map[string]*struct {
				Y       float64
				Time    string
				Revised bool
			}
			Open []string
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		text := ""
		for _, o := range []string{"click", "conversion"} {
			switch label, ok := m.Outcomes[o]; {
			case slices.Contains(m.Open, o):
				text += " open"
			case !ok:
				text += " missing"
			case label == nil:
				text += " none"
			default:
				text += fmt.Sprintf(" %v", label.Y)
				if label.Revised {
					text += "r"
				}
			}
		}
		all[strings.TrimLeft(strings.TrimSuffix(m.ID, ".0"), "r0")] = strings.TrimSpace(text)
	}
	return all
}

func TestAJoinShowsPredictionsWithTheirLabels(t *testing.T) {
	s := joined(t, 9)
	for _, n := range []int{1, 2, 5, 6} { // partition 1 has 1, 3, 5, 7; partition 0 has 0, 2, 4, 6, 8
		s.label(t, "conversion", n, float64(n%2), false)
	}
	s.label(t, "click", 1, 0, false)
	s.label(t, "click", 2, 1, false)
	s.label(t, "click", 1, 1, true)
	s.label(t, "click", 7, 0, false)
	// 3 has no example, and one behind it has; of 4 conversion is decided by 6, click is not
	want := map[string]string{"": "none none", "1": "1r 1", "2": "1 0", "3": "none none", "4": "open none", "5": "none 1", "6": "open 0", "7": "0 open", "8": "open open"}
	out, errs := s.tail(t, "-e", "-o", "beginning", "--join")
	if got := outcomes(t, out); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, told := range []string{"4 predictions were printed before all their labels", "but it leaves out --join"} {
		if !strings.Contains(errs, told) {
			t.Errorf("%q is not told: %s", told, errs)
		}
	}
	f := func(want string, args ...string) {
		t.Helper()
		out, _ := s.tail(t, append([]string{"-e", "-o", "beginning", "--join"}, args...)...)
		if got := fmt.Sprint(outcomes(t, out)); got != want {
			t.Errorf("%v: %s, want %s", args, got, want)
		}
	}
	f("map[1:1r 1 5:none 1]", "outcomes.conversion.y == 1")
	f("map[1:1r 1 2:1 0]", "outcomes.click.y == 1 and outcomes.conversion != nil")
	f("map[7:0 open]", "record.offset == 3", "-p", "1")
	f("map[1:1r 1 5:none 1]", "-p", "1", "-c", "2")
	out, _ = s.tail(t, "-e", "-o", "-1", "-p", "0", "--join")
	if got := fmt.Sprint(outcomes(t, out)); got != "map[8:open open]" {
		t.Error(got)
	}
}

// A prediction waits for its labels, and a join without an end goes on.
func TestAJoinFollows(t *testing.T) {
	s := joined(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &waiting{lines: make(chan string, 100)}
	ended := make(chan error, 1)
	o := s.options(t, "-o", "beginning", "--join")
	go func() {
		defer close(out.lines)
		ended <- Run(ctx, s.Client, o, out, &bytes.Buffer{})
	}()
	s.label(t, "click", 0, 0, false)
	s.label(t, "click", 1, 1, false)
	s.label(t, "conversion", 1, 0, false)
	if got := fmt.Sprint(outcomes(t, <-out.lines)); got != "map[1:1 0]" {
		t.Error(got)
	}
	s.label(t, "conversion", 0, 1, false)
	if got := fmt.Sprint(outcomes(t, <-out.lines)); got != "map[:0 1]" {
		t.Error(got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type waiting struct{ lines chan string }

func (w *waiting) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		w.lines <- line
	}
	return len(b), nil
}

// What waits is bounded: the oldest makes room, with its labels open.
func TestAJoinIsBounded(t *testing.T) {
	var out, errs bytes.Buffer
	o := &Options{Topic: event.TopicPredictions, Objectives: objectives, Partition: -1}
	j := &joiner{tailer: &tailer{Options: o, out: newPrinter(&out, o, "t")}, waiting: make([][]*pending, 1), seen: make([]int64, 1), early: map[string][]label{}, marks: [][]mark{{{offset: -1}}, {{offset: -1}}}}
	for i := range maxPending + 5 {
		if err := j.prediction(&stream.Record{Offset: int64(i), Key: fmt.Appendf(nil, "p%d", i), Value: fmt.Appendf(nil, `{"id":"p%d"}`, i)}); err != nil {
			t.Fatal(err)
		}
	}
	j.tell(&errs)
	if err := j.out.flush(); err != nil || j.held != maxPending || len(j.waiting[0]) != maxPending || strings.Count(out.String(), "\n") != 5 {
		t.Errorf("%d wait: %s", j.held, out.String())
	}
	if !strings.HasPrefix(out.String(), `{"id":"p0","outcomes":{},"open":["click","conversion"]}`+"\n") || !strings.Contains(errs.String(), "5 of them made room, since at most 100000 predictions or 64 MiB wait") {
		t.Errorf("%s%s", out.String(), errs.String())
	}
	revision := event.Example{Objective: "click", Prediction: "p0", Time: 1, Revision: true, Source: event.Source{Topic: "aaaaaaaa"}}
	errs.Reset()
	if err := j.example(0, &stream.Record{Value: revision.AppendJSON(nil)}); err != nil {
		t.Fatal(err)
	}
	if j.tell(&errs); !strings.Contains(errs.String(), "1 revisions came for predictions that were printed already") {
		t.Error(errs.String())
	}
	for i := range maxEarly + 5 {
		j.keepEarly(fmt.Sprint(i), label{})
	}
	if len(j.early) != maxEarly || len(j.ids) != maxEarly {
		t.Errorf("%d labels are kept", len(j.early))
	}
}
