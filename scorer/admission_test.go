package scorer

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// machine is a process in virtual time: calls come at random times and queue for processors, in the
// order in which they came. A call takes time to be read, and then either work or nothing more.
type machine struct {
	admission  *admission
	free       [2]float64 // when each processor is free, in ms
	read, work float64    // ms
	now        float64
	queued     []float64 // since the last adjustment
	done       []float64 // when calls at work end
	adjusted   float64
	accepted   []float64 // how long accepted calls took
	refused    []float64 // how long the others took
}

func (m *machine) arrive(gap float64) {
	m.now += gap
	for m.adjusted+10 <= m.now {
		m.adjusted += 10
		delay := 0.0
		if len(m.queued) > 0 {
			for _, ms := range m.queued {
				delay += ms / float64(len(m.queued))
			}
		}
		m.queued = m.queued[:0]
		m.admission.adjust(time.Duration(delay * float64(time.Millisecond)))
	}
	p := 0
	if m.free[1] < m.free[0] {
		p = 1
	}
	start := max(m.free[p], m.now)
	m.queued = append(m.queued, start-m.now)
	m.done = slices.DeleteFunc(m.done, func(end float64) bool {
		if end > m.now {
			return false
		}
		m.admission.leave()
		return true
	})
	if !m.admission.enter() {
		m.free[p] = start + m.read
		m.refused = append(m.refused, m.free[p]-m.now)
		return
	}
	m.free[p] = start + m.read + m.work
	m.done = append(m.done, m.free[p])
	m.accepted = append(m.accepted, m.free[p]-m.now)
}

// run lets calls come at a rate a second for some seconds, and returns p99 of those accepted.
func (m *machine) run(rng *rand.Rand, rate, seconds float64) float64 {
	m.accepted, m.refused = nil, nil
	for end := m.now + 1000*seconds; m.now < end; {
		m.arrive(rng.ExpFloat64() * 1000 / rate)
	}
	return p99(m.accepted)
}

func p99(took []float64) float64 {
	slices.Sort(took)
	return took[len(took)*99/100]
}

// At three times the capacity of two processors, calls that are let in take at most three times as
// long as normally at p99, others are refused within 5 ms, and most of the capacity is used. Two
// seconds later everything is as before.
func TestOverloadIsRefusedEarly(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cfg := DefaultConfig()
		m := &machine{admission: newAdmission(&cfg), read: 0.03, work: 0.5}
		m.admission.least = 4
		const capacity = 2 / 0.53 * 1000
		normal := m.run(rng, capacity*0.7, 20)
		few := float64(len(m.refused)) / float64(len(m.accepted))
		over := m.run(rng, capacity*3, 60)
		used, refused := float64(len(m.accepted))/60/capacity, p99(m.refused)
		t.Logf("p99 %.2f ms (%.5f refused); at three times the capacity %.2f, of which %.2f are used; refused within %.2f ms", normal, few, over, used, refused)
		if over > 3*normal || used < 0.6 || refused > 5 || few > 0.001 {
			t.Error("that is too much")
		}
		m.run(rng, capacity*0.7, 2)
		after := m.run(rng, capacity*0.7, 20)
		if few := float64(len(m.refused)) / float64(len(m.accepted)); after > 1.3*normal || few > 0.001 {
			t.Errorf("afterwards p99 is %.2f ms, %.5f refused", after, few)
		}
	}
}

func TestTheBoundOfAdmissionStaysInItsRange(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxInFlight = 100
	a := newAdmission(&cfg)
	for range 60 {
		a.enter()
	}
	for range standing - 1 {
		a.adjust(time.Second)
	}
	if got := a.limit.Load(); got != 100 {
		t.Errorf("%d after a burst, want 100", got)
	}
	a.adjust(time.Second) // what is at work counts, not what would be allowed
	if got := a.limit.Load(); got != 48 {
		t.Errorf("%d, want 4/5 of 60", got)
	}
	for range 100 {
		a.adjust(time.Second)
	}
	if got := a.limit.Load(); got != a.least {
		t.Errorf("%d, want %d", got, a.least)
	}
	for range 100 {
		a.adjust(0)
	}
	if got := a.limit.Load(); got != 100 {
		t.Errorf("after 2 s %d, want 100", got)
	}
	for range 60 {
		a.leave()
	}
	if a.working.Load() != 0 || a.full() {
		t.Error("calls are left over")
	}
}

// The runtime's own measure rises when more goroutines can run than processors are there.
func TestTheQueueForProcessorsIsSeen(t *testing.T) {
	var q runQueue
	q.delay()
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer all.Wait()
	defer cancel()
	var spun atomic.Int64
	for range 64 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for ctx.Err() == nil {
				for range 100_000 {
					spun.Add(1)
				}
				runtime.Gosched()
			}
		})
	}
	for end := time.Now().Add(20 * time.Second); q.delay() < 5*time.Millisecond; time.Sleep(admissionEvery) {
		if time.Now().After(end) {
			t.Fatal("64 goroutines a processor make no queue")
		}
	}
}
