package scorer

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// machine is a process in virtual time: calls come at random times and queue for processors, in the
// order in which they came. A call is let in or refused when a processor reads it: nobody sees it
// before. It takes time to be read, and then either work or nothing more.
type machine struct {
	admission  *admission
	free       [2]float64 // when each processor is free, in ms
	read, work float64    // ms
	now        float64
	probed     float64 // when the last probe was sent
	probes     []float64
	accepted   []float64 // how long accepted calls took
	refused    []float64 // how long the others took
}

// queue is how long a call that came now would wait for a processor.
func (m *machine) queue(at float64) float64 { return max(min(m.free[0], m.free[1])-at, 0) }

func (m *machine) arrive(gap float64) {
	for until := m.now + gap; m.probed+2 <= until; {
		m.probed += 2
		m.probes = append(m.probes, m.queue(m.probed))
		if len(m.probes) == 5 {
			delay := 0.0
			for _, ms := range m.probes {
				delay += ms / 5
			}
			m.probes = m.probes[:0]
			m.admission.adjust(time.Duration(delay * float64(time.Millisecond)))
		}
	}
	m.now += gap
	p := 0
	if m.free[1] < m.free[0] {
		p = 1
	}
	start := max(m.free[p], m.now)
	if !m.admission.admits() {
		m.free[p] = start + m.read
		m.refused = append(m.refused, m.free[p]-m.now)
		return
	}
	m.free[p] = start + m.read + m.work
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
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// At three times the capacity of two processors, calls that are let in take at most three times as
// long as normally at p99, others are refused within 5 ms of their coming on average, and most of
// the capacity is used. Two seconds later everything is as before.
func TestOverloadIsRefusedEarly(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cfg := DefaultConfig()
		m := &machine{admission: newAdmission(&cfg), read: 0.05, work: 0.5}
		const capacity = 2 / 0.55 * 1000
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

// A burst refuses nobody, a queue that stands refuses a growing share, never all, and what is
// refused is spread evenly.
func TestTheRefusedShareFollowsTheQueue(t *testing.T) {
	cfg := DefaultConfig()
	a := newAdmission(&cfg)
	for range 100 {
		a.adjust(2 * a.target)
		a.adjust(a.target)
	}
	if a.refusing() != 0 || !a.admits() {
		t.Errorf("bursts: %v are refused", a.refusing())
	}
	for range 7 { // as a long pause of the garbage collector
		a.adjust(time.Hour)
	}
	if a.refusing() != 0 {
		t.Errorf("a queue of 70 ms: %v are refused", a.refusing())
	}
	if a.adjust(time.Hour); a.refusing() == 0 {
		t.Error("a queue of 80 ms far above the target refuses nobody")
	}
	for range 1000 {
		a.adjust(time.Hour)
	}
	if got := a.refusing(); got < mostRefused-1e-6 || got > mostRefused {
		t.Errorf("%v are refused, want %v", got, mostRefused)
	}
	a.share.Store(whole / 4)
	admitted, row := 0, 0
	for range 1000 {
		if row++; a.admits() {
			admitted++
			continue
		}
		if row != 4 && admitted > 4 {
			t.Errorf("the %d-th call is refused, want each fourth", row)
		}
		row = 0
	}
	if admitted != 750 {
		t.Errorf("%d of 1000 are let in, want 750", admitted)
	}
	for range 200 {
		a.adjust(0)
	}
	if a.refusing() != 0 {
		t.Errorf("after 2 s %v are refused", a.refusing())
	}
}

// What a probe waits is counted while it waits, too.
func TestAProbeThatIsUnderWayCounts(t *testing.T) {
	p, err := newProbe()
	if err != nil {
		t.Fatal(err)
	}
	p.send() // nobody reads
	p.mu.Lock()
	p.sent = p.sent.Add(-time.Second)
	p.mu.Unlock()
	p.send() // one at a time
	if got := p.delay(); got < time.Second {
		t.Errorf("%v, want a second", got)
	}
	done := make(chan error)
	go func() { done <- p.receive() }()
	for p.mu.Lock(); p.arrived == 0; p.mu.Lock() {
		p.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	p.mu.Unlock()
	if got := p.delay(); got < time.Second || p.delay() != 0 {
		t.Errorf("%v when it has come, want a second, and nothing afterwards", got)
	}
	p.close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
