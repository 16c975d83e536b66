package features

import (
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/clickloop/clickloop/event"
)

// use says what the tiles of a series are for.
type use struct {
	feature int
	over    bool // in the denominator
}

// indexSeries makes s.uses.
func (s *Set) indexSeries() {
	s.uses = make([]map[string][]use, len(s.entities))
	for i := range s.uses {
		s.uses[i] = map[string][]use{}
	}
	for i := range s.features {
		f := &s.features[i]
		if f.span == (span{}) {
			continue
		}
		uses := s.uses[f.entity]
		uses[f.field] = append(uses[f.field], use{feature: i})
		if f.over != "" {
			uses[f.over] = append(uses[f.over], use{feature: i, over: true})
		}
	}
}

// tally adds up the tiles of one aggregate.
type tally struct {
	n, over int64
	tiles   []tile // of a half-life, whose order of summing matters
	overs   []tile
}

type tile struct{ number, n int64 }

// tallies are the scratch memory of one call of Assemble.
type tallies struct{ of []tally }

var talliesPool = sync.Pool{New: func() any { return new(tallies) }}

func (s *Set) appendAggregates(dst event.Fields, r *Request, profiles map[string]Profile) event.Fields {
	if len(s.features) == 0 {
		return dst
	}
	scratch := talliesPool.Get().(*tallies)
	defer talliesPool.Put(scratch)
	scratch.reset(len(s.features))

	var fixed [8]string
	keys := fixed[:0]
	for i := range s.entities {
		key := s.entities[i].key(r)
		keys = append(keys, key)
		if key != "" {
			s.addTiles(scratch.of, s.uses[i], profiles[key], r.Time)
		}
	}
	for i := range s.features {
		f := &s.features[i]
		key := keys[f.entity]
		if key == "" {
			continue
		}
		field := event.Field{Name: f.name}
		if p := profiles[key]; profiles != nil && !p.unknown {
			field.Value = f.value(&scratch.of[i], p, r.Time)
		}
		dst = append(dst, field)
	}
	return dst
}

func (t *tallies) reset(n int) {
	if cap(t.of) < n {
		t.of = make([]tally, n)
	}
	t.of = t.of[:n]
	for i := range t.of {
		t.of[i] = tally{tiles: t.of[i].tiles[:0], overs: t.of[i].overs[:0]}
	}
}

// addTiles adds a profile's tiles to the aggregates that use them.
func (s *Set) addTiles(to []tally, uses map[string][]use, p Profile, at event.Time) {
	if len(uses) == 0 || len(p.Fields) == 0 {
		return
	}
	if p.series == nil { // it was not made by Read
		p = newProfile(p.Fields)
	}
	for i := range p.series {
		for _, u := range uses[p.series[i].name] {
			span := &s.features[u.feature].span
			first, newest := span.first(at), tileOf(at, span.hop)
			for _, t := range p.series[i].tiles {
				if t.number >= first && t.number <= newest {
					to[u.feature].add(u.over, span.halfLife > 0, t)
				}
			}
		}
	}
}

func (t *tally) add(over, decays bool, tile tile) {
	switch {
	case over && decays:
		t.overs = append(t.overs, tile)
	case decays:
		t.tiles = append(t.tiles, tile)
	case over:
		t.over += tile.n
	default:
		t.n += tile.n
	}
}

// value computes an aggregate from its tiles, or from the profile's other fields. Products are
// converted before they are added, so that no processor fuses the two.
func (f *aggregate) value(t *tally, p Profile, at event.Time) event.Value {
	switch f.kind {
	case recency, last:
		return f.latest(p, at)
	case ratio:
		over := f.total(t.over, t.overs, p.Fields[f.over], at)
		if over+f.weight == 0 {
			return event.Value{}
		}
		n := f.total(t.n, t.tiles, p.Fields[f.field], at)
		return number((n + float64(f.prior*f.weight)) / (over + f.weight))
	case sum:
		return number(f.total(t.n, t.tiles, p.Fields[f.field], at) / micro)
	}
	return number(f.total(t.n, t.tiles, p.Fields[f.field], at))
}

func number(f float64) event.Value { return event.Value{Kind: event.Number, Num: f} }

// total is a window's sum, a half-life's weighted sum, or the total that the profile holds.
func (f *aggregate) total(n int64, tiles []tile, held string, at event.Time) float64 {
	switch {
	case f.span.halfLife > 0:
		return f.span.decayed(tiles, at)
	case f.span.window > 0:
		return float64(n)
	}
	total, _ := strconv.ParseInt(held, 10, 64) // a field that is not there is 0
	return float64(total)
}

// decayed weighs each tile by 2^(-age/half-life), from the oldest on.
func (s span) decayed(tiles []tile, at event.Time) float64 {
	slices.SortFunc(tiles, func(a, b tile) int { return int(a.number - b.number) })
	var total float64
	for _, t := range tiles {
		age := max(at-event.Time(t.number)*s.hop-s.hop/2, 0)
		total += float64(float64(t.n) * math.Exp2(-float64(age)/float64(s.halfLife)))
	}
	return total
}

// latest is the seconds since the last event, or its value: null when there was none, or none
// within the window.
func (f *aggregate) latest(p Profile, at event.Time) event.Value {
	held, ok := p.Fields[f.field]
	if !ok {
		return event.Value{}
	}
	when, value, _ := SplitStamped(held)
	if f.kind == recency {
		ms, err := strconv.ParseInt(held, 10, 64)
		if err != nil {
			return event.Value{}
		}
		when = event.Time(ms)
	}
	age := max(at-when, 0)
	if f.span.window > 0 && age > f.span.window {
		return event.Value{}
	}
	if f.kind == recency {
		return number(float64(age) / 1000)
	}
	return decodeLast(value)
}
