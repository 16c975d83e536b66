package scorer

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// slots bound the work of calls, and with it their memory. A request of up to Config.MaxCandidates
// candidates takes one slot. JSON lines take as many as their lines and candidates are worth. All
// that such bodies take beside their first slot is at most half of the slots, so that large bodies
// do not keep single requests out.
type slots struct {
	each  int                 // lines and candidates that one slot is worth
	all   *semaphore.Weighted // calls at work
	extra *semaphore.Weighted // part of all: what large bodies take beside their first
	most  int                 // of one body
}

var errBusy = errors.New("too many requests are at work: send it again in a moment")

func newSlots(cfg *Config) *slots {
	half := cfg.MaxInFlight / 2
	return &slots{
		each: cfg.slotParts(), most: half + 1,
		all: semaphore.NewWeighted(int64(cfg.MaxInFlight)), extra: semaphore.NewWeighted(int64(half)),
	}
}

// take returns false when fewer than n slots are free.
func (s *slots) take(n int) bool { return s.all.TryAcquire(int64(n)) }

// slotFields is how many fields of a request's candidates one slot is worth, each with those of the
// context: less than a megabyte.
const slotFields = 10_000

// mostFields is how many the request has that has most.
func (c *Call) mostFields() (most int) {
	for i := range c.Requests {
		most = max(most, c.Requests[i].fields)
	}
	return most
}

// grow makes the slots that a body holds n, or as many as one body may have. It returns how many
// the body holds then.
func (s *slots) grow(held, n int) (int, error) {
	more := min(n, s.most) - held
	if more <= 0 {
		return held, nil
	}
	if !s.extra.TryAcquire(int64(more)) {
		return held, errBusy
	}
	if !s.take(more) {
		s.extra.Release(int64(more))
		return held, errBusy
	}
	return held + more, nil
}

// release returns the n slots of a body.
func (s *slots) release(n int) {
	s.extra.Release(int64(n - 1))
	s.all.Release(int64(n))
}

// worth is how many slots a body of JSON lines takes, by an upper bound of its lines and candidates
// that is known before it is parsed. Bodies of more than maxParts are refused by parse.
func (s *slots) worth(body []byte) int {
	parts := bytes.Count(body, []byte{'\n'}) + bytes.Count(body, []byte{'{'})
	return min(1+parts/s.each, s.most)
}

// A slot is worth leastEach and a body may have leastParts, however low the settings are: a replay
// sends 256 lines at once.
const (
	leastEach  = 500
	leastParts = 16 << 10
)

// slotParts is how many lines and candidates one slot is worth.
func (c *Config) slotParts() int { return max(c.MaxCandidates/2, leastEach) }

// maxParts is how many lines, and how many candidates of all lines, a body may have.
func (c *Config) maxParts() int {
	return max((c.MaxInFlight/2+1)*c.slotParts(), leastParts)
}

// tooManyParts is answered with the status 413.
type tooManyParts struct{ limit int }

func (e *tooManyParts) Error() string {
	return fmt.Sprintf("the body has more than %d lines, or candidates in all lines: send fewer lines at once", e.limit)
}
