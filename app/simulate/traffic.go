package simulate

import (
	"math"
	"time"

	"github.com/clickloop/clickloop/event"
)

// hourly is the traffic at the start of each hour of the day, in UTC: a drop in the night, a peak
// in the evening. Between hours it changes steadily.
var hourly = [24]float64{0.62, 0.45, 0.34, 0.28, 0.27, 0.35, 0.55, 0.82, 1.02, 1.10, 1.12, 1.16, 1.24, 1.18, 1.10, 1.08, 1.12, 1.26, 1.48, 1.70, 1.78, 1.60, 1.22, 0.88}

// traffic says how many auctions happen when.
type traffic struct {
	perHour float64 // on average of a day
	flat    bool    // no daily curve
	outage  int     // an hour of the day with a third of the traffic; -1: none
	mean    float64 // of rate over a day
}

// rate is the traffic at an hour of the day, as a multiple of what is usual.
func (t *traffic) rate(hour float64) float64 {
	if t.flat {
		return 1
	}
	whole := math.Floor(hour)
	at := func(h float64) float64 { return hourly[(int(h)%24+24)%24] }
	rate := at(whole) + (hour-whole)*(at(whole+1)-at(whole))
	if t.outage >= 0 && int(whole)%24 == t.outage {
		rate /= 3
	}
	return rate
}

// step is the length of the stretches in which the rate is summed up.
const step = time.Minute

// between is how many auctions there are in [from, to), not rounded.
func (t *traffic) between(from, to event.Time) float64 {
	if t.flat {
		return t.perHour * to.Sub(from).Hours()
	}
	sum := 0.0
	for from < to {
		next := min(from.Add(step), to)
		sum += t.rate(hourOf(from+(next-from)/2)) * next.Sub(from).Hours()
		from = next
	}
	return sum * t.perHour / t.mean
}

// newTraffic completes t.
func newTraffic(t traffic) *traffic {
	const minutes = 24 * 60
	for i := range minutes {
		t.mean += t.rate((float64(i)+0.5)/60) / minutes
	}
	return &t
}

// hourOf is the hour of the day in UTC, with its fraction.
func hourOf(at event.Time) float64 {
	s := at.Std()
	return float64(s.Hour()) + float64(s.Minute())/60 + float64(s.Second())/3600
}
