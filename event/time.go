package event

import (
	"strings"
	"time"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// Bounds of RFC 3339: years 0000 to 9999.
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

// Duration converts a difference of two times.
func (t Time) Duration() time.Duration { return time.Duration(t) * time.Millisecond }

// String returns t as RFC 3339 in UTC with three decimals, such as 2026-11-25T09:00:00.123Z, also
// when t is zero.
func (t Time) String() string { return string(t.appendText(make([]byte, 0, 24))) }

// AppendJSON appends t as a JSON string. A time outside of the years 0 to 9999 becomes the nearest
// one inside.
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
	dst = t.Std().AppendFormat(dst, time.RFC3339)
	ms := int(t%1000+1000) % 1000 // also before 1970
	return append(dst[:len(dst)-1], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

// ParseTime reads RFC 3339 with any offset and a fraction of any length, of which it keeps the
// milliseconds. A leap second (:60) is the first second of the next minute. The error is an *Error
// without a field.
func ParseTime(s string) (Time, error) {
	t, ok := parseTime(s)
	if !ok {
		return 0, &Error{Reason: "is " + strictjson.Quote(s) + ", which is not RFC 3339; expected a time such as 2026-11-25T09:00:00.123Z"}
	}
	return t, nil
}

func parseTime(s string) (Time, bool) {
	s = strings.ToUpper(s)
	leap := 0
	if len(s) > 19 && s[17:19] == "60" {
		s, leap = s[:17]+"59"+s[19:], 1000
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !strictTime(s) {
		return 0, false
	}
	return Time(t.UnixMilli()) + Time(leap), true
}

// strictTime refuses what time.Parse accepts beyond RFC 3339: hours of one digit, a comma before
// the fraction, and offsets of a day or of 60 minutes.
func strictTime(s string) bool {
	if s[13] != ':' || s[19] == ',' {
		return false
	}
	n := len(s)
	return s[n-1] == 'Z' || s[n-5:n-3] < "24" && s[n-2:] < "60"
}
