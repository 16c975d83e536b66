//go:build long

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/stream"
)

// truth is what the log says, by rules that are written down here once more and in the plainest
// way.
type truth struct {
	events      []placedEvent // the first of each id, in the order of partitions and offsets
	predictions []event.Prediction
	// by prediction and type: when the first was received
	received map[string]map[string]event.Time
}

type placedEvent struct {
	event.Event
	partition int
	offset    int64
}

// readTruth reads events and predictions from their start to their end.
func readTruth(t *testing.T, client *stream.Client) truth {
	t.Helper()
	tr := truth{received: map[string]map[string]event.Time{}}
	for p, records := range readTopic(t, client, event.TopicEvents) {
		tr.partition(p, records)
	}
	choices := map[string]string{}
	seen := map[string]bool{}
	for _, records := range readTopic(t, client, event.TopicPredictions) {
		for i := range records {
			p, err := event.ParsePrediction(records[i].Value)
			if err != nil {
				t.Errorf("a prediction cannot be read: %v", err)
				continue
			}
			if _, ok := choices[p.Request]; !ok {
				choices[p.Request] = p.Choice
			}
			if choices[p.Request] == p.Choice && !seen[p.ID] {
				seen[p.ID] = true
				tr.predictions = append(tr.predictions, p)
			}
		}
	}
	return tr
}

// partition walks one partition of events: the watermark is the smallest last heartbeat of
// collectors that were not silent for longer than the lease, and what comes behind it counts as
// received then.
func (tr *truth) partition(p int, records []stream.Record) {
	beats := map[string]event.Time{}
	seen := map[string]bool{}
	var mark event.Time
	for i := range records {
		e, err := event.ParseEvent(records[i].Value)
		if err != nil {
			continue // the check of dead letters tells
		}
		if e.Type == event.TypeHeartbeat {
			mark = max(mark, beat(beats, &e, event.TimeOf(records[i].Time)))
			continue
		}
		received := min(e.Received, event.TimeOf(records[i].Time))
		if mark > 0 {
			received = max(received, mark+1)
		}
		e.Time, e.Received = received, received // no client of the load gives a time
		if e.Prediction != "" {
			byType := tr.received[e.Prediction]
			if byType == nil {
				byType = map[string]event.Time{}
				tr.received[e.Prediction] = byType
			}
			if first, ok := byType[e.Type]; !ok || received < first {
				byType[e.Type] = received
			}
		}
		if !seen[e.ID] {
			seen[e.ID] = true
			tr.events = append(tr.events, placedEvent{e, p, records[i].Offset})
		}
	}
}

// beat notes a heartbeat and returns the watermark that follows from it.
func beat(beats map[string]event.Time, e *event.Event, written event.Time) event.Time {
	newest := event.Time(0)
	for _, t := range beats {
		newest = max(newest, t)
	}
	if e.Received <= written.Add(chaosAhead) && e.Received >= newest.Add(-chaosLease) {
		beats[e.Collector] = max(beats[e.Collector], e.Received)
		newest = max(newest, e.Received)
	}
	maps.DeleteFunc(beats, func(_ string, t event.Time) bool { return t < newest.Add(-chaosLease) })
	mark := event.Time(0)
	for _, t := range beats {
		if mark == 0 || t < mark {
			mark = t
		}
	}
	if e.Leaving {
		delete(beats, e.Collector)
	}
	return mark
}

// label is what an example of a prediction must say; revised, what a revision must correct it to.
type label struct{ exists, positive, revised bool }

func (tr *truth) label(o event.Objective, p *event.Prediction) label {
	due := p.Time.Add(o.Window)
	byType := tr.received[p.ID]
	by := func(kind string, limit event.Time) bool { at, ok := byType[kind]; return ok && at <= limit }
	l := label{exists: o.Trigger == event.TriggerPrediction || by(o.Trigger, due), positive: by(o.Positive, due)}
	if !l.exists {
		return label{}
	}
	l.revised = !l.positive && by(o.Positive, due.Add(chaosWithin))
	return l
}

// checkChaos compares what the stages made of the log with the truth.
func checkChaos(t *testing.T, c *chaos, l *load, client *stream.Client) {
	t.Helper()
	if l.gaveUp > 0 || len(l.conflicts) > 0 {
		t.Errorf("%d calls were given up after two minutes, %d requests were told of a conflict: %.300v", l.gaveUp, len(l.conflicts), l.conflicts)
	}
	cfg, err := config.Load(c.processes[0].args[1])
	if err != nil {
		t.Fatal(err)
	}
	tr := readTruth(t, client)
	checkAcknowledged(t, l, &tr, client)
	for _, o := range cfg.Objectives {
		checkExamples(t, c, client, &tr, o)
	}
	checkProfiles(t, c, &tr, &cfg)
	for _, records := range readTopic(t, client, event.TopicDeadLetter) {
		for i := range records {
			t.Errorf("dead letter: %.500s", records[i].Value)
		}
	}
	for _, o := range cfg.Objectives {
		checkWeights(t, c, o.Name)
	}
}

func checkAcknowledged(t *testing.T, l *load, tr *truth, client *stream.Client) {
	t.Helper()
	held := map[string]bool{}
	for i := range tr.events {
		held[tr.events[i].ID] = true
	}
	missing := 0
	for id := range l.events {
		if !held[id] {
			missing++
		}
	}
	predicted := map[string]bool{}
	for _, records := range readTopic(t, client, event.TopicPredictions) {
		for i := range records {
			if p, err := event.ParsePrediction(records[i].Value); err == nil {
				predicted[p.ID] = true
			}
		}
	}
	unpublished := 0
	for id := range l.published {
		if !predicted[id] {
			unpublished++
		}
	}
	if missing > 0 || unpublished > 0 {
		t.Errorf("of %d acknowledged events %d are missing, of %d published predictions %d", len(l.events), missing, len(l.published), unpublished)
	}
	t.Logf("%d events, %d predictions on the topics", len(tr.events), len(tr.predictions))
}

// checkExamples waits until every prediction that must have an example has one, and every revision
// is written, and compares each.
func checkExamples(t *testing.T, c *chaos, client *stream.Client, tr *truth, o event.Objective) {
	t.Helper()
	want := map[string]label{}
	examples, revisions := 0, 0
	for i := range tr.predictions {
		if l := tr.label(o, &tr.predictions[i]); l.exists {
			want[tr.predictions[i].ID] = l
			examples++
			if l.revised {
				revisions++
			}
		}
	}
	var got map[string][]event.Example
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(2 * time.Second) {
		var n, revised int
		got, n, revised = readExamples(t, client, o.Name)
		if n >= examples && revised >= revisions || time.Now().After(deadline) {
			break
		}
	}
	wrong := []string{}
	for id, l := range want {
		var is label
		first := 0
		for _, x := range got[id] {
			if x.Revision {
				is.revised = true
			} else {
				first++
				is.exists, is.positive = true, x.Y > 0
			}
		}
		if is != l || first != 1 || len(got[id]) > 2 {
			wrong = append(wrong, fmt.Sprintf("%s: %+v in %d examples, want %+v", id, is, len(got[id]), l))
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			wrong = append(wrong, id+": an example that should not be")
		}
	}
	slices.Sort(wrong)
	if len(wrong) > 0 {
		t.Errorf("%s: %d of %d examples are wrong:\n%s", o.Name, len(wrong), examples, strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	}
	c.note("%s: %d examples, %d revisions", o.Name, examples, revisions)
}

// readExamples reads what a learner takes: repeats are dropped by their source.
func readExamples(t *testing.T, client *stream.Client, objective string) (by map[string][]event.Example, n, revised int) {
	t.Helper()
	by = map[string][]event.Example{}
	var water event.HighWater
	for _, records := range readTopic(t, client, event.TopicExamples(objective)) {
		for i := range records {
			x, err := event.ParseExample(records[i].Value)
			if err != nil {
				t.Fatal(err)
			}
			if !water.Fresh(x.Source, x.Revision) {
				continue
			}
			by[x.Prediction] = append(by[x.Prediction], x)
			if x.Revision {
				revised++
			} else {
				n++
			}
		}
	}
	return by, n, revised
}

// checkProfiles compares Redis with counts made here, and with a fold into memory, field by field.
func checkProfiles(t *testing.T, c *chaos, tr *truth, cfg *config.Config) {
	t.Helper()
	set, err := features.Compile(cfg.Features)
	if err != nil {
		t.Fatal(err)
	}
	memory := features.NewMemory()
	clicks, next := map[string]int{}, map[int]int64{}
	keys := map[string]bool{}
	for i := range tr.events {
		e := &tr.events[i]
		if e.Type == event.TypeClick {
			clicks["user:"+e.User]++
		}
		updates := set.Updates(nil, &e.Event, e.offset)
		for _, u := range updates {
			keys[u.Key] = true
		}
		to := features.Position{TopicID: "truth", Partition: e.partition, Next: e.offset + 1}
		if err := memory.Apply(t.Context(), next[e.partition], to, updates); err != nil {
			t.Fatal(err)
		}
		next[e.partition] = to.Next
	}
	client, err := features.DialRedis(features.RedisConfig{Address: c.redis}, features.Writing)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store := features.NewRedis(client, c.prefix, "profiles", time.Hour)
	all := slices.Sorted(maps.Keys(keys))
	want, err := memory.Read(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		got, err := store.Read(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		wrong = 0
		for _, key := range all {
			if !maps.Equal(got[key].Fields, want[key].Fields) || clicks[key] > 0 && got[key].Fields["click"] != fmt.Sprint(clicks[key]) {
				if wrong++; time.Now().After(deadline) && wrong < 10 {
					t.Errorf("profile %s: %v, want %v and %d clicks", key, got[key].Fields, want[key].Fields, clicks[key])
				}
			}
		}
		if wrong == 0 || time.Now().After(deadline) {
			break
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d profiles are wrong", wrong, len(all))
	}
	c.note("%d profiles", len(all))
}

// checkWeights lets `model verify` learn the examples again.
func checkWeights(t *testing.T, c *chaos, objective string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	checkpoint := c.learners + "/checkpoints/" + objective + ".checkpoint"
	for _, model := range []string{checkpoint, objective} {
		out, err := program(ctx, "model", "verify", model, "--kafka", c.kafka, "--prefix", c.prefix).CombinedOutput()
		if err != nil {
			t.Errorf("model verify %s: %v\n%s", model, err, out)
		}
	}
}

func readTopic(t *testing.T, client *stream.Client, topic string) map[int][]stream.Record {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	all := map[int][]stream.Record{}
	for p, r := range ranges {
		err := client.ReadRange(t.Context(), topic, p, r.First, r.End, func(r *stream.Record) error {
			all[p] = append(all[p], *r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
