// Package strictjson reads and writes the JSON of the loop: a Reader walks one text in order and
// names the place of an error, an Object writes the members of an object, and the Split functions
// cut a body into events so that a broken event spares the others.
//
// The Reader accepts only JSON (RFC 8259) in UTF-8, within Limits and without repeated names. What
// is written stands on one line and reads back to the same bits. README.md compares the package
// with libraries.
package strictjson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clickloop/clickloop/internal/field"
)

// Limits bound what a Reader accepts.
type Limits struct {
	Bytes int // length of the text
	Depth int // nesting of objects and arrays, at most 32
}

const maxDepth = 32

// Kind is the kind of a JSON value.
type Kind uint8

// Kinds of JSON values.
const (
	KindInvalid Kind = iota // no value starts here
	KindEnd                 // the text has ended
	KindObject
	KindArray
	KindString
	KindNumber
	KindBool
	KindNull
)

// Reader walks one JSON text in order. Object and Key step through an object, Array and Element
// through an array. Between two steps the caller reads exactly one value (Text, Number, Skip and
// others), or steps into it.
//
// The first error is kept and ends all steps; from then on the methods return zero values. A null
// reads as the zero value, an empty object or an empty array. Strings share the memory of the text
// unless it escapes something. Half a character (a lone surrogate, as in a title that was cut in
// the middle of an emoji) reads as U+FFFD.
//
// One goroutine at a time may use a Reader, and may use it again after Reset.
type Reader struct {
	s      string
	pos    int
	limits Limits
	err    *field.Error

	depth    int // frames[1..depth] are the objects and arrays that are open
	frames   [maxDepth + 1]frame
	names    names
	opened   int // objects and arrays so far
	replaced int // halves of characters that became U+FFFD so far
}

// frame is an open object or array.
type frame struct {
	name    string // of the member being read
	index   int    // of the element being read
	base    int    // where the names of the object start in names.all
	mask    uint64 // of the names so far: a name whose bit is not set is new
	id      int
	array   bool
	started bool // a member or an element has been read
	null    bool // stands for null: has no members
}

// Reset starts to read s.
func (r *Reader) Reset(s string, limits Limits) {
	r.s, r.pos, r.limits, r.err = s, 0, limits, nil
	r.depth, r.opened, r.replaced = 0, 0, 0
	r.names.reset()
	if len(s) > limits.Bytes {
		r.FailField("", fmt.Sprintf("is too large: %d bytes, at most %d are allowed", len(s), limits.Bytes))
	}
}

// Replaced counts the halves of characters that were read as U+FFFD.
func (r *Reader) Replaced() int { return r.replaced }

// Err returns the first error, a *field.Error, or nil.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// End checks that only space follows. It returns the first error.
func (r *Reader) End() error {
	if r.err == nil {
		if k := r.Kind(); k != KindEnd || r.depth != 0 {
			r.syntax("expected the end")
		}
	}
	return r.Err()
}

// Fail keeps an error about the value being read, such as "is empty", unless there is one already.
func (r *Reader) Fail(reason string) { r.FailField(r.Path(), reason) }

// FailField is Fail about another place than the one being read.
func (r *Reader) FailField(path, reason string) {
	if r.err == nil {
		r.err = &field.Error{Field: path, Reason: reason}
	}
}

// Path names the place being read, such as "candidates[3].ad".
func (r *Reader) Path() string {
	var b strings.Builder
	for i := 1; i <= r.depth; i++ {
		f := &r.frames[i]
		switch {
		case !f.started:
		case f.array:
			b.WriteString("[" + strconv.Itoa(f.index) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(f.name)
		}
	}
	const limit = 200
	if b.Len() > limit {
		return strings.ToValidUTF8(b.String()[:limit], "") + "..."
	}
	return b.String()
}

// Kind returns the kind of the next value and does not read it.
func (r *Reader) Kind() Kind {
	if r.err != nil {
		return KindInvalid
	}
	switch c := r.peek(); {
	case c == '{':
		return KindObject
	case c == '[':
		return KindArray
	case c == '"':
		return KindString
	case c == '-' || c-'0' <= 9:
		return KindNumber
	case c == 't' || c == 'f':
		return KindBool
	case c == 'n':
		return KindNull
	case c == 0 && r.pos >= len(r.s):
		return KindEnd
	}
	return KindInvalid
}

// Object steps into the next value, an object. Key then steps through its members until it returns
// false.
func (r *Reader) Object() bool { return r.enter('{', "an object", false) }

// Array steps into the next value, an array. Element then steps through it until it returns false.
func (r *Reader) Array() bool { return r.enter('[', "an array", true) }

func (r *Reader) enter(open byte, expected string, array bool) bool {
	if r.err != nil {
		return false
	}
	null := false
	if r.peek() != open {
		if null = r.Null(); !null {
			r.mismatch(expected)
			return false
		}
	} else {
		r.pos++
	}
	if r.depth >= min(r.limits.Depth, maxDepth) {
		r.Fail(fmt.Sprintf("is nested too deep: at most %d levels are allowed", r.limits.Depth))
		return false
	}
	r.depth++
	r.opened++
	r.frames[r.depth] = frame{array: array, null: null, base: len(r.names.all), id: r.opened}
	return true
}

// Key steps to the next member and reads its name. It returns false behind the last member, when it
// leaves the object, and after an error.
func (r *Reader) Key() bool {
	if !r.step('}') {
		return false
	}
	if r.peek() != '"' {
		return r.syntax("expected a name in quotes")
	}
	name, ok := r.scanString()
	if !ok {
		return false
	}
	f := &r.frames[r.depth]
	f.name, f.started = name, true
	if r.peek() != ':' {
		return r.syntax("expected ':' after a name")
	}
	r.pos++
	if !r.names.add(f, name) {
		r.Fail("is given twice")
		return false
	}
	return true
}

// Element steps to the next element. It returns false behind the last element, when it leaves the
// array, and after an error.
func (r *Reader) Element() bool {
	if !r.step(']') {
		return false
	}
	f := &r.frames[r.depth]
	if f.started {
		f.index++
	}
	f.started = true
	return true
}

// step passes the comma before a member or an element, or leaves the object or array.
func (r *Reader) step(end byte) bool {
	if r.err != nil {
		return false
	}
	f := &r.frames[r.depth]
	if f.null {
		r.leave(f)
		return false
	}
	c := r.peek()
	switch {
	case c == end:
		r.pos++
		r.leave(f)
		return false
	case !f.started:
		return true
	case c != ',':
		return r.syntax("expected ',' or '" + string(end) + "'")
	}
	r.pos++
	if r.peek() == end {
		return r.syntax("expected a value after ','")
	}
	return true
}

func (r *Reader) leave(f *frame) {
	r.names.all = r.names.all[:f.base]
	r.depth--
}

// Name is the name of the member that Key has stepped to.
func (r *Reader) Name() string { return r.frames[r.depth].name }

// Index is the index of the element that Element has stepped to.
func (r *Reader) Index() int { return r.frames[r.depth].index }

// Skip reads any value and ignores it. The value must be JSON within the limits.
func (r *Reader) Skip() {
	if r.err != nil {
		return
	}
	start := r.pos
	if r.skip(min(r.limits.Depth, maxDepth)-r.depth) && !utf8.ValidString(r.s[start:r.pos]) {
		r.mend([]byte(r.s[start:r.pos]))
	}
}

// Raw reads any value and returns its text. It checks only where the value ends: UTF-8, names, the
// sizes of numbers and nesting below 1,000 levels are left to whoever reads the text.
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

// skip passes the next value, of any kind, if it nests no deeper than depth.
func (r *Reader) skip(depth int) bool {
	r.peek()
	end, reason := skipValue(r.s, r.pos, depth)
	switch {
	case reason == tooDeep:
		r.Fail(reason)
		return false
	case reason != "":
		r.pos = end
		return r.syntax(reason)
	}
	r.pos = end
	return true
}

// peek passes space and returns the next byte, 0 at the end.
func (r *Reader) peek() byte {
	for r.pos < len(r.s) {
		c := r.s[r.pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		r.pos++
	}
	return 0
}

var kindNames = [...]string{KindEnd: "is missing", KindObject: "is an object", KindArray: "is an array", KindString: "is a string",
	KindNumber: "is a number", KindBool: "is a boolean", KindNull: "is null"}

// mismatch reports that the next value is of another kind than expected.
func (r *Reader) mismatch(expected string) {
	k := r.Kind()
	if k == KindInvalid || k == KindEnd {
		r.syntax(noValue)
		return
	}
	r.Fail(kindNames[k] + ", expected " + expected)
}

// syntax reports that the text is not JSON. It returns false for the convenience of its callers.
func (r *Reader) syntax(what string) bool {
	if what == noValue || what == noNumber {
		what += found(r.s[min(r.pos, len(r.s)):])
	}
	r.FailField("", "is not JSON: byte "+strconv.Itoa(r.pos+1)+": "+what)
	return false
}

// Reasons of syntax that go on with the word that was found instead.
const (
	noValue  = "expected a value"
	noNumber = "this is no number"
)

// found names the word that s begins with, such as NaN or 'text', for the end of a reason.
func found(s string) string {
	end := strings.IndexAny(s, ",]}\"\n")
	if end < 0 {
		end = len(s)
	}
	if word := strings.TrimSpace(s[:end]); word != "" {
		return ", found " + Quote(word)
	}
	return ""
}
