package scorer

import (
	"sync"
	"sync/atomic"
	"time"
)

// breaker keeps calls from waiting for a feature store that does not answer in time (a circuit
// breaker). It opens when most of the latest reads failed, and then calls are scored without
// profiles at once. Trials in the background close it again: no call pays for finding out.
//
// All decisions take the time as an argument. Methods may be called by any number of goroutines.
type breaker struct {
	isOpen  atomic.Bool
	healthy atomic.Bool // no read has failed lately: a success changes nothing

	mu       sync.Mutex
	failing  float64       // share of the latest reads that failed, an exponential average
	since    time.Time     // when the share left the healthy range
	patience time.Duration // the shortest wait of those that failed; trials get no more
	trials   int           // in a row that succeeded
	opened   chan struct{} // has a value when the breaker has opened
}

const (
	breakerStep    = 1.0 / 8 // weight of one read in the share
	breakerHealthy = 0.3     // share that a few failures give
	breakerOpens   = 0.6     // seven failures in a row, or two of three for a while
	// breakerSpan is how long reads must have failed: one hiccup makes all calls of a moment fail.
	breakerSpan = 50 * time.Millisecond
	// breakerLeast is the shortest wait whose end says something about the store. Callers may ask
	// for less.
	breakerLeast = 5 * time.Millisecond
	// breakerTrials in a row close the breaker, one each breakerEvery.
	breakerTrials = 3
	breakerEvery  = 100 * time.Millisecond
)

func newBreaker() *breaker {
	b := &breaker{opened: make(chan struct{}, 1)}
	b.healthy.Store(true)
	return b
}

// open says that the store is not to be asked.
func (b *breaker) open() bool { return b.isOpen.Load() }

// succeeded notes a read that came in time.
func (b *breaker) succeeded() {
	if b.healthy.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failing -= b.failing * breakerStep; b.failing < breakerStep/8 {
		b.failing = 0
		b.healthy.Store(true)
	}
}

// failed notes at a time a read that failed, or had not come after a wait. It says whether the
// breaker has opened by this.
func (b *breaker) failed(now time.Time, wait time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isOpen.Load() {
		return false
	}
	if b.failing == 0 || b.patience > wait {
		b.patience = wait
	}
	if b.failing < breakerHealthy {
		b.since = now
	}
	b.healthy.Store(false)
	b.failing += (1 - b.failing) * breakerStep
	if b.failing < breakerOpens || now.Sub(b.since) < breakerSpan {
		return false
	}
	b.trials = 0
	b.isOpen.Store(true)
	select {
	case b.opened <- struct{}{}:
	default:
	}
	return true
}

// tried notes the result of a trial, and says whether the breaker has closed by this.
func (b *breaker) tried(ok bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.isOpen.Load() {
		return false
	}
	if b.trials++; !ok {
		b.trials = 0
	}
	if b.trials < breakerTrials {
		return false
	}
	b.failing = 0
	b.healthy.Store(true)
	b.isOpen.Store(false)
	return true
}

// trialWait is how long a trial waits.
func (b *breaker) trialWait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.patience, breakerLeast)
}
