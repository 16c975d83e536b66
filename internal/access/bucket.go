package access

import "time"

// bucket is a token bucket that allows a debt. It holds what comes in a second; whatever is larger
// than that passes once the bucket is full, and is paid off before anything else passes. The zero
// bucket has no limit. Its owner guards it.
//
// golang.org/x/time/rate gives no debt, and takes nothing back without an allocation.
type bucket struct {
	rate  float64 // a second; 0: no limit
	burst float64
	level float64 // negative: a debt
	last  time.Time
}

func newBucket(rate float64) bucket {
	burst := max(rate, 1)
	return bucket{rate: rate, burst: burst, level: burst}
}

// refill adds what has come since the last call.
func (b *bucket) refill(now time.Time) {
	if d := now.Sub(b.last); d > 0 {
		if !b.last.IsZero() {
			b.level = min(b.burst, b.level+d.Seconds()*b.rate)
		}
		b.last = now
	}
}

// lacks tells whether a visit that has taken some already may not take n more. What it has taken
// counts as its own: a visit of more than the bucket holds may go on if the bucket was full when it
// began, and nobody else may take then.
func (b *bucket) lacks(n, taken float64, now time.Time) bool {
	if b.rate == 0 {
		return false
	}
	b.refill(now)
	return min(n+taken, b.burst)-taken-b.level > rounding
}

// rounding is what sums of floats may be wrong by, in events and bytes.
const rounding = 1e-6

// wait returns how long it takes until a new visit may take n.
func (b *bucket) wait(n float64, now time.Time) time.Duration {
	if b.rate == 0 {
		return 0
	}
	b.refill(now)
	missing := min(n, b.burst) - b.level
	if missing <= rounding {
		return 0
	}
	return time.Duration(min(missing/b.rate, longestWait.Seconds()) * float64(time.Second))
}

// longestWait is the most that a client is told, whatever its debt.
const longestWait = 24 * time.Hour

// take takes n, or gives it back when it is negative.
func (b *bucket) take(n float64) {
	if b.rate > 0 {
		b.level = min(b.burst, b.level-n)
	}
}
