package table

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// dateForm is a way to write dates. A column has one of them, but for details: seconds, fractions
// and zones may be there or not.
type dateForm struct {
	name  string // as it stands in models
	like  string // an example, for notices
	parse func(s string) (t time.Time, clock, ok bool)
}

// dateForms are looked through in this order. Whole numbers are dates only where the column's name
// says so, see looksLikeDates.
var dateForms = []dateForm{
	{"iso", "2026-01-31", isoDate},
	{"y/m/d", "2026/01/31", orderedDate("ymd", '/')},
	{"d.m.y", "31.01.2026", orderedDate("dmy", '.')},
	{"d/m/y", "31/01/2026", orderedDate("dmy", '/')},
	{"m/d/y", "01/31/2026", orderedDate("mdy", '/')},
	{"d-m-y", "31-01-2026", orderedDate("dmy", '-')},
	{"words", "31 Jan 2026", wordDate},
	{"yyyymmdd", "20260131", compactDate},
	{"unix", "1769817600", unixDate(1)},
	{"unix_ms", "1769817600000", unixDate(1000)},
}

// twins are forms that a date of a day up to the twelfth does not tell apart.
var twins = map[string]string{"d/m/y": "m/d/y", "m/d/y": "d/m/y"}

func formOf(name string) *dateForm {
	i := slices.IndexFunc(dateForms, func(f dateForm) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &dateForms[i]
}

// whole says whether the form is one of whole numbers.
func (f *dateForm) whole() bool { return f.name == "yyyymmdd" || strings.HasPrefix(f.name, "unix") }

// isoDate reads 2026-01-31, alone or before a time of the day.
func isoDate(s string) (time.Time, bool, bool) { return orderedDate("ymd", '-')(s) }

// orderedDate reads three numbers in the given order, with a time of the day behind them or not.
func orderedDate(order string, separator byte) func(string) (time.Time, bool, bool) {
	return func(s string) (t time.Time, clock, ok bool) {
		var year, month, day int
		rest := s
		for i := range order {
			n := 0
			for n < len(rest) && digit(rest[n]) {
				n++
			}
			v, err := strconv.Atoi(rest[:n])
			if err != nil || n > 4 {
				return t, false, false
			}
			rest = rest[n:]
			switch order[i] {
			case 'y':
				if year = v; n != 4 {
					return t, false, false
				}
			case 'm':
				month = v
			case 'd':
				day = v
			}
			if i < 2 {
				if rest == "" || rest[0] != separator {
					return t, false, false
				}
				rest = rest[1:]
			}
		}
		return dayAndClock(year, month, day, rest)
	}
}

// dayAndClock makes a time of a day and what stands behind it: nothing, or T or a space and a time
// of the day, with a zone or not. The parts are those that are written, whatever the zone is.
func dayAndClock(year, month, day int, rest string) (t time.Time, clock, ok bool) {
	t = time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if year < 1000 || t.Day() != day || int(t.Month()) != month {
		return t, false, false
	}
	if rest == "" {
		return t, false, true
	}
	if rest[0] != ' ' && rest[0] != 'T' && rest[0] != 't' && rest[0] != '_' {
		return t, false, false
	}
	seconds, zone, ok := clockOf(strings.TrimLeft(rest[1:], " "))
	if !ok || !zoneOK(zone) {
		return t, false, false
	}
	return t.Add(time.Duration(seconds * float64(time.Second)).Truncate(time.Millisecond)), true, true
}

// clockOf reads 10:00, 10:00:00, 10:00:00.250 and those with AM or PM behind them.
func clockOf(s string) (seconds float64, rest string, ok bool) {
	var parts [3]float64
	n := 0
	for n < 3 {
		end := 0
		for end < len(s) && (digit(s[end]) || n == 2 && (s[end] == '.' || s[end] == ',')) {
			end++
		}
		v, err := strconv.ParseFloat(strings.Replace(s[:end], ",", ".", 1), 64)
		if err != nil || n > 0 && v >= 61 || end > 12 {
			return 0, s, false
		}
		parts[n], s = v, s[end:]
		if n++; s == "" || s[0] != ':' {
			break
		}
		s = s[1:]
	}
	half := strings.ToUpper(strings.TrimLeft(s, " "))
	switch {
	case n < 2 || parts[0] > 24:
		return 0, s, false
	case strings.HasPrefix(half, "PM") && parts[0] < 12:
		parts[0] += 12
	case strings.HasPrefix(half, "AM") && parts[0] == 12:
		parts[0] = 0
	}
	if strings.HasPrefix(half, "AM") || strings.HasPrefix(half, "PM") {
		s = half[2:]
	}
	return parts[0]*3600 + parts[1]*60 + parts[2], s, true
}

// zoneOK says whether s is a zone, or nothing.
func zoneOK(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" {
		return true
	}
	if s[0] == '+' || s[0] == '-' {
		return len(s) >= 3 && len(s) <= 6 && strings.Trim(s[1:], "0123456789:") == ""
	}
	return len(s) <= 5 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" || s == "z"
}

// wordLayouts are forms with names of months, without what stands before a comma and without a
// clock.
var wordLayouts = []string{"2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2 2006", "2-Jan-2006", "2-Jan-06", "2/Jan/2006"}

// wordDate reads dates with names of months: 31 Jan 2026, January 31, 2026 10:00, Sat, 31 Jan 2026
// 10:00:00 GMT.
func wordDate(s string) (t time.Time, clock, ok bool) {
	if len(s) < len("2-Jan-06") || len(s) > 40 || !strings.ContainsAny(s, "0123456789") || !strings.ContainsAny(s, "JFMASONDjfmasond") {
		return t, false, false
	}
	if day, rest, found := strings.Cut(s, ","); found && len(day) >= 3 && strings.Trim(day, "abcdefghijklmnopqrstuvwxyzMTWFS") == "" {
		s = strings.TrimLeft(rest, " ")
	}
	s = strings.Replace(s, ",", "", 1)
	rest := ""
	if colon := strings.IndexByte(s, ':'); colon > 0 {
		cut := strings.LastIndexByte(s[:colon], ' ')
		// 31/Jan/2026:10:00:00, of web servers
		if slash := strings.LastIndexByte(s[:colon], '/'); cut < 0 && slash > 0 {
			cut = colon
		}
		if cut < 0 {
			return t, false, false
		}
		s, rest = s[:cut], " "+s[cut+1:]
	}
	for _, layout := range wordLayouts {
		if d, err := time.Parse(layout, s); err == nil {
			return dayAndClock(d.Year(), int(d.Month()), d.Day(), rest)
		}
	}
	return t, false, false
}

// compactDate reads 20260131.
func compactDate(s string) (t time.Time, clock, ok bool) {
	if len(s) != 8 {
		return t, false, false
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1900_01_01 || n > 2100_12_31 {
		return t, false, false
	}
	return dayAndClock(n/10000, n/100%100, n%100, "")
}

// unixDate reads whole numbers of seconds, or of parts of them, of this century up to 2050.
func unixDate(parts int64) func(string) (time.Time, bool, bool) {
	return func(s string) (time.Time, bool, bool) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 946_684_800*parts || n >= 2_524_608_000*parts {
			return time.Time{}, false, false
		}
		return time.UnixMilli(n * 1000 / parts).UTC(), true, true
	}
}

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// dateParts are the fields that a date has beside itself, by what stands behind its column's name.
var dateParts = []string{".hour", ".weekday", ".month", ".day", daysPart, agePart}

const (
	daysPart = ".days" // since 1970
	agePart  = ".age"  // days up to the row's own time, of which only a recording knows
)

// appendParts appends the calendar parts of t.
func appendParts(dst event.Fields, c *Column, t time.Time, clock bool) event.Fields {
	number := func(part string, v float64) {
		if name, ok := c.parts[part]; ok {
			dst = append(dst, event.Field{Name: name, Value: event.Value{Kind: event.Number, Num: v}})
		}
	}
	if clock {
		number(".hour", float64(t.Hour()))
	}
	if name, ok := c.parts[".weekday"]; ok {
		dst = append(dst, event.Field{Name: name, Value: event.Value{Kind: event.String, Str: weekdays[t.Weekday()]}})
	}
	number(".month", float64(t.Month()))
	number(".day", float64(t.Day()))
	number(daysPart, float64(t.UnixMilli())/millisADay)
	return dst
}

const millisADay = 24 * 60 * 60 * 1000.0
