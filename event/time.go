package event

import (
	"time"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// msPerDay is the number of milliseconds in a day of UTC: Time knows no leap seconds.
const msPerDay = 24 * 60 * 60 * 1000

// Bounds of what RFC 3339 can write: years 0000 to 9999.
const (
	minTime Time = -62167219200000
	maxTime Time = 253402300799999
)

// TimeOf converts t, truncated to milliseconds. The zero time.Time, which says that there is none,
// gives the zero Time.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// Std converts t to the standard library's time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add returns t + d, truncated to milliseconds.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

// Sub returns t - u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Millisecond }

// Duration is a difference of two times as the standard library's.
func (t Time) Duration() time.Duration { return time.Duration(t) * time.Millisecond }

// String returns t as RFC 3339 in UTC with three decimals, such as 2026-11-25T09:00:00.123Z, also
// when t is zero.
func (t Time) String() string { return string(t.appendText(make([]byte, 0, 24))) }

// AppendJSON appends t as a JSON string. Times outside the years 0 to 9999 are moved to the nearest
// that RFC 3339 can write.
func (t Time) AppendJSON(dst []byte) []byte {
	dst = append(dst, '"')
	dst = t.appendText(dst)
	return append(dst, '"')
}

// MarshalText is String, for encoding packages.
func (t Time) MarshalText() ([]byte, error) { return t.appendText(nil), nil }

// UnmarshalText is ParseTime, for encoding packages.
func (t *Time) UnmarshalText(b []byte) error {
	parsed, err := ParseTime(string(b))
	if err == nil {
		*t = parsed
	}
	return err
}

func (t Time) appendText(dst []byte) []byte {
	t = min(max(t, minTime), maxTime)
	days := int64(t) / msPerDay
	ms := int64(t) % msPerDay
	if ms < 0 {
		ms += msPerDay
		days--
	}
	year, month, day := civil(days)
	dst = appendDigits(dst, year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, month, 2)
	dst = append(dst, '-')
	dst = appendDigits(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendDigits(dst, int(ms/3600000), 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, int(ms/60000%60), 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, int(ms/1000%60), 2)
	dst = append(dst, '.')
	dst = appendDigits(dst, int(ms%1000), 3)
	return append(dst, 'Z')
}

// appendDigits appends n with leading zeros up to width.
func appendDigits(dst []byte, n, width int) []byte {
	for div := pow10[width-1]; div > 0; div /= 10 {
		dst = append(dst, byte('0'+n/div%10))
	}
	return dst
}

var pow10 = [...]int{1, 10, 100, 1000}

// ParseTime reads RFC 3339 with any offset and a fraction of any length (what is below a
// millisecond is cut off). A leap second (:60) is the first moment of the next minute. The error is
// an *Error without a field.
func ParseTime(s string) (Time, error) {
	t, ok := parseTime(s)
	if !ok {
		return 0, &Error{Reason: "is " + strictjson.Quote(s) + ", which is not RFC 3339; expected a time such as 2026-11-25T09:00:00.123Z"}
	}
	return t, nil
}

func parseTime(s string) (Time, bool) {
	const base = len("2006-01-02T15:04:05")
	if len(s) < base+1 || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, okYear := digits(s[0:4])
	month, okMonth := digits(s[5:7])
	day, okDay := digits(s[8:10])
	hour, okHour := digits(s[11:13])
	minute, okMinute := digits(s[14:16])
	second, okSecond := digits(s[17:19])
	if !(okYear && okMonth && okDay && okHour && okMinute && okSecond) || month < 1 || month > 12 || day < 1 ||
		day > monthDays(year, month) || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	rest := s[base:]
	ms := 0
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n]-'0' <= 9 {
			if n <= 3 {
				ms += int(rest[n]-'0') * pow10[3-n]
			}
			n++
		}
		if n == 1 {
			return 0, false
		}
		rest = rest[n:]
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return 0, false
	}
	seconds := daysOf(year, month, day)*86400 + int64(hour)*3600 + int64(minute)*60 + int64(second) - offset
	return Time(seconds*1000 + int64(ms)), true
}

// parseOffset reads Z or ±hh:mm and returns it in seconds east of UTC.
func parseOffset(s string) (int64, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':' {
		return 0, false
	}
	hour, okHour := digits(s[1:3])
	minute, okMinute := digits(s[4:6])
	if !okHour || !okMinute || hour > 23 || minute > 59 {
		return 0, false
	}
	offset := int64(hour)*3600 + int64(minute)*60
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int(d)
	}
	return n, true
}

func monthDays(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysOf counts the days from 1970-01-01 in the proleptic Gregorian calendar. Years run from March,
// so that the leap day is a year's last, and an era is 400 years of 146,097 days.
func daysOf(year, month, day int) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*((month+9)%12)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return int64(era)*146097 + int64(dayOfEra) - 719468
}

// civil is the inverse of daysOf.
func civil(days int64) (year, month, day int) {
	days += 719468
	era := floorDiv(int(days), 146097)
	dayOfEra := int(days) - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*shifted+2)/5 + 1
	month = (shifted+2)%12 + 1
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
