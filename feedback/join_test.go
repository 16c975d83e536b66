package feedback

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// positive says which rows are clicked within their window.
func positive(row int64) bool { return row%7 == 0 }

// rows are the records of predictions 1..n, some of them twice, and of their clicks.
func rows(rng *rand.Rand, n int64) (predictions, clicks []stream.Record) {
	for row := int64(1); row <= n; row++ {
		predictions = append(predictions, prediction(row))
		if rng.IntN(10) == 0 { // a producer's retry
			predictions = append(predictions, prediction(1+rng.Int64N(row)))
		}
		switch {
		case positive(row):
			clicks = append(clicks, click(row, time.Duration(rng.Int64N(int64(span)))))
		case row%5 == 0:
			// too late
			clicks = append(clicks, click(row, span+time.Duration(1+rng.Int64N(1e9))*time.Millisecond))
		}
	}
	rng.Shuffle(len(clicks), func(i, j int) { clicks[i], clicks[j] = clicks[j], clicks[i] })
	return predictions, clicks
}

// check holds examples to the truth: one for each of rows 1..n, with its label, and each place's in
// the order of offsets.
func check(t *testing.T, fresh []event.Example, n int64) {
	t.Helper()
	seen := map[int64]bool{}
	for _, x := range fresh {
		if seen[x.Row] {
			t.Errorf("row %d has two examples", x.Row)
		}
		seen[x.Row] = true
		if want := positive(x.Row); (x.Y == 1) != want || x.P != 0.25 || x.W != 1 || x.Prediction != fmt.Sprint("p", x.Row) {
			t.Errorf("row %d: %+v, want a positive: %v", x.Row, x, want)
		}
	}
	for row := int64(1); row <= n; row++ {
		if !seen[row] {
			t.Errorf("row %d has no example", row)
		}
	}
}

func TestLabelsComeInOrderAndNotBeforeTheirEvidence(t *testing.T) {
	r := newRig(t)
	const n = 300
	predictions, clicks := rows(rand.New(rand.NewPCG(1, 1)), n)
	r.produce(event.TopicPredictions, predictions...)
	r.start()
	due := t0.Add(span)
	r.beat(due) // no row is due before due + 1
	r.awaitMark(due)
	if fresh, _ := r.examples(); len(fresh) != 0 {
		t.Fatalf("%d examples before any window has passed", len(fresh))
	}
	r.produce(event.TopicEvents, clicks...)
	for _, upTo := range []int64{1, 100, 101, n} {
		r.beat(due + event.Time(upTo))
		fresh := r.awaitExamples(int(upTo))
		if last := fresh[len(fresh)-1]; last.Row != upTo {
			t.Fatalf("up to row %d: the last example is of row %d", upTo, last.Row)
		}
	}
	fresh, _ := r.examples()
	for i, x := range fresh {
		if x.Row != int64(i+1) {
			t.Fatalf("example %d is of row %d", i, x.Row)
		}
	}
	check(t, fresh, n)
}

// A partition that stalls stalls the labels, however far the others are, and whatever received
// times producers write.
func TestAStalledPartitionStallsLabels(t *testing.T) {
	r := newRig(t)
	r.start()
	r.produce(event.TopicPredictions, prediction(1))
	late := t0.Add(2 * span)
	beat := event.Event{Type: event.TypeHeartbeat, Time: late, Received: late}
	for p := range partitions - 1 {
		r.produce(event.TopicEvents, stream.Record{Partition: p, Value: beat.AppendJSON(nil)})
	}
	absurd := event.Event{ID: "x", Type: event.TypePage, User: "u", Time: late.Add(10000 * time.Hour), Received: late.Add(10000 * time.Hour)}
	r.produce(event.TopicEvents, stream.Record{Partition: partitions - 1, Value: absurd.AppendJSON(nil)}, stream.Record{Partition: partitions - 1, Value: []byte(`{"type":`)})
	r.await("the last partition's fold", func() bool {
		id, _ := r.client.TopicID(t.Context(), event.TopicEvents)
		at, _ := r.store.Position(t.Context(), r.positionsID(r.store, id), partitions-1)
		return at.Next == 2
	})
	c := click(1, time.Second)
	c.Partition = partitions - 1
	r.produce(event.TopicEvents, c)
	if fresh, _ := r.examples(); len(fresh) != 0 {
		t.Fatalf("%d examples while a partition stands still", len(fresh))
	}
	r.produce(event.TopicEvents, stream.Record{Partition: partitions - 1, Value: beat.AppendJSON(nil)})
	if fresh := r.awaitExamples(1); fresh[0].Y != 1 {
		t.Error("the label does not know the click that the stalled partition held")
	}
}

// Killed at random moments, with the store emptied and away at others, and with a second process
// coming and going, every prediction ends as one example with its true label.
func TestKillsFlushesAndRebalancesLoseNothingAndMakeNoLabelFalse(t *testing.T) {
	repeated := 0
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			r := newRig(t)
			r.cfg.Batch = 1 + rng.IntN(60)
			const n = 600
			predictions, clicks := rows(rng, n)
			r.produce(event.TopicPredictions, predictions...)
			r.produce(event.TopicEvents, clicks...)
			_, _, stop := r.start()
			begin := rng.Int64N(n / 2) // the second process runs from here for a while
			var other func()
			for upTo := int64(0); upTo < n; {
				upTo = min(n, upTo+1+rng.Int64N(40))
				r.beat(t0.Add(span) + event.Time(upTo))
				switch rng.IntN(5) {
				case 0, 1:
					stop()
					_, _, stop = r.start()
					// one that is stopped while it joins keeps its partitions for a session
					r.awaitExamples(int(upTo))
				case 2:
					r.store.Reset()
				case 3:
					r.store.set(true)
					// for as long as it is away
					time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
					r.store.set(false)
				}
				switch {
				case other == nil && upTo > begin:
					_, other = r.join()
				case other != nil && upTo > begin+n/4:
					other()
					begin, other = n, nil
				}
			}
			r.beat(t0.Add(span) + n + 1) // an emptied store is noticed at the next record
			check(t, r.awaitExamples(n), n)
			_, repeats := r.examples()
			repeated += repeats
		})
	}
	if repeated == 0 {
		t.Error("nothing was written twice: no kill fell between an effect and its commit")
	}
}

// The store is emptied, or comes back as it was earlier, just before outcomes are read, and is
// whole again just behind it: the watermark alone would say that all is well.
func TestALossThatTheWatermarkDoesNotShowMakesNoLabelFalse(t *testing.T) {
	for _, emptied := range []bool{true, false} {
		t.Run(fmt.Sprint("emptied ", emptied), func(t *testing.T) {
			r := newRig(t)
			r.start()
			r.produce(event.TopicPredictions, prediction(7))
			r.beat(t0)
			r.awaitMark(t0)
			earlier := 0
			if !emptied {
				earlier = r.store.moment()
			}
			r.produce(event.TopicEvents, click(7, time.Second))
			due := t0.Add(span) + 7
			whole := make(chan bool, 1)
			r.store.interfere(func() { r.store.goBack(earlier) }, func(found int) {
				r.beat(due) // the folds notice at their next record
				for end := time.Now().Add(10 * time.Second); r.mark(partitions) < due && time.Now().Before(end); time.Sleep(time.Millisecond) {
				}
				whole <- found == 0 && r.mark(partitions) >= due
			})
			r.beat(due)
			if !<-whole {
				t.Fatal("the store had lost nothing before the lookup, or is not whole again behind it")
			}
			if fresh := r.awaitExamples(1); fresh[0].Y != 1 {
				t.Error("the label is false")
			}
		})
	}
}

// No more events come, because whoever sends them waits for labels first; the store is mended all
// the same.
func TestALossWhileNothingComesIsMended(t *testing.T) {
	r := newRig(t)
	r.join()
	r.store.Reset() // before anything was folded
	r.produce(event.TopicPredictions, prediction(7))
	r.produce(event.TopicEvents, click(7, time.Second))
	r.store.interfere(r.store.Reset, nil)
	r.beat(t0.Add(span) + 7)
	if fresh := r.awaitExamples(1); fresh[0].Y != 1 {
		t.Error("the label is false")
	}
}

// Labels that come later than outcomes are kept (feedback was down for days, Redis was not) wait
// until outcomes are folded again.
func TestOutcomesThatTheStoreHasForgottenAreFoldedAgain(t *testing.T) {
	r := newRig(t)
	_, _, stop := r.start()
	const n = 50
	var keys []string
	for row := int64(1); row <= n; row++ {
		keys = append(keys, fmt.Sprint("p", row))
	}
	predictions, clicks := rows(rand.New(rand.NewPCG(1, 2)), n)
	r.produce(event.TopicPredictions, predictions...)
	r.produce(event.TopicEvents, clicks...)
	r.beat(t0)
	r.awaitMark(t0)
	stop()
	r.store.forget(keys...)
	r.wall.Store((r.cfg.OutcomeTTL + 2*time.Hour).Milliseconds())
	r.start()
	r.beat(t0.Add(span) + n)
	// it is noticed with the next events, which the wall's heartbeat is
	r.await("another rebuild", func() bool {
		r.beat(t0.Add(span) + n)
		time.Sleep(50 * time.Millisecond)
		fresh, _ := r.examples()
		return len(fresh) == n
	})
	check(t, r.awaitExamples(n), n)
}

func TestAPredictionThatCannotBeReadIsBuriedAndTheRestLabelled(t *testing.T) {
	r := newRig(t)
	r.start()
	bad := []string{"{", `{"id":7}`, "\xff", `{"id":"p1"}`, `{"id":"p1","time":"1971"}`}
	for _, v := range bad {
		r.produce(event.TopicPredictions, stream.Record{Partition: -1, Key: []byte("p1"), Value: []byte(v)})
	}
	r.produce(event.TopicPredictions, prediction(1))
	r.beat(t0.Add(span) + 1)
	r.awaitExamples(1)
	letters := r.read(event.TopicDeadLetter)
	if len(letters) != len(bad) {
		t.Fatalf("%d dead letters, want %d", len(letters), len(bad))
	}
	for i, rec := range letters {
		if d, err := event.ParseDeadLetter(rec.Value); err != nil || d.Stage != "feedback" || d.Topic != event.TopicPredictions || string(d.Payload) != bad[i] || d.Reason == "" {
			t.Errorf("dead letter %s (%v), want the payload %q", rec.Value, err, bad[i])
		}
	}
}

// A predictions topic that was deleted and made again is labelled from its start, also when it is
// longer than the old one was.
func TestARecreatedPredictionsTopicIsLabelledFromItsStart(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprint("running ", running), func(t *testing.T) {
			r := newRig(t)
			_, _, stop := r.start()
			const n, more = 20, 90
			for row := int64(1); row <= n; row++ {
				r.produce(event.TopicPredictions, prediction(row))
			}
			r.beat(t0.Add(span) + n)
			r.awaitExamples(n)
			time.Sleep(600 * time.Millisecond) // the group's offset is committed each half second
			r.beat(t0.Add(span) + n)
			if !running {
				stop()
			}
			r.recreate(event.TopicPredictions)
			for row := int64(n + 1); row <= n+more; row++ {
				r.produce(event.TopicPredictions, prediction(row))
			}
			// an offset of the old topic outlives it: a member that had left commits late
			if !running {
				r.commit("labels."+r.objective.Name, event.TopicPredictions, 3)
			}
			r.beat(t0.Add(span) + n + more)
			if !running {
				r.start()
			}
			fresh := r.awaitExamples(n + more)
			if fresh[0].Source.Topic == fresh[n].Source.Topic {
				t.Errorf("the topics' ids are both %s", fresh[0].Source.Topic)
			}
		})
	}
}

// A member that was killed may keep a part of the predictions for a session, and what it has is
// labelled after the rest. Where examples must come in one order, as in a replay in lockstep,
// nothing is labelled until one process has all.
func TestOneOrderOutlastsAMemberThatIsDead(t *testing.T) {
	for _, oneOrder := range []bool{true, false} {
		r := newRig(t)
		r.oneOrder = oneOrder
		ctx, bury := context.WithCancel(t.Context())
		has, gone := make(chan int, 16), make(chan struct{})
		go func() {
			defer close(gone)
			_ = r.client.Join(ctx, "labels.click", []string{event.TopicPredictions}, func(ctx context.Context, g *stream.Generation) error {
				has <- len(g.Assigned[event.TopicPredictions])
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		for <-has != partitions { // the dead member, which had all
		}
		r.start()
		for n := <-has; n == 0 || n == partitions; n = <-has { // until each has a part
		}
		const n = 60
		predictions, _ := rows(rand.New(rand.NewPCG(1, 1)), n)
		r.produce(event.TopicPredictions, predictions...)
		r.beat(t0.Add(span) + n)
		r.awaitMark(t0.Add(span) + n)
		early := 0
		if !oneOrder {
			r.await("the first examples", func() bool { fresh, _ := r.examples(); early = len(fresh); return early > 0 })
		}
		bury()
		<-gone
		fresh := r.awaitExamples(n)
		ordered := true
		for i, x := range fresh {
			ordered = ordered && x.Row == int64(i+1)
		}
		if ordered != oneOrder {
			t.Errorf("one order %v: %d examples before the dead member was given up, in order at the end: %v", oneOrder, early, ordered)
		}
	}
}
