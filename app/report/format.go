package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// none is shown where a value is not known.
const none = "–"

// moment is a time of the page, in UTC. Seconds are shown where there are any.
func moment(t event.Time) string {
	s := t.Std()
	switch {
	case t%1000 != 0:
		return s.Format("2006-01-02 15:04:05.000")
	case t%60_000 != 0:
		return s.Format("2006-01-02 15:04:05")
	}
	return s.Format("2006-01-02 15:04")
}

// span is a length of time in two units, such as 11 h 27 min.
func span(d time.Duration) string {
	units := []struct {
		length time.Duration
		name   string
	}{{365 * 24 * time.Hour, "years"}, {24 * time.Hour, "days"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}}
	for i, u := range units {
		if d < u.length {
			continue
		}
		n := d / u.length
		out := fmt.Sprintf("%d %s", n, singular(u.name, int64(n)))
		if i+1 < len(units) {
			if rest := (d - n*u.length) / units[i+1].length; rest > 0 {
				out += fmt.Sprintf(" %d %s", rest, singular(units[i+1].name, int64(rest)))
			}
		}
		return out
	}
	return "0 ms"
}

func singular(unit string, n int64) string {
	if n == 1 && len(unit) > 3 {
		return strings.TrimSuffix(unit, "s")
	}
	return unit
}

// thousands writes a count with commas.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// exact is a number as CSV has it; empty where it is none.
func exact(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// A format writes a value of a figure for people.
type format func(float64) string

// decimals is a format of n decimals.
func decimals(n int) format {
	return func(v float64) string {
		if s := strconv.FormatFloat(v, 'f', n, 64); s != "-"+strconv.FormatFloat(0, 'f', n, 64) {
			return s
		}
		return strconv.FormatFloat(0, 'f', n, 64)
	}
}

// percent is a format of shares, with three digits that count.
func percent(v float64) string {
	v *= 100
	switch a := math.Abs(v); {
	case a == 0:
		return "0%"
	case a < 0.1:
		return strconv.FormatFloat(v, 'f', 4, 64) + "%"
	case a < 10:
		return strconv.FormatFloat(v, 'f', 2, 64) + "%"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + "%"
}

// amount is a format of money in units: cents, and more decimals of small sums.
func amount(v float64) string {
	places := 2
	for a := math.Abs(v); a > 0 && a < 1 && places < 6; a *= 10 {
		places++
	}
	s := strconv.FormatFloat(v, 'f', places, 64)
	whole, rest, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return s
	}
	sign := ""
	if n == 0 && v < 0 {
		sign = "-"
	}
	return sign + thousands(n) + "." + rest
}

// label is a cell of text.
func label(s string) Cell { return Cell{Text: s, Values: []string{s}} }

// when is a cell of a time.
func when(t event.Time) Cell { return Cell{Text: moment(t), Values: []string{t.String()}} }

// count is a cell of a count.
func count(n int64) Cell { return Cell{Text: thousands(n), Values: []string{strconv.FormatInt(n, 10)}} }

// value is a cell of a number; NaN is not known.
func value(v float64, f format) Cell {
	if math.IsNaN(v) {
		return Cell{Text: none, Values: []string{""}}
	}
	return Cell{Text: f(v), Values: []string{exact(v)}}
}

// defined is a number that may be missing.
func defined(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// figure is a number with the interval of 95% that it is known within.
type figure struct {
	value     float64 // NaN: not known
	low, high float64 // NaN: no interval is known
}

// figureOf takes a metric of an evaluation.
func figureOf(v *float64, i *event.Interval) figure {
	f := figure{defined(v), math.NaN(), math.NaN()}
	if i != nil {
		f.low, f.high = i[0], i[1]
	}
	return f
}

// certain is a figure that was counted, and has no interval.
func certain(v float64) figure { return figure{v, math.NaN(), math.NaN()} }

func (f figure) known() bool { return !math.IsNaN(f.value) }

func (f figure) bounded() bool { return f.known() && !math.IsNaN(f.low) && !math.IsNaN(f.high) }

// text is the figure in words: 0.277 (0.273 to 0.281).
func (f figure) text(write format) string {
	c := f.cell(write)
	if c.Range == "" {
		return c.Text
	}
	return c.Text + " (" + c.Range + ")"
}

// upper writes the upper end of an interval, which may have none.
func upper(v float64, write format) string {
	if math.IsInf(v, 1) {
		return "any"
	}
	return write(v)
}

// cell is a cell of an estimate.
func (f figure) cell(write format) Cell {
	c := Cell{Text: none, Values: []string{exact(f.value), exact(f.low), exact(f.high)}}
	if f.known() {
		c.Text = write(f.value)
	}
	if f.bounded() {
		c.Range = write(f.low) + " to " + upper(f.high, write)
	}
	return c
}
