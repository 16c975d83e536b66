package simulate

import (
	"math"
	"testing"
	"time"
)

// A day has what an average says, whatever its curve; a stretch is the sum of its parts.
func TestADayHasItsTraffic(t *testing.T) {
	for _, tr := range []*traffic{newTraffic(traffic{perHour: 100, outage: -1}), newTraffic(traffic{perHour: 100, outage: 14}), newTraffic(traffic{perHour: 100, flat: true, outage: -1})} {
		day := tr.between(firstDay, firstDay.Add(24*time.Hour))
		if math.Abs(day-2400) > 1 {
			t.Errorf("a day has %v", day)
		}
		half := firstDay.Add(11*time.Hour + 17*time.Second)
		if parts := tr.between(firstDay, half) + tr.between(half, firstDay.Add(24*time.Hour)); math.Abs(parts-day) > 0.1 {
			t.Errorf("its parts have %v of %v", parts, day)
		}
	}
	hour := func(outage, h int) float64 {
		at := firstDay.Add(time.Duration(h) * time.Hour)
		return newTraffic(traffic{perHour: 100, outage: outage}).between(at, at.Add(time.Hour))
	}
	if peak, night := hour(-1, 20), hour(-1, 3); peak < 5*night {
		t.Errorf("the evening has %v, the night %v", peak, night)
	}
	if before, during := hour(14, 13), hour(14, 14); during > before/2 {
		t.Errorf("an outage leaves %v of %v", during, before)
	}
}
