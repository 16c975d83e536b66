package collect

import (
	"errors"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// standing knows whether labels wait for the events of this collector: from its first acknowledged
// heartbeat on, until it is silent for the lease. Outside of that time it must accept no event.
// Otherwise this could happen: the event is received at 10:00, the other collectors vouch for
// 10:01, labels of 10:01 are made, and only then does the event reach Kafka.
type standing struct {
	lease   time.Duration
	changed notify.Broadcast

	mu      sync.Mutex
	vouched event.Time // the newest heartbeat that Kafka has acknowledged
	left    bool
}

// Reasons why labels do not wait for the events of this collector, returned by Standing.
var (
	ErrSilent  = errors.New("no heartbeat of the collector was acknowledged by Kafka lately")
	ErrLeaving = errors.New("the collector is ending")
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

// check returns nil when labels will wait for an event that is received now. Half of the lease is
// left for the event to reach Kafka.
func (s *standing) check(now event.Time, recorded bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.left:
		return ErrLeaving
	case recorded: // the driver of a replay writes the heartbeats
		return nil
	case s.vouched == 0 || now.Sub(s.vouched) > s.lease/2:
		return ErrSilent
	}
	return nil
}
