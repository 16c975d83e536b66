package strictjson

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Null reads the next value if it is null.
func (r *Reader) Null() bool {
	if r.err != nil || r.peek() != 'n' {
		return false
	}
	return r.literal("null")
}

// Text reads a string.
func (r *Reader) Text() string {
	if r.err != nil {
		return ""
	}
	if r.peek() == '"' {
		s, _ := r.scanString()
		return s
	}
	if !r.Null() {
		r.mismatch("a string")
	}
	return ""
}

// Loose reads a string, or a number or boolean as text. Senders whose languages have no types give
// ids and names as any of these.
func (r *Reader) Loose() string {
	switch r.Kind() {
	case KindNumber:
		f, digits := r.Exact()
		if digits != "" || r.err != nil {
			return digits
		}
		return string(AppendNumber(make([]byte, 0, 24), f))
	case KindBool:
		return strconv.FormatBool(r.Bool())
	}
	return r.Text()
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	if r.err != nil {
		return false
	}
	switch r.peek() {
	case 't':
		return r.literal("true")
	case 'f':
		r.literal("false")
		return false
	}
	if !r.Null() {
		r.mismatch("true or false")
	}
	return false
}

// Pair reads an array of exactly one string and one number. It reads nothing else.
func (r *Reader) Pair() (text string, number float64, ok bool) {
	if r.err != nil || r.peek() != '[' {
		return "", 0, false
	}
	start := r.pos
	r.pos++
	if r.peek() == '"' {
		text, ok = r.scanString()
		if ok && r.peek() == ',' {
			r.pos++
			if r.Kind() == KindNumber {
				number = r.Number()
				if r.peek() == ']' {
					r.pos++
					return text, number, true
				}
			}
		}
	}
	r.pos = start
	return "", 0, false
}

func (r *Reader) literal(word string) bool {
	if !strings.HasPrefix(r.s[r.pos:], word) {
		return r.syntax(noValue)
	}
	r.pos += len(word)
	return true
}

// NumberText reads a number and returns it as it is written. The text is empty after null and after
// an error.
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

// Number reads a number. A number beyond float64 is an error.
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

// Exact reads a number. A whole number that float64 would round (beyond 2^53) is returned as digits
// instead: it is an id, and rounding would make one id of two.
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

// Integer reads a whole number of at most 64 bits without fraction and exponent.
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

// scanString reads the string that starts at pos.
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

// unescape continues scanString at the first backslash, which stands at i.
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

// mend reads a string that is not UTF-8. Surrogates that are encoded as if they were characters
// (CESU-8) become the character of which they are halves, or U+FFFD. Any other wrong byte refuses
// the string, since it is a sign of another encoding.
func (r *Reader) mend(b []byte) (string, bool) {
	mended, replaced := mendSurrogates(b)
	if !utf8.Valid(mended) {
		r.Fail("is not valid UTF-8")
		return "", false
	}
	r.replaced += replaced
	return string(mended), true
}
