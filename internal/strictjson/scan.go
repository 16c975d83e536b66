package strictjson

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanString takes the string that starts at pos.
func (r *Reader) scanString() (string, bool) {
	s, start := r.s, r.pos+1
	var seen byte
	for i := start; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"':
			r.pos = i + 1
			if seen >= utf8.RuneSelf && !utf8.ValidString(s[start:i]) {
				return r.mend([]byte(s[start:i]))
			}
			return s[start:i], true
		case c == '\\':
			return r.unescape(start, i)
		case c < ' ':
			r.pos = i
			return "", r.syntax("a control character in a string must be escaped")
		}
		seen |= c
	}
	r.pos = len(s)
	return "", r.syntax("a string has no end")
}

// unescape goes on with scanString from the first backslash, at i.
func (r *Reader) unescape(start, i int) (string, bool) {
	s := r.s
	buf := append(make([]byte, 0, i-start+32), s[start:i]...)
	for i < len(s) {
		c := s[i]
		switch {
		case c == '"':
			r.pos = i + 1
			if !utf8.Valid(buf) {
				return r.mend(buf)
			}
			return string(buf), true
		case c < ' ':
			r.pos = i
			return "", r.syntax("a control character in a string must be escaped")
		case c != '\\':
			buf = append(buf, c)
			i++
			continue
		}
		if i+1 >= len(s) {
			break
		}
		if s[i+1] != 'u' {
			plain := unescaped[s[i+1]]
			if plain == 0 {
				r.pos = i
				return "", r.syntax("an escape that JSON does not know")
			}
			buf = append(buf, plain)
			i += 2
			continue
		}
		char, size := unescapeRune(s[i:])
		if size == 0 {
			r.pos = i
			return "", r.syntax(`expected four hexadecimal digits after \u`)
		}
		if utf16.IsSurrogate(char) {
			r.replaced++
		}
		buf = utf8.AppendRune(buf, char) // a surrogate is appended as U+FFFD
		i += size
	}
	r.pos = len(s)
	return "", r.syntax("a string has no end")
}

// unescaped maps the letter after a backslash to its character.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescapeRune reads \uXXXX, or two of them that make a surrogate pair; size is 0 when the digits
// are none. A surrogate is returned for half a pair: a text that was cut in the middle of a
// character.
func unescapeRune(s string) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if low, ok := hex4(s[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return r, 6
}

// mend is for a string that is not UTF-8. Surrogates that were written as if they were characters
// (CESU-8) become the character of which they are halves, or U+FFFD; any other wrong byte refuses
// the string, since it tells of another encoding.
func (r *Reader) mend(b []byte) (string, bool) {
	mended, replaced := mendSurrogates(b)
	if !utf8.Valid(mended) {
		r.Fail("is not valid UTF-8")
		return "", false
	}
	r.replaced += replaced
	return string(mended), true
}

func mendSurrogates(b []byte) (mended []byte, replaced int) {
	mended = make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		first := surrogate(b[i:])
		if first == 0 {
			mended = append(mended, b[i])
			i++
			continue
		}
		i += 3
		char := utf16.DecodeRune(first, surrogate(b[i:]))
		if char == utf8.RuneError {
			replaced++
		} else {
			i += 3
		}
		mended = utf8.AppendRune(mended, char)
	}
	return mended, replaced
}

// surrogate returns the surrogate that b begins with, encoded as UTF-8 would if it were a
// character; else 0.
func surrogate(b []byte) rune {
	if len(b) < 3 || b[0] != 0xed || b[1] < 0xa0 || b[1] > 0xbf || b[2]&0xc0 != 0x80 {
		return 0
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f)
}

// hex4 reads the digits of \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 {
		return 0, false
	}
	var r rune
	for i := 2; i < 6; i++ {
		c := s[i]
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// scanNumber returns where the number that starts at i ends; 0 when none does.
func scanNumber(s string, i int) int {
	if i < len(s) && s[i] == '-' {
		i++
	}
	switch {
	case i >= len(s):
		return 0
	case s[i] == '0':
		i++
	case s[i]-'1' <= 8:
		i = scanDigits(s, i)
	default:
		return 0
	}
	if i < len(s) && s[i] == '.' {
		from := i + 1
		if i = scanDigits(s, from); i == from {
			return 0
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		from := i + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if i = scanDigits(s, from); i == from {
			return 0
		}
	}
	return i
}

func scanDigits(s string, i int) int {
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// NumberText takes a number and returns it as it is written; empty after null and after an error.
func (r *Reader) NumberText() string { return r.numberText("a number") }

func (r *Reader) numberText(expected string) string {
	if r.err != nil {
		return ""
	}
	if c := r.peek(); c != '-' && c-'0' > 9 {
		if !r.Null() {
			r.mismatch(expected)
		}
		return ""
	}
	end := scanNumber(r.s, r.pos)
	if end == 0 {
		r.syntax(noNumber)
		return ""
	}
	text := r.s[r.pos:end]
	r.pos = end
	return text
}

// Number takes a number; one beyond float64 is an error.
func (r *Reader) Number() float64 {
	text := r.numberText("a number")
	if text == "" {
		return 0
	}
	if f, ok := parseShort(text); ok {
		return f
	}
	return r.parseLong(text)
}

func (r *Reader) parseLong(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		r.Fail("is " + cut(text) + ", which is too large for a number")
		return 0
	}
	return f
}

// Exact takes a number. Where it is a whole number that float64 would round (beyond 2^53), digits
// holds it instead: such numbers are ids, and rounding would make one id of two.
func (r *Reader) Exact() (f float64, digits string) {
	text := r.numberText("a number")
	if text == "" {
		return 0, ""
	}
	if f, ok := parseShort(text); ok {
		return f, ""
	}
	if Rounded(text) {
		return 0, text
	}
	return r.parseLong(text), ""
}

// Rounded says whether text is a whole number, written without fraction and exponent, that float64
// does not hold: the nearest that it holds has other digits.
func Rounded(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	const exact = 15 // digits that float64 always holds
	if len(digits) <= exact || scanDigits(digits, 0) < len(digits) {
		return false
	}
	f, err := strconv.ParseFloat(text, 64)
	return err != nil || strconv.FormatFloat(f, 'f', -1, 64) != text
}

// Integer takes a whole number of at most 64 bits, written without fraction and exponent.
func (r *Reader) Integer() int64 {
	text := r.numberText("a whole number")
	if text == "" {
		return 0
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r.Fail("is " + cut(text) + ", expected a whole number of at most 64 bits")
		return 0
	}
	return i
}

func cut(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// parseShort reads numbers whose digits make an integer below 2^53 and that have no exponent: such
// an integer divided by an exact power of ten is rounded once, hence correctly.
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
