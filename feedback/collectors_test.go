package feedback

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
)

const lease = 10 * time.Second // the default

// beats writes a collector's heartbeat to every partition of events.
func (r *rig) beats(collector string, t event.Time, leaving bool) {
	r.Helper()
	e := event.Event{Type: event.TypeHeartbeat, Time: t, Received: t, Collector: collector, Leaving: leaving}
	for p := range partitions {
		r.produce(event.TopicEvents, stream.Record{Partition: p, Value: e.AppendJSON(nil)})
	}
}

// awaitFolded waits until every record of events is folded.
func (r *rig) awaitFolded() {
	r.Helper()
	ranges, err := r.client.Offsets(r.Context(), event.TopicEvents)
	if err != nil {
		r.Fatal(err)
	}
	id, err := r.client.TopicID(r.Context(), event.TopicEvents)
	if err != nil {
		r.Fatal(err)
	}
	r.await("the fold of all events", func() bool {
		for p := range partitions {
			at, err := r.outcomes.Position(r.Context(), r.positionsID(r.outcomes, id), p)
			if err != nil || at.Next < ranges[p].End {
				return false
			}
		}
		return true
	})
}

// labels are the labels of rows; a row without an example has none.
func labels(examples []event.Example) map[int64]float64 {
	of := map[int64]float64{}
	for _, x := range examples {
		if !x.Revision {
			of[x.Row] = x.Y
		}
	}
	return of
}

// wantLabels holds the examples of rows 1..n to one label.
func (r *rig) wantLabels(n int, want float64) {
	r.Helper()
	of := labels(r.awaitExamples(n))
	for row := range int64(n) {
		if y, ok := of[row+1]; !ok || y != want {
			r.Errorf("row %d has label %v (%v), want %v", row+1, y, ok, want)
		}
	}
}

// received is the record of a click on row that a collector took at t.
func received(row int64, t event.Time) stream.Record {
	e := event.Event{ID: fmt.Sprint("c", row, t), Type: event.TypeClick, Time: t, Received: t, User: fmt.Sprint("u", row), Prediction: fmt.Sprint("p", row)}
	return stream.Record{Partition: -1, Key: []byte(e.User), Value: e.AppendJSON(nil)}
}

// pausedRig has two collectors that beat, one of which then holds clicks on all rows that it took
// in time.
func pausedRig(t *testing.T, n int64) (r *rig, due event.Time, late []stream.Record) {
	r = newRig(t)
	r.objective.Revisions, r.cfg.ReviseWithin = true, span
	due = t0.Add(span)
	for row := int64(1); row <= n; row++ {
		r.produce(event.TopicPredictions, prediction(row))
		late = append(late, received(row, due.Add(-1900*time.Millisecond)))
	}
	r.start()
	for s := range 57 {
		at := t0.Add(time.Duration(s) * time.Second)
		r.beats("other", at, false)
		r.beats("paused", at+1, false)
	}
	return r, due, late
}

func TestALabelWaitsForACollectorThatIsPaused(t *testing.T) {
	r, due, late := pausedRig(t, 20)
	for s := range 6 { // the other goes on for four seconds beyond the windows
		r.beats("other", due.Add(time.Duration(s)*time.Second-time.Second), false)
	}
	r.awaitFolded()
	if fresh, _ := r.examples(); len(fresh) != 0 {
		t.Fatalf("%d examples before a living collector vouched for their windows", len(fresh))
	}
	r.produce(event.TopicEvents, late...)
	r.beats("paused", due.Add(5*time.Second), false)
	r.wantLabels(20, 1)
}

func TestACollectorThatIsGoneForItsLeaseHoldsNoLabelBackAndWritesLate(t *testing.T) {
	r, due, late := pausedRig(t, 20)
	last := t0.Add(56*time.Second) + 1
	r.beats("other", last.Add(lease), false)
	r.awaitFolded()
	if fresh, _ := r.examples(); len(fresh) != 0 {
		t.Fatalf("%d examples within the lease", len(fresh))
	}
	r.beats("other", last.Add(lease)+1, false)
	r.wantLabels(20, 0)
	r.produce(event.TopicEvents, late...)
	r.beats("paused", due.Add(8*time.Second), false)
	r.beats("paused", due.Add(span+time.Second), false)
	r.beats("other", due.Add(span+time.Second), false)
	var revised []event.Example
	r.await("revisions", func() bool {
		fresh, _ := r.examples()
		revised = fresh[20:]
		return len(revised) >= 20
	})
	for _, x := range revised {
		if !x.Revision || x.Y != 1 {
			t.Errorf("row %d: %+v is no revision", x.Row, x)
		}
	}
}

func TestACollectorThatSaysFarewellHoldsNothingBack(t *testing.T) {
	r, due, late := pausedRig(t, 20)
	r.produce(event.TopicEvents, late...)
	r.beats("other", due.Add(time.Second), false)
	r.awaitFolded()
	if fresh, _ := r.examples(); len(fresh) != 0 {
		t.Fatalf("%d examples before the farewell", len(fresh))
	}
	r.beats("paused", due.Add(-time.Second), true)
	r.wantLabels(20, 1)
}

// A collector that is killed and one that takes its place have two names: the new one does not
// vouch for what the old one had in flight.
func TestACollectorThatStartsAgainDoesNotVouchForItsPast(t *testing.T) {
	r, due, late := pausedRig(t, 20)
	r.beats("other", due.Add(-1500*time.Millisecond), true)
	r.beats("paused again", due.Add(time.Second), false)
	r.awaitFolded()
	if fresh, _ := r.examples(); len(fresh) != 0 {
		t.Fatalf("%d examples while the killed one's lease holds", len(fresh))
	}
	r.produce(event.TopicEvents, late...) // the broker had them in a socket
	r.beats("paused again", due.Add(lease), false)
	r.wantLabels(20, 1)
}

// predictNow makes predictions whose windows end a minute from now, which a heartbeat may say at
// once: so a test need not wait, however slow the machine is.
func predictNow(r *rig, n int64) (now, due event.Time) {
	r.watermark = watermark.Config{Lease: 10 * time.Minute, Ahead: 5 * time.Minute}
	now = event.TimeOf(time.Now())
	due = now.Add(time.Minute)
	for row := int64(1); row <= n; row++ {
		p := event.Prediction{ID: fmt.Sprint("p", row), Row: row, Time: due.Add(-span), User: "u", Ad: "a", P: []event.ObjectiveP{{Objective: "click", P: 0.25}}, Propensity: 1}
		r.produce(event.TopicPredictions, stream.Record{Partition: -1, Key: []byte(p.ID), Value: p.AppendJSON(nil)})
	}
	return now, due
}

func TestHeartbeatsFromTheFutureMakeNoLabelDue(t *testing.T) {
	future2099, _ := event.ParseTime("2099-01-01T00:00:00Z")
	for name, future := range map[string]event.Time{"an hour": event.TimeOf(time.Now().Add(time.Hour)), "2099": future2099} {
		// Kafka's timestamp is right, or its producer's is wrong too
		for _, stamp := range []time.Time{{}, future.Std()} {
			if backend.Real() && !stamp.IsZero() {
				continue // it refuses such a timestamp
			}
			t.Run(fmt.Sprint(name, ", stamped so: ", !stamp.IsZero()), func(t *testing.T) {
				r := newRig(t)
				now, due := predictNow(r, 5)
				r.start()
				r.beats("good", now, false)
				for p := range partitions {
					for _, collector := range []string{"bad", "", "good"} {
						e := event.Event{Type: event.TypeHeartbeat, Received: future, Collector: collector}
						r.produce(event.TopicEvents, stream.Record{Partition: p, Time: stamp, Value: e.AppendJSON(nil)})
					}
				}
				r.awaitFolded()
				if mark := r.mark(partitions); mark != now {
					t.Fatalf("the watermark is %v, want %v", mark, now)
				}
				if fresh, _ := r.examples(); len(fresh) != 0 {
					t.Fatalf("%d examples at once", len(fresh))
				}
				for row := int64(1); row <= 5; row++ {
					r.produce(event.TopicEvents, received(row, now+1))
				}
				r.beats("good", due, false)
				r.wantLabels(5, 1)
			})
		}
	}
}

// A collector whose clock is an hour ahead cannot make a click late that Kafka took in time.
func TestAClickOfACollectorAheadCounts(t *testing.T) {
	r := newRig(t)
	now, due := predictNow(r, 4)
	r.start()
	r.beats("good", now, false)
	ahead := now.Add(time.Hour)
	for row := int64(1); row <= 2; row++ { // stamped by Kafka
		r.produce(event.TopicEvents, received(row, ahead))
	}
	for row := int64(3); row <= 4; row++ { // stamped by the collector's own clock
		c := received(row, ahead)
		if !backend.Real() { // which refuses such a timestamp
			c.Time = ahead.Std()
		}
		r.produce(event.TopicEvents, c)
	}
	r.beats("good", due, false)
	r.wantLabels(4, 1)
}

// A collector whose clock is an hour slow is not waited for, and what it takes counts when it is
// written.
func TestASlowCollectorHoldsNothingBack(t *testing.T) {
	r := newRig(t)
	for row := int64(1); row <= 3; row++ {
		r.produce(event.TopicPredictions, prediction(row))
	}
	r.start()
	slow := -time.Hour
	for s := range 61 {
		at := t0.Add(time.Duration(s) * time.Second)
		r.beats("good", at, false)
		r.beats("slow", at.Add(slow), false)
		if s == 30 {
			r.produce(event.TopicEvents, received(1, at.Add(slow)), received(2, at))
		}
	}
	r.beats("good", t0.Add(span)+3, false)
	r.awaitExamples(3)
	r.produce(event.TopicEvents, received(3, t0.Add(slow))) // in time by its own clock only
	r.beats("good", t0.Add(span)+100, false)
	if of := labels(r.awaitExamples(3)); of[1] != 1 || of[2] != 1 || of[3] != 0 {
		t.Errorf("labels %v, want 1, 1 and 0", of)
	}
}

// own is the record of an event by a producer of its own, who writes these times; a zero one is
// left out.
func own(kind string, row int64, at, received event.Time, stamp time.Time) stream.Record {
	e := event.Event{ID: fmt.Sprint(kind, row), Type: kind, Time: at, Received: received, User: fmt.Sprint("u", row), Prediction: fmt.Sprint("p", row)}
	return stream.Record{Partition: -1, Key: []byte(e.User), Value: e.AppendJSON(nil), Time: stamp}
}

// Whatever clocks say, an impression and a click that are in the log before the window's end is
// vouched for make a positive.
func TestClientsClocksThatAreAheadLoseNoLabel(t *testing.T) {
	r := newRig(t)
	r.objective.Trigger = event.TypeImpression
	now, due := predictNow(r, 12)
	r.start()
	r.beats("good", now, false)
	none := time.UnixMilli(-1)
	row := int64(0)
	var want []float64
	f := func(y float64, kinds func(row int64) []stream.Record) {
		row++
		want = append(want, y)
		r.produce(event.TopicEvents, kinds(row)...)
	}
	pair := func(impression, click time.Duration, received event.Time, stamp time.Time) func(int64) []stream.Record {
		return func(row int64) []stream.Record {
			return []stream.Record{
				own(event.TypeImpression, row, now.Add(impression), received, stamp), own(event.TypeClick, row, now.Add(click), received, stamp),
			}
		}
	}
	f(1, pair(0, 40*time.Minute, now, time.Time{}))
	f(1, pair(40*time.Minute, 0, now, time.Time{}))
	f(1, pair(2*time.Hour, 2*time.Hour, now, time.Time{}))
	f(1, pair(0, 150*time.Second, now, time.Time{}))
	f(1, pair(0, 24*time.Hour, now, time.Time{}))
	f(0, pair(0, 30*time.Hour, now, time.Time{})) // the click is refused
	f(1, pair(40*time.Minute, 40*time.Minute, 0, time.Time{}))
	f(1, pair(40*time.Minute, 40*time.Minute, now.Add(40*time.Minute), time.Time{}))
	f(1, pair(0, 0, 0, none))
	f(1, pair(40*time.Minute, 40*time.Minute, 0, none))
	f(1, pair(-time.Hour, -time.Hour, 0, time.Time{}))
	f(1, pair(0, 0, now.Add(73*365*24*time.Hour), none))
	r.awaitFolded()
	r.beats("good", due, false)
	of := labels(r.awaitExamples(12))
	for i, y := range want {
		if got, ok := of[int64(i+1)]; !ok || got != y {
			t.Errorf("case %d: label %v (%v), want %v", i+1, got, ok, y)
		}
	}
}

// Outcomes that are folded again, from whatever place and wherever the fold before was cut, are
// those that were.
func TestOutcomesThatAreFoldedAgainAreTheSame(t *testing.T) {
	r, due, late := pausedRig(t, 20)
	r.beats("other", due.Add(3*time.Second), false)
	r.produce(event.TopicEvents, late[:10]...)
	r.beats("paused", due.Add(4*time.Second), false)
	r.beats("other", due.Add(20*time.Second), false)
	r.produce(event.TopicEvents, late[10:]...)
	r.beats("other", due.Add(21*time.Second), false)
	r.awaitFolded()
	of := func() map[string]event.Outcome {
		outcomes := map[string]event.Outcome{}
		var keys []string
		for row := range late {
			keys = append(keys, fmt.Sprint("p", row+1))
		}
		found, err := r.store.Read(t.Context(), keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			outcomes[key] = OutcomeOf(found[key])
		}
		return outcomes
	}
	whole := of()
	if len(whole["p1"]) == 0 || len(whole["p20"]) == 0 || whole["p1"]["click"].Received >= due || whole["p20"]["click"].Received <= due {
		t.Fatalf("outcomes %+v, want those of row 1 in time and of row 20 late", whole)
	}
	for moment := r.store.moment(); moment >= 0; moment -= 1 + r.store.moment()/5 {
		r.store.goBack(moment)
		r.beats("other", due.Add(21*time.Second), false) // a fold notices with the next batch
		r.awaitFolded()
		if again := of(); !reflect.DeepEqual(again, whole) {
			t.Fatalf("folded again from moment %d: %+v, want %+v", moment, again, whole)
		}
	}
}
