package watermark

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// record is a place of a partition: a heartbeat or an event, with the clocks that it is held
// against.
type record struct {
	e      event.Event
	clocks Clocks
	// written by a collector that has not been silent for longer than its lease, whose clock is
	// right
	live bool
}

// writer is a collector as the simulation knows it.
type writer struct {
	name    string
	skew    event.Time
	next    event.Time // of its next heartbeat
	last    event.Time // heartbeat that stands in the log
	stopped event.Time // until when
}

// randomLog lets collectors come, stop, resume, go and have wrong clocks, over one partition whose
// broker's clock is right.
func randomLog(rng *rand.Rand, n int) (log []record) {
	now := start
	var writers []*writer
	for id := 0; len(log) < n; {
		now += event.Time(rng.IntN(200))
		if len(writers) == 0 || len(writers) < 5 && rng.IntN(150) == 0 {
			w := &writer{name: fmt.Sprint("c", id), next: now}
			id++
			switch rng.IntN(8) {
			case 0:
				w.skew = 3_600_000
			case 1:
				w.skew = -3_600_000
			}
			writers = append(writers, w)
		}
		i := rng.IntN(len(writers))
		w := writers[i]
		if now < w.stopped {
			continue
		}
		clocks := Clocks{Stamp: now + event.Time(rng.IntN(20)), Reader: now + event.Time(rng.IntN(2000))}
		switch {
		case rng.IntN(120) == 0:
			w.stopped = now + event.Time(rng.IntN(25_000))
		case w.next <= now:
			w.last, w.next = now, now+1000
			leaving := rng.IntN(60) == 0
			log = append(log, record{event.Event{Type: event.TypeHeartbeat, Received: now + w.skew, Collector: w.name, Leaving: leaving}, clocks, false})
			if leaving {
				writers = append(writers[:i], writers[i+1:]...)
			} else if rng.IntN(80) == 0 { // killed
				writers = append(writers[:i], writers[i+1:]...)
			}
		case w.last != 0:
			live := w.skew == 0 && now-w.last <= event.Time(testConfig.Lease.Milliseconds())/2
			log = append(log, record{event.Event{Type: event.TypeClick, Time: now, Received: now + w.skew}, clocks, live})
		}
	}
	return log
}

// TestTheWatermarkIsRightWhateverCollectorsDo holds every step of random logs to the definition:
// the watermark never goes back, lies behind no living collector's last heartbeat, and is the same
// whoever folds and wherever a fold was cut; an event of a living collector keeps its receipt, and
// none is received before the watermark, or after Kafka has it.
func TestTheWatermarkIsRightWhateverCollectorsDo(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 11))
		log := randomLog(rng, 1500)
		whole, cut := newMarks(t), newMarks(t)
		advanced := 0
		for i := range log {
			r := &log[i]
			before := whole.At()
			if rng.IntN(7) == 0 { // a process ends here, and another goes on
				again, err := New(testConfig, cut.At(), cut.Encode())
				if err != nil {
					t.Fatal(err)
				}
				cut = &again
			}
			if r.e.Type == event.TypeHeartbeat {
				o, o2 := whole.Beat(&r.e, r.clocks), cut.Beat(&r.e, r.clocks)
				if o.Result != o2.Result || whole.At() != cut.At() || whole.Encode() != cut.Encode() {
					t.Fatalf("seed %d, record %d: cut, the watermark is %v with %q, want %v with %q", seed, i, cut.At(), cut.Encode(), whole.At(), whole.Encode())
				}
				if want := definition(log[:i+1]); whole.At() != want {
					t.Fatalf("seed %d, record %d: the watermark is start%+d, want start%+d", seed, i, whole.At()-start, want-start)
				}
			} else {
				e, e2 := r.e, r.e
				whole.Settle(&e, r.clocks)
				cut.Settle(&e2, r.clocks)
				switch {
				case e.Received != e2.Received:
					t.Fatalf("seed %d, record %d: cut, an event is received at %v, want %v", seed, i, e2.Received, e.Received)
				case whole.At() != 0 && e.Received <= whole.At():
					t.Fatalf("seed %d, record %d: an event is received at %v behind the watermark %v", seed, i, e.Received, whole.At())
				case e.Received > max(r.clocks.Stamp, whole.At()+1) || e.Time > e.Received:
					t.Fatalf("seed %d, record %d: an event of %v is received at %v, and Kafka took it at %v", seed, i, e.Time, e.Received, r.clocks.Stamp)
				case r.live && e.Received != max(r.e.Received, whole.At()+1) || r.live && e.Received > r.e.Received+1:
					t.Fatalf("seed %d, record %d: an event of a living collector is received at start%+d, want start%+d", seed, i, e.Received-start, r.e.Received-start)
				}
			}
			if whole.At() < before {
				t.Fatalf("seed %d, record %d: the watermark goes back", seed, i)
			}
			if whole.At() > before {
				advanced++
			}
		}
		if advanced < 50 {
			t.Errorf("seed %d: the watermark moved %d times only", seed, advanced)
		}
	}
}

// definition computes the watermark after the last record of a log from the whole of it.
func definition(log []record) event.Time {
	lease, bound := event.Time(testConfig.Lease.Milliseconds()), event.Time(testConfig.Ahead.Milliseconds())
	last := map[string]event.Time{}
	var mark event.Time
	for i := range log {
		e := &log[i].e
		if e.Type != event.TypeHeartbeat || e.Received > log[i].clocks.Stamp+bound || e.Received > log[i].clocks.Reader+bound {
			continue
		}
		newest := e.Received
		for _, t := range last {
			newest = max(newest, t)
		}
		last[e.Collector] = max(last[e.Collector], e.Received)
		settle := func() {
			lowest := newest
			for name, t := range last {
				if t < newest-lease {
					delete(last, name)
				} else {
					lowest = min(lowest, t)
				}
			}
			if len(last) > 0 {
				mark = max(mark, lowest)
			}
		}
		settle()
		if e.Leaving {
			delete(last, e.Collector)
			settle()
		}
	}
	return mark
}
