package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/event"
)

// Bounds of what is kept of features.
const (
	maxFeatures = 500
	maxTexts    = 200  // values of a feature that are told apart; the others count together
	maxNumbers  = 4096 // bins of a feature's numbers, likewise
	deciles     = 10   // parts into which numbers are divided for the index
	someDrift   = 0.1  // of the index: worth a look
	largeDrift  = 0.25 // of the index: another distribution
)

// features counts values of features by side, to tell how their distribution changes.
type features struct {
	n       [sides]int64 // predictions
	names   map[string]*feature
	leftOut map[string]bool // names beyond maxFeatures, up to maxFeatures of them
}

// feature is the values of one name, by side.
type feature struct {
	present [sides]int64 // predictions that have a value
	texts   map[string]*[sides]int64
	numbers map[int32]*[sides]int64 // by bin
	other   [sides]int64            // values beyond the bounds
}

func newFeatures() *features {
	return &features{names: map[string]*feature{}, leftOut: map[string]bool{}}
}

func (s *features) add(fields event.Fields, at side) {
	s.n[at]++
	for i := range fields {
		f := s.names[fields[i].Name]
		if f == nil {
			if len(s.names) >= maxFeatures {
				if len(s.leftOut) < maxFeatures {
					s.leftOut[fields[i].Name] = true
				}
				continue
			}
			f = &feature{texts: map[string]*[sides]int64{}, numbers: map[int32]*[sides]int64{}}
			s.names[fields[i].Name] = f
		}
		f.add(&fields[i].Value, at)
	}
}

func (f *feature) add(v *event.Value, at side) {
	switch v.Kind {
	case event.Null:
		return
	case event.Number:
		f.count(tally(f.numbers, numberBin(v.Num), maxNumbers), at)
	case event.String:
		f.count(tally(f.texts, v.Str, maxTexts), at)
	case event.List:
		if len(v.List) == 0 {
			return
		}
		for _, t := range v.List {
			f.count(tally(f.texts, t.Token, maxTexts), at)
		}
	}
	f.present[at]++
}

func (f *feature) count(n *[sides]int64, at side) {
	if n == nil {
		n = &f.other
	}
	n[at]++
}

// tally is the counts of a key, or nil where there is no room for another one.
func tally[K comparable](m map[K]*[sides]int64, key K, most int) *[sides]int64 {
	n := m[key]
	if n == nil && len(m) < most {
		n = &[sides]int64{}
		m[key] = n
	}
	return n
}

// numberBin is the bin of a number, in the order of numbers: 16 bins for each power of two. Whole
// numbers up to 16 have a bin each.
func numberBin(v float64) int32 {
	if v == 0 || math.IsNaN(v) {
		return 0
	}
	fraction, exponent := math.Frexp(math.Abs(v)) // 0.5 <= fraction < 1
	bin := int32(exponent+1100)*16 + int32((fraction-0.5)*32) + 1
	if v < 0 {
		return -bin
	}
	return bin
}

// drifted is how a feature's distribution changed between two sides.
type drifted struct {
	name           string
	index          float64 // population stability index; NaN: a side has no prediction
	more           bool    // than chance
	missing, was   figure  // shares of predictions without the feature
	examples, then int64   // predictions of each side
	gone, come     bool    // the feature is missing everywhere on a side
}

// psi is the population stability index of counts by bin, and how many bins it has. Half a count is
// added to each bin, so that an empty one does not make it infinite.
func psi(was, now []float64) (index float64, bins int) {
	n, m := 0.0, 0.0
	for i := range was {
		if was[i]+now[i] > 0 {
			bins++
			n += was[i] + 0.5
			m += now[i] + 0.5
		}
	}
	for i := range was {
		if was[i]+now[i] > 0 {
			p, q := (was[i]+0.5)/n, (now[i]+0.5)/m
			index += (q - p) * math.Log(q/p)
		}
	}
	return index, bins
}

// compare compares all features between two groups of sides. Without drift, the index times
// nm/(n+m) is chi-squared; what exceeds that for as many features is more than chance.
func (s *features) compare(then, now []side) []drifted {
	n, m := total(s.n, then), total(s.n, now)
	var all []drifted
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		f := s.names[name]
		had, has := total(f.present, then), total(f.present, now)
		d := drifted{name: name, index: math.NaN(), was: rate(float64(n-had), float64(n)), missing: rate(float64(m-has), float64(m)), examples: m, then: n, gone: had > 0 && has == 0, come: had == 0 && has > 0}
		if n > 0 && m > 0 && had+has > 0 {
			a, b := f.binned(then, now)
			a, b = append(a, float64(n-had)), append(b, float64(m-has))
			index, bins := psi(a, b)
			d.index = index
			level := chiSquared(float64(max(bins-1, 1)), alpha/float64(len(s.names))) * (1/float64(n) + 1/float64(m))
			d.more = bins > 1 && index > level
		}
		all = append(all, d)
	}
	slices.SortStableFunc(all, func(a, b drifted) int { return cmp.Compare(orZero(b.index), orZero(a.index)) })
	return all
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func total(counts [sides]int64, of []side) (n int64) {
	for _, at := range of {
		n += counts[at]
	}
	return n
}

// binned are the counts of a feature's values by bin: each text, the numbers by the deciles of the
// first group, and all other values together.
func (f *feature) binned(then, now []side) (a, b []float64) {
	for _, t := range slices.Sorted(maps.Keys(f.texts)) {
		a, b = append(a, float64(total(*f.texts[t], then))), append(b, float64(total(*f.texts[t], now)))
	}
	x, y := f.deciles(then, now)
	a, b = append(a, x...), append(b, y...)
	return append(a, float64(total(f.other, then))), append(b, float64(total(f.other, now)))
}

// deciles joins neighbouring bins of numbers until each holds a tenth of the first group.
func (f *feature) deciles(then, now []side) (a, b []float64) {
	var sum, x, y int64
	keys := slices.Sorted(maps.Keys(f.numbers))
	for _, k := range keys {
		sum += total(*f.numbers[k], then)
	}
	for _, k := range keys {
		x, y = x+total(*f.numbers[k], then), y+total(*f.numbers[k], now)
		if x > 0 && x*deciles >= sum {
			a, b = append(a, float64(x)), append(b, float64(y))
			x, y = 0, 0
		}
	}
	if x+y > 0 {
		a, b = append(a, float64(x)), append(b, float64(y))
	}
	return a, b
}

// driftGroups are the sides that are compared: the span before with the period, or the halves of
// the period where nothing is known of before.
func (s *features) driftGroups() (then, now []side, words string) {
	if s.n[before] > 0 {
		return []side{before}, []side{firstHalf, secondHalf}, "the span before the period with the period"
	}
	return []side{firstHalf}, []side{secondHalf}, "the first half of the period with the second"
}

// drift tells how the features of predictions changed.
func (s *predictions) drift(unknown *unknowns) *Section {
	then, now, words := s.features.driftGroups()
	if total(s.features.n, then) == 0 || total(s.features.n, now) == 0 || len(s.features.names) == 0 {
		unknown.add("Drift of features: there are predictions on one side only of what would be compared, %s.", words)
		return nil
	}
	all := s.features.compare(then, now)
	out := &Section{ID: "drift", Title: "Drift of features"}
	out.say("The population stability index compares %s, feature by feature: 0 is no change, above %s is worth a look, above %s is another distribution. Texts are compared value by value, numbers by deciles, and a missing value is a value of its own.", words, strconv.FormatFloat(someDrift, 'g', -1, 64), strconv.FormatFloat(largeDrift, 'g', -1, 64))
	t := &Table{ID: "drift", Title: "Features, most drift first", Columns: []Column{
		text("Feature", "feature"), number("Index", "psi"), text("Is it drift?", "verdict"), estimate("Missing", "missing"), estimate("Missing before", "missing_before"),
	}}
	for _, d := range all {
		t.add(label(d.name), value(d.index, decimals(3)), d.verdict(), d.missing.cell(percent), d.was.cell(percent))
	}
	out.show(t)
	if n := len(s.features.leftOut); n > 0 {
		unknown.add("Drift of more than %d features: at least %d further ones were left out.", maxFeatures, n)
	}
	return out
}

// verdict is the drift in a word.
func (d *drifted) verdict() Cell {
	switch {
	case d.gone:
		return Cell{Text: "gone: missing everywhere now", Values: []string{"gone"}, Tone: "bad"}
	case d.come:
		return Cell{Text: "new: missing everywhere before", Values: []string{"new"}, Tone: "bad"}
	case !d.more || d.index < someDrift:
		return label("no")
	case d.index < largeDrift:
		return Cell{Text: "some", Values: []string{"some"}}
	}
	return Cell{Text: "large", Values: []string{"large"}, Tone: "bad"}
}

// worstDrift are the features with large drift, in words.
func (s *predictions) worstDrift() (names []string, words string) {
	then, now, words := s.features.driftGroups()
	if total(s.features.n, then) == 0 || total(s.features.n, now) == 0 {
		return nil, words
	}
	for _, d := range s.features.compare(then, now) {
		if c := d.verdict(); c.Tone == "bad" {
			names = append(names, fmt.Sprintf("%q", d.name))
		}
	}
	return names, words
}
