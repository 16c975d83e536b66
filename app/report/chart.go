package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Chart is a drawing in units of the viewBox, which the page's template writes as SVG. Classes of
// the style sheet colour it, so it follows light, dark and print.
type Chart struct {
	ID, Title string
	Desc      string // what it shows, in words
	X, Y      string // what the axes are
	XTicks    []Tick
	YTicks    []Tick
	Bands     []Shape
	Lines     []Shape
	Marks     []Mark
	Bars      []Bar
	Legend    []Shape // Class and Name
}

// Tick is a mark of an axis.
type Tick struct {
	At   float64
	Text string
}

// Shape is a path.
type Shape struct{ Class, Name, Path string }

// Mark is a point. Its Title is shown where the pointer rests on it.
type Mark struct {
	Class, Title string
	X, Y, R      float64
}

// Bar is a rectangle.
type Bar struct {
	Class, Title string
	X, Y, W, H   float64
}

// The drawing's size and the edges of its plot.
const (
	chartWidth  = 460
	chartHeight = 230
	plotLeft    = 58
	plotRight   = chartWidth - 16
	plotTop     = 12
	plotBottom  = chartHeight - 40
)

// scale maps values to places on an axis.
type scale struct {
	low, high float64 // values
	from, to  float64 // places
	log       bool
}

func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return round(s.from + (v-low)/(high-low)*(s.to-s.from))
}

// round keeps drawings short: a tenth of a pixel is not seen.
func round(v float64) float64 { return math.Round(v*10) / 10 }

// ticks are round values of a scale, about n.
func (s scale) ticks(n int, write format) (all []Tick) {
	for _, v := range s.values(n) {
		all = append(all, Tick{s.at(v), write(v)})
	}
	return all
}

func (s scale) values(n int) (all []float64) {
	if s.log {
		steps := []float64{1, 2, 5}
		if math.Log10(s.high/s.low) > 2.5 {
			steps = steps[:1]
		}
		for e := math.Floor(math.Log10(s.low)); e <= math.Ceil(math.Log10(s.high)); e++ {
			for _, m := range steps {
				if v := m * math.Pow(10, e); v >= s.low*(1-1e-9) && v <= s.high*(1+1e-9) {
					all = append(all, v)
				}
			}
		}
		return all
	}
	step := roundStep((s.high - s.low) / float64(n))
	for k := math.Ceil(s.low/step - 1e-9); k*step <= s.high+step*1e-9; k++ {
		all = append(all, k*step)
	}
	return all
}

// roundStep is the least of 1, 2, 2.5 and 5 times a power of ten that is not below v.
func roundStep(v float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*base >= v*(1-1e-9) {
			return m * base
		}
	}
	return 10 * base
}

// short writes numbers of an axis with as many digits as they need.
func short(v float64) string {
	if v == 0 {
		return "0" // not -0
	}
	if math.Abs(v) >= 10_000 {
		return thousands(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// series is a line over time: a figure for some of the buckets.
type series struct {
	name    string
	buckets []int
	figures []figure
}

func newLine(name string) *series { return &series{name: name} }

// add adds the figure of a bucket. Buckets rise.
func (s *series) add(bucket int, f figure) {
	s.buckets, s.figures = append(s.buckets, bucket), append(s.figures, f)
}

// look is how a chart over time is drawn.
type look struct {
	unit      string // of the vertical axis
	reference float64
	marked    bool   // the reference is drawn
	zero      bool   // the axis begins at 0
	write     format // of values
	axis      format // of the axis' ticks
}

// overTime draws lines over the buckets of a period, with the intervals of the first as a band. It
// returns nil where no value is known.
func overTime(p *period, id, title string, l look, lines ...*series) *Chart {
	if !slices.ContainsFunc(lines, func(s *series) bool { return slices.ContainsFunc(s.figures, figure.known) }) {
		return nil
	}
	if l.write == nil {
		l.write = short
	}
	if l.axis == nil {
		l.axis = short
	}
	c := &Chart{ID: id, Title: title, X: "time (UTC)", Y: l.unit, Desc: describe(p, title, l, lines)}
	y := vertical(l, lines)
	x := scale{float64(p.from), float64(p.to), plotLeft, plotRight, false}
	c.XTicks, c.YTicks = timeTicks(p, x), y.ticks(4, l.axis)
	if l.marked && l.reference >= y.low && l.reference <= y.high {
		c.Lines = append(c.Lines, Shape{"reference", "", fmt.Sprintf("M%v %vH%v", float64(plotLeft), y.at(l.reference), float64(plotRight))})
	}
	middle := func(bucket int) float64 { return x.at(float64(p.start(bucket)+p.end(bucket)) / 2) }
	for i, s := range lines {
		class := fmt.Sprintf("line%d", i+1)
		if i == 0 {
			c.Bands = append(c.Bands, band(s, middle, y)...)
		}
		c.Lines = append(c.Lines, Shape{class, s.name, path(s, middle, y)})
		for k, f := range s.figures {
			if f.known() {
				c.Marks = append(c.Marks, Mark{class, fmt.Sprintf("%s: %s %s", moment(p.start(s.buckets[k])), s.name, f.text(l.write)), middle(s.buckets[k]), y.at(f.value), 2.5})
			}
		}
		if len(lines) > 1 {
			c.Legend = append(c.Legend, Shape{Class: class, Name: s.name})
		}
	}
	return c
}

// vertical chooses the vertical axis: all values, and of their intervals what most of them need.
// The first and the last bucket may hold few examples and wide intervals, which are cut off.
func vertical(l look, lines []*series) scale {
	low, high := math.Inf(1), math.Inf(-1)
	var halves []float64
	for _, s := range lines {
		for _, f := range s.figures {
			if !f.known() {
				continue
			}
			low, high = min(low, f.value), max(high, f.value)
			if f.bounded() {
				halves = append(halves, max(f.value-f.low, 0))
			}
		}
	}
	if l.marked && !math.IsInf(low, 0) {
		low, high = min(low, l.reference), max(high, l.reference)
	}
	if len(halves) > 0 {
		slices.Sort(halves)
		low, high = low-halves[len(halves)/2], high+halves[len(halves)/2]
	}
	if l.zero {
		low = 0
	}
	switch {
	case math.IsInf(low, 0):
		low, high = 0, 1
	case high-low < 1e-12*max(math.Abs(high), 1e-9):
		pad := max(math.Abs(high)/10, 1e-6)
		high += pad
		if !l.zero {
			low -= pad
		}
	default:
		pad := (high - low) / 20
		high += pad
		if !l.zero {
			low -= pad
		}
	}
	return scale{low, high, plotBottom, plotTop, false}
}

// path joins neighbouring buckets of a line. It breaks where a bucket has no value.
func path(s *series, middle func(int) float64, y scale) string {
	var b strings.Builder
	last := -2
	for k, f := range s.figures {
		if !f.known() {
			continue
		}
		command := byte('L')
		if s.buckets[k] != last+1 {
			command = 'M'
		}
		fmt.Fprintf(&b, "%c%v %v", command, middle(s.buckets[k]), y.at(f.value))
		last = s.buckets[k]
	}
	return b.String()
}

// band is the area of the intervals of a line, in pieces without gaps.
func band(s *series, middle func(int) float64, y scale) (all []Shape) {
	clip := func(v float64) float64 { return min(max(y.at(v), plotTop), plotBottom) }
	for k := 0; k < len(s.figures); {
		end := k
		for end < len(s.figures) && s.figures[end].bounded() && (end == k || s.buckets[end] == s.buckets[end-1]+1) {
			end++
		}
		if end == k {
			k++
			continue
		}
		var there, back strings.Builder
		for i := k; i < end; i++ {
			fmt.Fprintf(&there, "%c%v %v", "ML"[min(i-k, 1)], middle(s.buckets[i]), clip(s.figures[i].high))
			j := end - 1 - (i - k)
			fmt.Fprintf(&back, "L%v %v", middle(s.buckets[j]), clip(s.figures[j].low))
		}
		all = append(all, Shape{Class: "band", Path: there.String() + back.String() + "Z"})
		k = end
	}
	return all
}

// describe tells a chart in words: how its first line begins, ends, and how far it went.
func describe(p *period, title string, l look, lines []*series) string {
	var out []string
	for _, s := range lines {
		var first, last, least, most figure
		n, leastAt, mostAt := 0, 0, 0
		for k, f := range s.figures {
			if !f.known() {
				continue
			}
			if n++; n == 1 {
				first, least, most, leastAt, mostAt = f, f, f, s.buckets[k], s.buckets[k]
			}
			last = f
			if f.value < least.value {
				least, leastAt = f, s.buckets[k]
			}
			if f.value > most.value {
				most, mostAt = f, s.buckets[k]
			}
		}
		if n == 0 {
			continue
		}
		out = append(out, fmt.Sprintf("%s begins at %s and ends at %s; it is lowest, %s, at %s, and highest, %s, at %s", s.name,
			l.write(first.value), l.write(last.value), l.write(least.value), moment(p.start(leastAt)), l.write(most.value), moment(p.start(mostAt))))
	}
	if len(out) == 0 {
		return title + " over time: no value is known."
	}
	return title + " over time: " + strings.Join(out, ". ") + "."
}

// timeTicks are at most six round times. Midnights have their date.
func timeTicks(p *period, x scale) (all []Tick) {
	width := widths[0]
	for _, w := range widths {
		if width = w; (p.to-p.from)/w <= 6 {
			break
		}
	}
	for t := floor(p.from+width-1, width); t <= p.to; t += width {
		all = append(all, Tick{x.at(float64(t)), timeText(t, width)})
		if len(all) > 12 {
			break
		}
	}
	return all
}

func timeText(t, width event.Time) string {
	day := event.Time(24 * time.Hour / time.Millisecond)
	switch {
	case width >= 365*day:
		return t.Std().Format("2006-01")
	case t%day == 0:
		return t.Std().Format("Jan 2")
	case width < 60_000:
		return t.Std().Format("15:04:05")
	}
	return t.Std().Format("15:04")
}
