package strictjson

import "strings"

// resync finds the end of a value at i that is not JSON: the first comma or close, outside of
// strings and comments, at which all brackets of the value are closed. A closing bracket closes the
// last open one of its kind and all that were opened since; a bracket that closes none is passed
// over. ok is false when the text ends before.
func resync(s string, i int, close byte) (end int, ok bool) {
	r := resyncer{s: s}
	before := byte(':') // the last byte that is no space; at first a value is expected
	for i < len(s) {
		c := s[i]
		switch {
		case c == '"':
			if i = r.quoted(i, '"'); i == 0 {
				return 0, false
			}
		case c == '\'' && strings.IndexByte("{[,:", before) >= 0:
			i = max(i+1, r.quoted(i, '\''))
		case c == '/':
			i = max(i+1, r.comment(i))
			continue // a comment is like space
		case len(r.open) == 0 && (c == ',' || c == close):
			return i, true
		default:
			r.bracket(c)
			i++
		}
		if c > ' ' {
			before = c
		}
	}
	return 0, false
}

type resyncer struct {
	s       string
	open    []byte // brackets
	objects int    // braces among them
	arrays  int
	none    [2]bool // by kind of comment: no end follows, so none is searched for again
}

// bracket counts c if it is a bracket. Each bracket is pushed and popped at most once, so a text
// takes linear time however its brackets are mixed.
func (r *resyncer) bracket(c byte) {
	switch {
	case c == '{':
		r.objects++
		r.open = append(r.open, c)
	case c == '[':
		r.arrays++
		r.open = append(r.open, c)
	case c == '}' && r.objects > 0:
		r.popTo('{')
	case c == ']' && r.arrays > 0:
		r.popTo('[')
	}
}

func (r *resyncer) popTo(c byte) {
	for {
		last := r.open[len(r.open)-1]
		r.open = r.open[:len(r.open)-1]
		if last == '{' {
			r.objects--
		} else {
			r.arrays--
		}
		if last == c {
			return
		}
	}
}

// quoted returns the end of the string at i, 0 when it has none. A single quote without an end on
// its line is an apostrophe.
func (r *resyncer) quoted(i int, quote byte) int {
	for i++; i < len(r.s); i++ {
		switch c := r.s[i]; {
		case c == quote:
			return i + 1
		case c == '\\':
			i++
		case c == '\n' && quote == '\'':
			return 0
		}
	}
	return 0
}

// comment returns the end of the comment at i, 0 when no comment begins there or it has no end. Two
// slashes behind a colon are part of an address.
func (r *resyncer) comment(i int) int {
	ends := [...]string{"*/", "\n"}
	kind := -1
	switch {
	case strings.HasPrefix(r.s[i:], "/*"):
		kind = 0
	case strings.HasPrefix(r.s[i:], "//") && (i == 0 || r.s[i-1] != ':'):
		kind = 1
	}
	if kind < 0 || r.none[kind] {
		return 0
	}
	n := strings.Index(r.s[i+2:], ends[kind])
	if n < 0 {
		r.none[kind] = true
		return 0
	}
	return i + 2 + n + len(ends[kind])
}
