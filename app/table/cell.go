package table

import (
	"math"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Cell returns the value of a cell of a CSV file: null if it is empty, a finite number, or a text
// without the spaces around it.
func Cell(s string) event.Value {
	v := CellOf(s)
	v.Str = strings.Clone(v.Str)
	return v
}

// CellOf is Cell without a copy: a text shares the memory of s.
func CellOf(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	if f, ok := Number(s); ok {
		return event.Value{Kind: event.Number, Num: f}
	}
	if space(s[0]) || space(s[len(s)-1]) { // such as those of "1, 2"
		return CellOf(strings.Trim(s, " \t"))
	}
	return event.Value{Kind: event.String, Str: s}
}

// plainOf is CellOf for a column of inputs. There two spellings become one value only if both can
// only mean the same number: digits that a number would not keep stay a text, and coded is true.
func plainOf(s string) (v event.Value, coded bool) {
	v = CellOf(s)
	if v.Kind != event.Number || !codeLike(s, v.Num) {
		return v, false
	}
	return event.Value{Kind: event.String, Str: strings.Trim(s, " \t")}, true
}

// codeLike reports whether s, the text of a number f, looks like a code. A code has leading zeros
// (zip codes), an exponent without a sign or a point (1E3 is a code; programs write 1e+03 and
// 1.5e3), a plus before many digits (telephone numbers), or more digits than f keeps.
func codeLike(s string, f float64) bool {
	if len(s) == 1 || len(s) < 8 && s[0] != '0' && s[0] != '-' && s[0] != '+' && s[0] != ' ' && s[0] != '\t' && !hasExponent(s) {
		return false
	}
	s = strings.Trim(s, " \t")
	digits := strings.TrimLeft(s, "+-")
	if len(digits) > 1 && digits[0] == '0' && digit(digits[1]) {
		return true
	}
	whole := true
	for i := range len(digits) {
		switch c := digits[i]; {
		case digit(c):
		case c == 'e' || c == 'E':
			return whole && i+1 < len(digits) && digit(digits[i+1])
		default:
			whole = false
		}
	}
	if s[0] == '+' && whole && len(digits) >= 7 {
		return true
	}
	return math.Abs(f) >= 1<<53 && !survives(digits, f)
}

// survives reports whether f has all digits of a number that is written without an exponent.
func survives(digits string, f float64) bool {
	whole, fraction, _ := strings.Cut(digits, ".")
	return strings.Trim(fraction, "0") == "" && whole == strconv.FormatFloat(math.Abs(f), 'f', -1, 64)
}

func hasExponent(s string) bool {
	for i := range len(s) {
		if s[i]|0x20 == 'e' {
			return true
		}
	}
	return false
}

func digit(c byte) bool { return c-'0' <= 9 }

func space(c byte) bool { return c == ' ' || c == '\t' }

// Number parses a finite decimal number. It refuses words such as nan and inf, and hexadecimal
// numbers.
func Number(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	if f, ok := short(s); ok {
		return f, true
	}
	if c := s[0]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' {
		return 0, false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; c == 'x' || c == 'n' || c == 'p' || s[i] == '_' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// short parses the numbers that most data has: up to fifteen digits, with a point or without. Their
// digits and their power of ten are both exact in floating point. One division therefore gives the
// result of strconv (Clinger, How to Read Floating Point Numbers Accurately, 1990), in a third of
// the time.
func short(s string) (float64, bool) {
	digits, at := s, 0
	if s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) > 16 {
		return 0, false
	}
	n, point := uint64(0), -1
	for ; at < len(digits); at++ {
		switch c := digits[at]; {
		case c-'0' <= 9:
			n = 10*n + uint64(c-'0')
		case c == '.' && point < 0:
			point = at
		default:
			return 0, false
		}
	}
	f := float64(n)
	switch {
	case point >= 0:
		if at == 1 {
			return 0, false // a point alone
		}
		f /= tens[at-1-point]
	case at == 0 || at > 15:
		return 0, false
	}
	if s[0] == '-' {
		f = -f
	}
	return f, true
}

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}
