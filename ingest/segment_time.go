package ingest

import (
	"math"
	"time"

	"github.com/clickloop/clickloop/event"
)

// skewStep is the step in which a client's clock is corrected. A clock that is wrong by less than
// half of it is believed: otherwise the delay of the network would move a device's events against
// each other.
const skewStep = 5 * time.Minute

// stamp sets the time of e, and the rule where the time is not the client's own.
func (s *segmentCall) stamp(e *event.Event, now event.Time) {
	e.Time = s.time(now)
	if own := s.own(); e.Time != own {
		e.OriginalTime, e.TimeRule = own, event.TimeSentAt
	}
}

// own is the time of the call by its client's clock, 0 when it gives none.
func (s *segmentCall) own() event.Time {
	if s.original != 0 {
		return s.original
	}
	return s.timestamp
}

// time is own, corrected by how far the client's clock was wrong when the call was sent.
func (s *segmentCall) time(now event.Time) event.Time {
	t := s.own()
	if t == 0 || s.sent == 0 {
		return t
	}
	steps := math.Round(float64(now-s.sent) / float64(skewStep/time.Millisecond))
	return t.Add(time.Duration(steps) * skewStep)
}
