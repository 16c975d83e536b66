package auction

import "time"

// Floors are the floors of video and audio that depend on how long a creative is. They come on top
// of the floor of the place or of the deal, in its currency.
type Floors struct {
	PerSecond float64 // CPM for a second: mincpmpersec
	Ranges    []DurationFloor
}

// DurationFloor is the floor of creatives that last from Min to Max: durfloors. Max 0: no bound.
type DurationFloor struct {
	Min, Max time.Duration
	Floor    float64 // CPM
}

// Of is the floor, as a CPM, of a creative that lasts d, where floor is that of the place or deal.
// A range takes the place of it; a price for a second is a further bound.
func (f *Floors) Of(floor float64, d time.Duration) float64 {
	inRange := false
	for _, r := range f.Ranges {
		if d < r.Min || r.Max > 0 && d > r.Max {
			continue
		}
		if !inRange || r.Floor > floor {
			floor, inRange = r.Floor, true
		}
	}
	return max(floor, f.PerSecond*d.Seconds())
}
