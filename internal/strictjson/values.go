package strictjson

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Null takes the next value if it is null.
func (r *Reader) Null() bool {
	if r.err != nil || r.peek() != 'n' {
		return false
	}
	return r.literal("null")
}

// Text takes a string.
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

// Loose takes a string, or a number or a boolean as its text: what an id or a name is to a sender
// whose language knows no types.
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

// Bool takes true or false.
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

// Pair takes an array of exactly a string and a number, and nothing else.
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

// Skip takes any value and ignores it; it must be JSON within the limits.
func (r *Reader) Skip() {
	if r.err != nil {
		return
	}
	start := r.pos
	if r.skip(min(r.limits.Depth, maxDepth)-r.depth) && !utf8.ValidString(r.s[start:r.pos]) {
		r.mend([]byte(r.s[start:r.pos]))
	}
}

// Raw takes any value and returns its text. It checks no more than where the value ends: UTF-8,
// names, numbers' sizes and nesting below 1,000 levels are left to whoever reads the text.
func (r *Reader) Raw() string {
	if r.err != nil {
		return ""
	}
	r.peek()
	start := r.pos
	if !r.skip(maxRawDepth) {
		return ""
	}
	return r.s[start:r.pos]
}

func (r *Reader) literal(word string) bool {
	if !strings.HasPrefix(r.s[r.pos:], word) {
		return r.syntax(noValue)
	}
	r.pos += len(word)
	return true
}
