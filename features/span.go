package features

import (
	"fmt"

	"github.com/clickloop/clickloop/event"
)

const (
	minute = event.Time(60 * 1000)
	hour   = 60 * minute
	day    = 24 * hour
)

// span is the time that a window or a half-life looks back on, cut into tiles. The zero span is all
// time.
type span struct {
	window   event.Time
	halfLife event.Time
	tiles
}

// halfLives is how far back a half-life looks, as a multiple of it: older events weigh less than
// 2^-8.
const halfLives = 8

// Bounds of windows and half-lives: a window below one tile says nothing, and above a year a
// profile grows too large.
const (
	minSpan = 5 * minute
	maxSpan = 366 * day
)

// newSpan reads the window or half-life of a profile; which names the one that an error is about.
func newSpan(window, halfLife string) (s span, which string, err error) {
	switch {
	case window != "" && halfLife != "":
		return s, "half_life", fmt.Errorf("is given beside window; expected one of them")
	case window != "":
		which = "window"
		s.window, err = parseSpan(window)
	case halfLife != "":
		which = "half_life"
		s.halfLife, err = parseSpan(halfLife)
	default:
		return s, "", nil
	}
	if err == nil && s.length() > maxSpan {
		err = fmt.Errorf("is %q, which looks back more than 366 days (a half-life: 8 times its length)", window+halfLife)
	}
	s.tiles = tilesFor(s.length())
	return s, which, err
}

// parseSpan reads a duration of whole minutes.
func parseSpan(s string) (event.Time, error) {
	d, err := event.ParseDuration(s)
	if span := event.Time(d.Milliseconds()); err == nil && span >= minSpan && span%minute == 0 {
		return span, nil
	}
	return 0, fmt.Errorf("is %q; expected a whole number of m, h, d or w, such as 10m, 1h or 7d, at least 5m", s)
}

// length is how far back the span looks; 0 for all time.
func (s span) length() event.Time { return s.window + halfLives*s.halfLife }

// tiles are how a span is cut.
type tiles struct {
	hop     event.Time // length of one
	hopName string     // in the name of a series
}

func tilesFor(length event.Time) tiles {
	switch {
	case length < 12*hour:
		return tiles{5 * minute, "5m"}
	case length < 12*day:
		return tiles{hour, "1h"}
	}
	return tiles{day, "1d"}
}

// first is the oldest tile that the span covers at t; the newest is t's own.
func (s span) first(t event.Time) int64 { return tileOf(t-s.length(), s.hop) }

// age is the time since an event, and whether the window covers it. An event ahead of the clock is
// 0 old.
func (s span) age(when, now event.Time) (age event.Time, covered bool) {
	age = max(now-when, 0)
	return age, s.window == 0 || age <= s.window
}

// slack is how far the newest event of a profile may be ahead of a request: the clocks of
// collectors and scorers differ, and partitions are folded at different speeds.
const slack = hour

// keep is the number of tiles that a series needs for the span: those that it can cover, and those
// of slack, because the newest tile may belong to an event ahead of the request.
func (s span) keep() int64 {
	tiles := (s.length() + s.hop - 1) / s.hop
	ahead := (slack + s.hop - 1) / s.hop
	return int64(tiles + ahead + 1)
}

// tileOf is the number of t's tile: floor(t/hop).
func tileOf(t, hop event.Time) int64 {
	tile := t / hop
	if t%hop < 0 {
		tile--
	}
	return int64(tile)
}
