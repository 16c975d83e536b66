package event

import (
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
		v := r.exact()
		return v.Text()
	case KindBool:
		return r.boolText()
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

// Time takes a string with a time in RFC 3339.
func (r *Reader) Time() Time {
	s := r.Text()
	if s == "" && r.err == nil && r.s[r.pos-1] != '"' { // null
		return 0
	}
	if r.err != nil {
		return 0
	}
	t, err := ParseTime(s)
	if err != nil {
		r.Fail(err.(*Error).Reason)
	}
	return t
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
