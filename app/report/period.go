package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// period is the span of time of a report, with as long a span before it.
type period struct {
	from, to event.Time
	width    event.Time // of a bucket, in milliseconds
	first    event.Time // start of the first bucket, at or before from
	middle   event.Time // where the second half begins
}

// side is a part of the data that is counted apart.
type side int

// The sides. What is in neither half of the period nor in the span before it is outside.
const (
	before side = iota
	firstHalf
	secondHalf
	sides
	outside side = -1
)

// maxBuckets is how many buckets a period has at most, so that its tables can be read.
const maxBuckets = 30

// widths of buckets, in milliseconds.
var widths = func() (all []event.Time) {
	for _, d := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour,
	} {
		all = append(all, event.Time(d.Milliseconds()))
	}
	return all
}()

// newPeriod divides from <= t < to into buckets that begin at whole multiples of their width in
// UTC.
func newPeriod(from, to event.Time) *period {
	p := &period{from: from, to: to, middle: from + (to-from)/2}
	for _, w := range widths {
		p.width, p.first = w, floor(from, w)
		if p.buckets() <= maxBuckets {
			break
		}
	}
	for p.buckets() > maxBuckets { // of more than a human life
		p.width *= 2
		p.first = floor(from, p.width)
	}
	return p
}

// floor is the last multiple of width at or before t.
func floor(t, width event.Time) event.Time {
	rest := t % width
	if rest < 0 {
		rest += width
	}
	return t - rest
}

// buckets is how many buckets the period has.
func (p *period) buckets() int { return int((p.to - p.first + p.width - 1) / p.width) }

// bucket is the number of the bucket of a time in the period.
func (p *period) bucket(t event.Time) int { return int((t - p.first) / p.width) }

// start is when a bucket begins.
func (p *period) start(bucket int) event.Time { return max(p.first+event.Time(bucket)*p.width, p.from) }

// end is when a bucket ends.
func (p *period) end(bucket int) event.Time { return min(p.first+event.Time(bucket+1)*p.width, p.to) }

// earliest is where the span before the period begins.
func (p *period) earliest() event.Time { return p.from - (p.to - p.from) }

// side tells where a time lies.
func (p *period) side(t event.Time) side {
	switch {
	case t < p.earliest() || t >= p.to:
		return outside
	case t < p.from:
		return before
	case t < p.middle:
		return firstHalf
	}
	return secondHalf
}

// length is how long the period is, up to what a Duration holds.
func (p *period) length() time.Duration { return min(p.to-p.from, math.MaxInt64/1_000_000).Duration() }

func (p *period) String() string {
	return fmt.Sprintf("%s to %s UTC (%s)", moment(p.from), moment(p.to), span(p.length()))
}

// PeriodError says which bound of the period is wrong, and how to mend it.
type PeriodError struct{ Flag, Reason string }

func (e *PeriodError) Error() string { return "--" + e.Flag + " " + e.Reason }

// beginning is the From that takes all data.
const beginning = "beginning"

// bounds finds the period between the oldest and the newest data.
func bounds(from, to string, oldest, newest event.Time) (*period, error) {
	const minute = event.Time(60_000)
	start, end := floor(oldest, minute), floor(newest, minute)+minute
	var err error
	if to != "" {
		if end, err = parseBound("to", to, newest); err != nil {
			return nil, err
		}
	}
	switch from {
	case beginning:
	case "":
		start = max(start, end.Add(-24*time.Hour))
	default:
		if start, err = parseBound("from", from, end); err != nil {
			return nil, err
		}
	}
	if start >= end {
		which := &PeriodError{"from", fmt.Sprintf("(%s) is not before --to (%s); the data reaches from %s to %s", start, end, oldest, newest)}
		if _, err := time.Parse(time.DateOnly, from); err == nil && start == end {
			which.Reason = fmt.Sprintf("and --to are the same midnight; for that whole day, give --to %s", end.Add(24*time.Hour).Std().Format(time.DateOnly))
		}
		if from == "" || from == beginning {
			which = &PeriodError{"to", fmt.Sprintf("(%s) is not after the beginning of the data, which reaches from %s to %s", end, oldest, newest)}
		}
		return nil, which
	}
	return newPeriod(start, end), nil
}

// parseBound parses a bound of the period. A duration counts back from the time origin.
func parseBound(flag, s string, origin event.Time) (event.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return event.TimeOf(day), nil
	}
	if t, err := event.ParseTime(s); err == nil {
		return t, nil
	}
	d, err := event.ParseDuration(strings.TrimPrefix(s, "-"))
	if err != nil {
		return 0, &PeriodError{flag, fmt.Sprintf("is %q, want RFC 3339 such as 2026-11-25T09:00:00Z, a date such as 2026-11-25, or a duration such as 24h or 7d", s)}
	}
	return origin.Add(-d), nil
}
