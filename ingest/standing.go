package ingest

import (
	"errors"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// standing says whether labels wait for a collector's events. They do from its first acknowledged
// heartbeat on, and no longer when it was silent for the lease. An event that is taken outside of
// that could be received in time and yet come behind the heartbeats of others that vouch for that
// time.
type standing struct {
	lease   time.Duration
	changed notify.Broadcast

	mu      sync.Mutex
	vouched event.Time // the newest heartbeat that Kafka has acknowledged
	left    bool
}

// Errors of a collector that takes no events.
var (
	errSilent  = errors.New("no heartbeat of the collector was acknowledged by Kafka lately")
	errLeaving = errors.New("the collector is ending")
)

// vouch remembers an acknowledged heartbeat.
func (s *standing) vouch(t event.Time) {
	s.mu.Lock()
	s.vouched = t
	s.mu.Unlock()
	s.changed.Fire()
}

// leave ends the collector's standing.
func (s *standing) leave() {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	s.changed.Fire()
}

// announced says whether any heartbeat was acknowledged.
func (s *standing) announced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vouched != 0
}

// check returns nil when an event that is received now will be waited for. Half of the lease is
// left for it to reach Kafka.
func (s *standing) check(now event.Time, recorded bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.left:
		return errLeaving
	case recorded: // a replay's driver writes the heartbeats
		return nil
	case s.vouched == 0 || now.Sub(s.vouched) > s.lease/2:
		return errSilent
	}
	return nil
}
