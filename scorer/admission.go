package scorer

import (
	"context"
	"math"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// admission refuses calls early when the process has more work than processors. It measures how
// long goroutines that could run queue for a processor, and bounds the calls at work so that they
// queue no longer than the target on average: the bound falls by a fifth at a time while they queue
// longer, and grows back afterwards. So a call that is let in is answered about as fast as ever,
// and others are refused at once.
//
// As CoDel (Nichols and Jacobson, Controlling Queue Delay, 2012), it goes by the time spent in a
// queue, not by its length, and only by a queue that stands: a burst, a pause of the garbage
// collector or another process on the machine makes goroutines queue too, and is over by itself.
//
// A call that waits for Redis counts as at work. Where Redis is slow and processors are free,
// nobody queues, and the bound grows until that changes. Decisions take the delay as an argument.
type admission struct {
	target      time.Duration // 0: no call is refused
	least, most int64
	limit       atomic.Int64 // of calls at work
	working     atomic.Int64
	peak        atomic.Int64 // highest working since the last adjustment
	late        int          // adjustments in a row in which the delay was above the target
}

const (
	admissionEvery = 10 * time.Millisecond // between adjustments of the bound
	standing       = 10                    // adjustments after which a queue does not go by itself
)

func newAdmission(cfg *Config) *admission {
	a := &admission{target: cfg.MaxQueueTime, least: int64(min(2*runtime.GOMAXPROCS(0), cfg.MaxInFlight)), most: int64(cfg.MaxInFlight)}
	a.limit.Store(a.most)
	return a
}

// full says that a call would be refused now.
func (a *admission) full() bool { return a.working.Load() >= a.limit.Load() }

// enter counts a call as at work, unless there are too many. The caller calls leave.
func (a *admission) enter() bool {
	n := a.working.Add(1)
	if n > a.limit.Load() {
		a.working.Add(-1)
		return false
	}
	if n > a.peak.Load() {
		a.peak.Store(n) // a lost race makes it one too low
	}
	return true
}

func (a *admission) leave() { a.working.Add(-1) }

// adjust sets the bound by how long goroutines queued lately.
func (a *admission) adjust(delay time.Duration) {
	limit, peak := a.limit.Load(), a.peak.Swap(a.working.Load())
	if a.late++; delay <= a.target {
		a.late = 0
	}
	switch {
	case a.late >= standing:
		limit = max(min(limit, peak)*4/5, a.least)
	case a.late == 0:
		limit = min(limit+1+limit/8, a.most)
	}
	a.limit.Store(limit)
}

// run adjusts the bound until ctx ends.
func (a *admission) run(ctx context.Context, in *instruments) error {
	if a.target == 0 {
		return nil
	}
	tick := time.NewTicker(admissionEvery)
	defer tick.Stop()
	var q runQueue
	q.delay() // of what was before
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			delay := q.delay()
			a.adjust(delay)
			in.queue.Set(delay.Seconds())
			in.limit.Set(float64(a.limit.Load()))
		}
	}
}

// runQueue reads from Go's runtime how long goroutines queue for a processor.
type runQueue struct {
	sample [1]metrics.Sample
	before []uint64
}

// fewQueued is the number of goroutines below which their delay says nothing. The runtime looks at
// one of eight.
const fewQueued = 4

// delay is the average time that goroutines queued since the last call.
func (q *runQueue) delay() time.Duration {
	q.sample[0].Name = "/sched/latencies:seconds"
	metrics.Read(q.sample[:])
	if q.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := q.sample[0].Value.Float64Histogram()
	if len(q.before) != len(h.Counts) {
		q.before = make([]uint64, len(h.Counts))
	}
	var total, seconds float64
	for i, n := range h.Counts {
		if n == q.before[i] {
			continue
		}
		now := float64(n - q.before[i])
		total += now
		if least := h.Buckets[i]; !math.IsInf(least, 0) { // a bucket is narrow: a tenth or so
			seconds += now * least
		}
	}
	copy(q.before, h.Counts)
	if total < fewQueued {
		return 0
	}
	return time.Duration(seconds / total * float64(time.Second))
}
