package ingest

import (
	"math"
	"time"

	"github.com/clickloop/clickloop/event"
)

// A client's clock is believed unless it is wrong by more than skewStep; then it is corrected in
// whole steps, so that the time on the wire neither reorders a device's events nor shows in their
// distances.
const skewStep = 5 * time.Minute

// stamp gives e the call's time, and says by which rule if that is not the client's own.
func (s *segmentCall) stamp(e *event.Event, now event.Time) {
	e.Time = s.time(now)
	if own := s.own(); e.Time != own {
		e.OriginalTime, e.TimeRule = own, event.TimeSentAt
	}
}

// own is when the call was made by its client's clock, 0 when it does not say.
func (s *segmentCall) own() event.Time {
	if s.original != 0 {
		return s.original
	}
	return s.timestamp
}

// time is when the call was made by the client's clock, moved by what that was wrong when the call
// was sent.
func (s *segmentCall) time(now event.Time) event.Time {
	t := s.own()
	if t == 0 || s.sent == 0 {
		return t
	}
	steps := math.Round(float64(now-s.sent) / float64(skewStep/time.Millisecond))
	return t.Add(time.Duration(steps) * skewStep)
}
