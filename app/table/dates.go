package table

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// dateForm is a way to write dates. The dates of a column have one form, with or without seconds,
// fractions and zones.
type dateForm struct {
	name string // in model files
	like string // an example, for notices
	// clock reports whether the text has a time of the day.
	parse func(s string) (t time.Time, clock, ok bool)
}

// dateForms are tried in this order. Whole numbers are dates only in a column that is named like a
// time, see judgeDates.
var dateForms = []dateForm{
	{"iso", "2026-01-31", orderedDate("ymd", '-')},
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

// twins are forms that a date up to the twelfth day of a month fits alike.
var twins = map[string]string{"d/m/y": "m/d/y", "m/d/y": "d/m/y"}

func formOf(name string) *dateForm {
	i := slices.IndexFunc(dateForms, func(f dateForm) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &dateForms[i]
}

// whole reports whether dates of the form are whole numbers.
func (f *dateForm) whole() bool { return f.name == "yyyymmdd" || strings.HasPrefix(f.name, "unix") }

// orderedDate parses three numbers in the given order, and a time of the day if one follows.
func orderedDate(order string, separator byte) func(string) (time.Time, bool, bool) {
	return func(s string) (t time.Time, clock, ok bool) {
		var year, month, day int
		rest := s
		for i := range order {
			n := 0
			for n < len(rest) && digit(rest[n]) {
				n++
			}
			if n == 0 || n > 4 { // most cells of other columns end here
				return t, false, false
			}
			v, _ := strconv.Atoi(rest[:n])
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

// dayAndClock combines a day with the text after it: nothing, or T or a space and a time of the
// day, with a zone or without. The zone changes nothing, so that the hour is the one that is
// written.
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

// clockOf parses 10:00, 10:00:00 and 10:00:00.250, each with AM or PM after it or without.
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

// zoneOK reports whether s is a zone, or empty.
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

// wordLayouts are dates with names of months, without the day of the week and the time of the day.
var wordLayouts = []string{"2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2 2006", "2-Jan-2006", "2-Jan-06", "2/Jan/2006"}

// wordDate parses dates with names of months: 31 Jan 2026, January 31, 2026 10:00, Sat, 31 Jan 2026
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

// compactDate parses 20260131.
func compactDate(s string) (t time.Time, clock, ok bool) {
	if len(s) != 8 {
		return t, false, false
	}
	n, ok := wholeNumber(s)
	if !ok || n < 1900_01_01 || n > 2100_12_31 {
		return t, false, false
	}
	return dayAndClock(int(n/10000), int(n/100%100), int(n%100), "")
}

// wholeNumber parses a whole number. It checks the first byte before strconv does, whose errors
// allocate: every cell of the sample comes here.
func wholeNumber(s string) (int64, bool) {
	if s == "" || !digit(s[0]) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// unixDate parses whole numbers of seconds, or of fractions of them, from the year 2000 up to 2050.
// parts is the number of fractions in a second.
func unixDate(parts int64) func(string) (time.Time, bool, bool) {
	return func(s string) (time.Time, bool, bool) {
		n, ok := wholeNumber(s)
		if !ok || n < 946_684_800*parts || n >= 2_524_608_000*parts {
			return time.Time{}, false, false
		}
		return time.UnixMilli(n * 1000 / parts).UTC(), true, true
	}
}

var weekdays = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// dateParts are the suffixes of the fields that a date's calendar parts become.
var dateParts = []string{".hour", ".weekday", ".month", ".day", daysPart, agePart}

const (
	daysPart = ".days" // since 1970
	agePart  = ".age"  // days up to the row's own time, which only a recording has
)

// appendParts appends the calendar parts of t.
func appendParts(dst event.Fields, c *Column, t time.Time, clock bool) event.Fields {
	add := func(part string, v event.Value) {
		if name, ok := c.partNames[part]; ok {
			dst = append(dst, event.Field{Name: name, Value: v})
		}
	}
	number := func(part string, v float64) { add(part, event.Value{Kind: event.Number, Num: v}) }
	if clock {
		number(".hour", float64(t.Hour()))
	}
	add(".weekday", event.Value{Kind: event.String, Str: weekdays[t.Weekday()]})
	number(".month", float64(t.Month()))
	number(".day", float64(t.Day()))
	number(daysPart, float64(t.UnixMilli())/millisADay)
	return dst
}

const millisADay = 24 * 60 * 60 * 1000.0
