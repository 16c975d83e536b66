package feedback

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/repeats"
)

// world is partitions of predictions, some of them written twice, read in random portions.
type world struct {
	logs   [][]event.Prediction
	queues []*queue
	read   []int
}

func newWorld(rng *rand.Rand, partitions, rows int) *world {
	w := &world{logs: make([][]event.Prediction, partitions), read: make([]int, partitions)}
	for p := range partitions {
		w.queues = append(w.queues, &queue{partition: p})
	}
	for row := range rows {
		p := rng.IntN(partitions)
		x := event.Prediction{ID: fmt.Sprint("p", row), Row: int64(row + 1), Time: event.Time(1000 + row/3)}
		w.logs[p] = append(w.logs[p], x)
		for rng.IntN(10) == 0 { // a producer's retry, or a replay's
			w.logs[p] = append(w.logs[p], w.logs[p][rng.IntN(len(w.logs[p]))])
		}
	}
	return w
}

// fetch reads up to n records of partition p.
func (w *world) fetch(p, n int) {
	for ; n > 0 && w.read[p] < len(w.logs[p]); n-- {
		w.queues[p].add(pending{offset: int64(w.read[p]), prediction: w.logs[p][w.read[p]]})
		w.read[p]++
	}
}

// However records arrive and whenever the watermark moves, due predictions come out once each, in
// the order of (time, row), and none before its time.
func TestMergeGivesEveryPredictionOnceInOrderOfTimeAndRow(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		const rows = 300
		w := newWorld(rng, 1+rng.IntN(5), rows)
		var got []pending
		for mark := event.Time(1000); mark <= 1000+rows; mark += event.Time(rng.IntN(40)) {
			due := func(at event.Time) bool { return at <= mark }
			atEnd := func(q *queue) bool { return q.next >= int64(len(w.logs[q.partition])) }
			for {
				out, empty := merge(nil, w.queues, due, atEnd, 1+rng.IntN(20))
				for i := range out {
					if !due(out[i].prediction.Time) {
						t.Fatalf("seed %d: a prediction of %d came out at %d", seed, out[i].prediction.Time, mark)
					}
				}
				got = append(got, out...)
				if empty != nil {
					w.fetch(empty.partition, 1+rng.IntN(30))
				} else if len(out) == 0 {
					break
				}
			}
		}
		if len(got) != rows {
			t.Fatalf("seed %d: %d of %d came out", seed, len(got), rows)
		}
		last := map[int]int64{}
		for i := range got {
			if got[i].prediction.Row != int64(i+1) {
				t.Fatalf("seed %d: row %d came as number %d", seed, got[i].prediction.Row, i+1)
			}
			if before, ok := last[got[i].partition]; ok && got[i].offset <= before {
				t.Fatalf("seed %d: partition %d gave offset %d after %d", seed, got[i].partition, got[i].offset, before)
			}
			last[got[i].partition] = got[i].offset
		}
		for _, q := range w.queues {
			if q.done != int64(len(w.logs[q.partition])) && w.read[q.partition] == len(w.logs[q.partition]) {
				t.Fatalf("seed %d: partition %d is done to %d of %d", seed, q.partition, q.done, len(w.logs[q.partition]))
			}
		}
	}
}

// An offset that is committed is one below which nothing is left to do: read again from there,
// everything that was not labelled comes.
func TestDoneNeverPassesAPredictionThatWaits(t *testing.T) {
	var q queue
	f := func(want int64) {
		t.Helper()
		if q.done != want {
			t.Errorf("done is %d, want %d", q.done, want)
		}
	}
	q.reach(1)
	f(1)
	add := func(offset int64, id string, want bool) {
		t.Helper()
		if got := q.add(pending{offset: offset, bytes: 10, prediction: event.Prediction{ID: id}}) == repeats.Fresh; got != want {
			t.Errorf("%s at %d is fresh: %v, want %v", id, offset, got, want)
		}
	}
	add(1, "a", true)
	add(2, "b", true)
	add(3, "a", false)
	if q.bytes != 20 {
		t.Errorf("%d bytes wait, want 20", q.bytes)
	}
	f(1)
	q.pop()
	f(2)
	q.pop()
	f(4)
	add(4, "b", false)
	f(5)
	if q.bytes != 0 {
		t.Errorf("%d bytes wait, want none", q.bytes)
	}
}

func TestOutcomesAreTheSameInAnyOrderAndHoweverOften(t *testing.T) {
	f := func(e event.Event, want event.OutcomeEvent) {
		t.Helper()
		e.Type, e.Prediction = event.TypeClick, "p"
		store := features.NewMemory()
		for offset := range int64(3) { // sent again, later and before
			e := e
			e.Received += event.Time([]int64{5, 0, 9}[offset])
			u := OutcomeUpdate(nil, &e, offset, TypesOf(nil), nil)
			if len(u) != 1 || u[0].Key != "p" || u[0].Ops[0].Field != event.TypeClick {
				t.Fatalf("the update is %+v", u)
			}
			if err := store.Apply(t.Context(), offset, features.Position{Next: offset + 1}, u); err != nil {
				t.Fatal(err)
			}
		}
		found, err := store.Read(t.Context(), []string{"p"})
		if got := OutcomeOf(found["p"])[event.TypeClick]; err != nil || got != want {
			t.Errorf("%+v is kept as %+v, %v; want %+v", e, got, err, want)
		}
	}
	f(event.Event{Time: 7, Received: 7, Value: 1.5}, event.OutcomeEvent{Received: 7, Time: 7, Value: 1.5})
	f(event.Event{Time: 3, Received: 7, Value: 1.5}, event.OutcomeEvent{Received: 7, Time: 3, Value: 1.5})
	f(event.Event{Time: 3, Received: 7}, event.OutcomeEvent{Received: 7, Time: 3})
	f(event.Event{Time: -3, Received: 7, Value: -1e-9}, event.OutcomeEvent{Received: 7, Time: -3, Value: -1e-9})
	f(event.Event{Time: 7, Received: 7}, event.OutcomeEvent{Received: 7, Time: 7})
	for _, e := range []event.Event{{Type: event.TypeClick, Time: 7}, {Type: event.TypeHeartbeat, Prediction: "p"}} {
		if u := OutcomeUpdate(nil, &e, 3, TypesOf(nil), nil); len(u) != 0 {
			t.Errorf("%+v makes %+v", e, u)
		}
	}
}

// An objective may name what an SDK calls its events; the type counts beside the name.
func TestOutcomesAreKeptByTypeAndByName(t *testing.T) {
	types := TypesOf([]event.Objective{{Trigger: event.TriggerPrediction, Positive: "Signed Up"}, {Trigger: "Home", Positive: event.TypeTrack}})
	f := func(kind, property, name string, want ...string) {
		t.Helper()
		e := event.Event{Type: kind, Prediction: "p", Time: 7, Received: 7}
		e.Properties = event.Fields{{Name: property, Value: event.Value{Kind: event.String, Str: name}}}
		var got []string
		for _, u := range OutcomeUpdate(nil, &e, 3, types, nil) {
			for _, op := range u.Ops {
				got = append(got, op.Field)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %q is kept as %q, want %q", kind, name, got, want)
		}
	}
	f(event.TypeTrack, "event", "Signed Up", event.TypeTrack, "Signed Up")
	f(event.TypeTrack, "event", "Signed Out", event.TypeTrack)
	f(event.TypeTrack, "name", "Signed Up", event.TypeTrack)
	f(event.TypeClick, "event", "Signed Up", event.TypeClick, "Signed Up")
	f(event.TypePage, "name", "Home", "Home")
	f(event.TypePage, "name", "Signed Out")
	f(event.TypePage, "name", event.TypeClick) // a page that is called click is no click
	f("win", "event", "Signed Up")
}
