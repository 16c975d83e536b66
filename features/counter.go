package features

import (
	"math"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/event"
)

// counter is a sum in a profile over a span: a total in one field, or a series of tiles.
type counter struct {
	field string // of the total, or the name of the series
	span  span   // zero for a total
	tally int    // index of its tally in a reading, for a series
}

// addCounter gives a counter over a series its tally, and lists it under the series' name.
func (s *Set) addCounter(entity int, c *counter) *counter {
	c.tally = s.tallies
	s.tallies++
	counters := s.entities[entity].counters
	counters[c.field] = append(counters[c.field], c)
	return c
}

// reading is what aggregates read at one time: the fields of a profile, and the tallies of all
// series.
type reading struct {
	at      event.Time
	fields  map[string]string
	tallies []tally
}

// tally is what a span covers of a series at one time.
type tally struct {
	n     int64  // sum of the tiles, for a window
	tiles []tile // for a half-life, which sums in the order of time
}

// reset begins a reading with n empty tallies.
func (r *reading) reset(at event.Time, n int) {
	r.at = at
	r.tallies = slices.Grow(r.tallies[:0], n)[:n]
	for i := range r.tallies {
		t := &r.tallies[i]
		t.n, t.tiles = 0, t.tiles[:0]
	}
}

// tallySeries adds a profile's tiles to the tallies of the counters over their series.
func (r *reading) tallySeries(counters map[string][]*counter, p Profile) {
	if len(counters) == 0 || len(p.Fields) == 0 {
		return
	}
	if p.series == nil { // it does not come from a Store
		p = newProfile(p.Fields)
	}
	for i := range p.series {
		for _, c := range counters[p.series[i].name] {
			r.tallies[c.tally].add(&c.span, p.series[i].tiles, r.at)
		}
	}
}

func (t *tally) add(s *span, tiles []tile, at event.Time) {
	first, newest := s.first(at), tileOf(at, s.hop)
	for _, tile := range tiles {
		switch {
		case tile.number < first || tile.number > newest:
		case s.halfLife > 0:
			t.tiles = append(t.tiles, tile)
		default:
			t.n += tile.n
		}
	}
}

// total is the sum over a counter's span, decayed where it has a half-life.
func (r *reading) total(c *counter) float64 {
	switch {
	case c.span.halfLife > 0:
		return c.span.decayed(r.tallies[c.tally].tiles, r.at)
	case c.span.window > 0:
		return float64(r.tallies[c.tally].n)
	}
	total, _ := strconv.ParseInt(r.fields[c.field], 10, 64) // a missing field is 0
	return float64(total)
}

// decayed weighs each tile by 2^(-age/half-life), from the oldest on. The product is converted
// before it is added, so that no processor fuses the two.
func (s *span) decayed(tiles []tile, at event.Time) float64 {
	slices.SortFunc(tiles, func(a, b tile) int { return int(a.number - b.number) })
	var total float64
	for _, t := range tiles {
		age := max(at-event.Time(t.number)*s.hop-s.hop/2, 0)
		total += float64(float64(t.n) * math.Exp2(-float64(age)/float64(s.halfLife)))
	}
	return total
}
