package strictjson

import (
	"strconv"
	"strings"
)

// Rounded says whether text is a whole number without fraction and exponent that float64 would
// round to other digits.
func Rounded(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	const exact = 15 // digits that float64 always holds
	if len(digits) <= exact || scanDigits(digits, 0) < len(digits) {
		return false
	}
	f, err := strconv.ParseFloat(text, 64)
	return err != nil || strconv.FormatFloat(f, 'f', -1, 64) != text
}

func cut(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// parseShort reads numbers without exponent whose digits are an integer below 2^53. Such an integer
// divided by an exact power of ten is rounded only once, and so correctly.
func parseShort(s string) (float64, bool) {
	const maxDigits = 15
	var mantissa int64
	digits, point := 0, -1
	i := 0
	if s[0] == '-' {
		i = 1
	}
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' {
			point = digits
			continue
		}
		if c-'0' > 9 || digits == maxDigits {
			return 0, false
		}
		mantissa = mantissa*10 + int64(c-'0')
		digits++
	}
	if mantissa == 0 && s[0] == '-' {
		return 0, false // negative zero
	}
	f := float64(mantissa)
	if s[0] == '-' {
		f = -f
	}
	if point >= 0 {
		f /= exact10[digits-point]
	}
	return f, true
}

var exact10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}
