package event

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendString appends s as a JSON string on one line: quotes, backslashes, control characters and
// line separators are escaped, and bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			start = i + size
		case r == '\u2028' || r == '\u2029': // line ends to some readers of lines
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&15])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendNumber appends f as a JSON number, in the shortest form that reads back to the same bits;
// null when f is NaN or infinite.
func AppendNumber(dst []byte, f float64) []byte {
	if i := int64(f); float64(i) == f && i > -1e15 && i < 1e15 && (i != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(dst, i, 10)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 || abs == 0 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, 64)
}

// finite says whether f can be written as a JSON number.
func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// line builds one JSON object in the order in which its members are added.
type line struct {
	dst   []byte
	start int
}

func newLine(dst []byte) line {
	dst = append(dst, '{')
	return line{dst: dst, start: len(dst)}
}

func (l *line) end() []byte { return append(l.dst, '}') }

// key starts a member; name must need no escapes.
func (l *line) key(name string) {
	if len(l.dst) > l.start {
		l.dst = append(l.dst, ',')
	}
	l.dst = append(l.dst, '"')
	l.dst = append(l.dst, name...)
	l.dst = append(l.dst, '"', ':')
}

// name is key for names that come from outside.
func (l *line) name(name string) {
	if len(l.dst) > l.start {
		l.dst = append(l.dst, ',')
	}
	l.dst = AppendString(l.dst, name)
	l.dst = append(l.dst, ':')
}

func (l *line) text(name, value string) {
	if value != "" {
		l.key(name)
		l.dst = AppendString(l.dst, value)
	}
}

// must is text also when value is empty.
func (l *line) must(name, value string) {
	l.key(name)
	l.dst = AppendString(l.dst, value)
}

func (l *line) time(name string, t Time) {
	if t != 0 {
		l.key(name)
		l.dst = t.AppendJSON(l.dst)
	}
}

// flag writes true, or nothing.
func (l *line) flag(name string, value bool) {
	if value {
		l.key(name)
		l.dst = append(l.dst, "true"...)
	}
}

func (l *line) number(name string, f float64) {
	l.key(name)
	l.dst = AppendNumber(l.dst, f)
}

// optional is number unless f is 0, NaN or infinite.
func (l *line) optional(name string, f float64) {
	if f != 0 && finite(f) {
		l.number(name, f)
	}
}

// defined is number unless f is nil, NaN or infinite.
func (l *line) defined(name string, f *float64) {
	if f != nil && finite(*f) {
		l.number(name, *f)
	}
}

func (l *line) integer(name string, i int64) {
	l.key(name)
	l.dst = strconv.AppendInt(l.dst, i, 10)
}

// fields writes f; nothing when it is empty and not required.
func (l *line) fields(name string, f Fields, required bool) {
	if len(f) > 0 || required {
		l.key(name)
		l.dst = f.AppendJSON(l.dst)
	}
}
