package report

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
)

// Bounds of segments. Segments that the objective asks for come first; then texts among the
// features, as long as they have few values: an id is no segment.
const (
	maxSegments  = 2000 // in all
	maxValues    = 50   // of a feature that nobody asked to split by
	showSegments = 15   // in each table of the page
)

// segments are the examples by values of fields.
type segments struct {
	names   map[string]*segmentName
	n       int
	leftOut int64 // examples whose value came when there was no room
}

// segmentName is a field whose values are segments.
type segmentName struct {
	asked  bool
	values map[string]*segment
	many   bool // it has too many values to be one
}

// segment is the sums of the examples that have one value of one field.
type segment struct {
	name, value string
	now, was    sums // of the period, and of the span before
}

// sums add up examples.
type sums struct {
	examples, positives       int64
	weight, predicted, actual float64
}

func (s *sums) add(x *event.Example) {
	s.examples++
	if x.Y >= 0.5 {
		s.positives++
	}
	s.weight += x.W
	s.predicted += x.W * x.P
	s.actual += x.W * x.Y
}

func newSegments() *segments { return &segments{names: map[string]*segmentName{}} }

// add counts an example in each of its segments.
func (s *segments) add(x *event.Example, at side) {
	for _, f := range x.Segment {
		s.count(f.Name, f.Value.Text(), true, x, at)
	}
	for _, f := range x.Features {
		if f.Value.Kind == event.String {
			if _, asked := x.Segment.Lookup(f.Name); !asked {
				s.count(f.Name, f.Value.Str, false, x, at)
			}
		}
	}
}

func (s *segments) count(name, value string, asked bool, x *event.Example, at side) {
	of := s.names[name]
	if of == nil {
		if len(s.names) >= maxSegments {
			s.leftOut++
			return
		}
		of = &segmentName{asked: asked, values: map[string]*segment{}}
		s.names[name] = of
	}
	if of.many {
		return
	}
	v := of.values[value]
	if v == nil {
		switch {
		case !asked && len(of.values) >= maxValues:
			s.n -= len(of.values)
			of.many, of.values = true, nil
			return
		case s.n >= maxSegments:
			s.leftOut++
			return
		}
		v = &segment{name: name, value: value}
		of.values[value] = v
		s.n++
	}
	if at == before {
		v.was.add(x)
	} else {
		v.now.add(x)
	}
}

// all are the segments with examples in the period, sorted by name and value. A feature with one
// value only splits nothing and is left out, unless somebody asked for it.
func (s *segments) all() (list []*segment) {
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		of := s.names[name]
		if !of.asked && len(of.values) < 2 {
			continue
		}
		for _, value := range slices.Sorted(maps.Keys(of.values)) {
			if v := of.values[value]; v.now.examples > 0 {
				list = append(list, v)
			}
		}
	}
	return list
}

// calibration is predicted over actual of the sums.
func (s *sums) calibration(z float64) figure { return ratio(s.predicted, s.actual, s.positives, z) }

// distance is how far predicted over actual certainly is from 1, as a logarithm: 0 where its
// interval holds 1.
func (v *segment) distance(z float64) float64 {
	f := v.now.calibration(z)
	if !f.known() { // no positives: only their number can be too low
		_, high := poisson(0, z)
		return math.Log(max(v.now.predicted/high, 1))
	}
	return max(math.Log(f.low), -math.Log(f.high), 0)
}

// worst are the segments whose calibration is off by more than chance, the furthest first. The
// intervals are wide enough for all segments to be looked at at once (Bonferroni).
func worst(all []*segment) []*segment {
	if len(all) == 0 {
		return nil
	}
	z := normalQuantile(alpha / 2 / float64(len(all)))
	off := slices.DeleteFunc(slices.Clone(all), func(v *segment) bool { return v.distance(z) == 0 })
	slices.SortStableFunc(off, func(a, b *segment) int { return cmp.Compare(b.distance(z), a.distance(z)) })
	return off
}

// busiest are the segments with most examples first.
func busiest(all []*segment) []*segment {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b *segment) int { return cmp.Compare(b.now.examples, a.now.examples) })
	return sorted
}
