package strictjson

import (
	"bytes"
	"fmt"
	"strconv"
	"unsafe"

	"github.com/clickloop/clickloop/internal/field"
)

// Part is one event of a body that brings several.
type Part struct {
	Text []byte // shares the body's memory
	At   int    // where it begins in the body: the number of bytes before it
	Line int    // its line, from 1, where a line is an event; else 0
	// the reason why its end cannot be found; Text is then the rest of the body
	Lost string
}

// Place names the place of a part in a body of several events. of is the name of the array, index
// the part's index in it.
func (p *Part) Place(of string, index int) string {
	if p.Line > 0 {
		return fmt.Sprintf("line %d, byte %d", p.Line, p.At+1)
	}
	return fmt.Sprintf("%s[%d], byte %d", of, index, p.At+1)
}

// SplitArray cuts a JSON array into its elements. It only needs to find the end of an element, so
// an element that is not JSON (a NaN, a comma too many, a comment) spares the others. Where the end
// cannot be found, as of a string without an end, the rest is returned as one part that is Lost.
// The text between two commas may be empty. A text that is no array and more than limit elements
// are errors.
func SplitArray(b []byte, limit int) ([]Part, error) {
	s := view(b)
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '[' {
		return nil, notA("an array", s)
	}
	var parts []Part
	add := func(from, to int, lost string) error {
		if len(parts) == limit {
			return &field.Error{Reason: fmt.Sprintf("has too many elements: at most %d are allowed", limit)}
		}
		parts = append(parts, Part{Text: b[from:to:to], At: from, Lost: lost})
		return nil
	}
	comma := false // one was passed and nothing followed it yet
	for i = skipSpace(s, i+1); ; i = skipSpace(s, i) {
		var err error
		switch {
		case i >= len(s):
			return parts, add(i, i, "is not there: the array has no end, so what came after it is lost")
		case s[i] == ']':
			if comma {
				err = add(i, i, "")
			}
			if rest := skipSpace(s, i+1); err == nil && rest < len(s) {
				err = add(rest, len(s), "follows the end of the array")
			}
			return parts, err
		case s[i] == ',':
			err = add(i, i, "")
			i++
			comma = true
		default:
			end, reason := cutValue(s, i, ']')
			if err = add(i, trimSpace(s, i, end), reason); reason != "" {
				return parts, err
			}
			if comma = s[end] == ','; comma {
				end++
			}
			i = end
		}
		if err != nil {
			return nil, err
		}
	}
}

// Member is a member of an object. Its value is not read yet.
type Member struct {
	Name string
	Part
}

// SplitObject cuts a JSON object into its members, as SplitArray does an array. The part that
// cannot be cut is a Lost member, with a name if it has one.
func SplitObject(b []byte, limit int) ([]Member, error) {
	s := view(b)
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return nil, notA("an object", s)
	}
	var members []Member
	add := func(name string, from, to int, lost string) {
		members = append(members, Member{name, Part{Text: b[from:to:to], At: from, Lost: lost}})
	}
	for i = skipSpace(s, i+1); ; i = skipSpace(s, i) {
		switch {
		case len(members) == limit:
			return nil, &field.Error{Reason: fmt.Sprintf("has too many members: at most %d are allowed", limit)}
		case i >= len(s):
			add("", i, i, "is not there: the object has no end, so what came after it is lost")
			return members, nil
		case s[i] == '}':
			if rest := skipSpace(s, i+1); rest < len(s) {
				add("", rest, len(s), "follows the end of the object")
			}
			return members, nil
		case s[i] == ',':
			i++
			continue
		}
		value, reason := skipName(s, i)
		if reason != "" {
			add("", i, len(s), lost(value-i, reason))
			return members, nil
		}
		name := nameOf(s[i:value])
		value = skipSpace(s, value)
		end, reason := cutValue(s, value, '}')
		add(name, value, trimSpace(s, value, end), reason)
		if reason != "" {
			return members, nil
		}
		i = end
	}
}

// IsObject says whether b is one JSON object. It checks brackets, names and scalars, but neither
// UTF-8 nor repeated names.
func IsObject(b []byte) bool {
	s := view(b)
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return false
	}
	end, reason := skipValue(s, i, maxRawDepth)
	return reason == "" && skipSpace(s, end) == len(s)
}

// nameOf reads a member's name from the text up to its value.
func nameOf(s string) string {
	var r Reader
	r.Reset(s, Limits{Bytes: len(s), Depth: 1})
	return r.Text()
}

// SplitLines cuts JSON lines into lines, without empty ones and byte order marks. More than limit
// lines are an error.
func SplitLines(b []byte, limit int) ([]Part, error) {
	var parts []Part
	at, number := 0, 0
	for line := range bytes.Lines(b) {
		number++
		text := bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(line), []byte(bom)))
		if len(text) > 0 {
			if len(parts) == limit {
				return nil, &field.Error{Reason: fmt.Sprintf("has too many lines: at most %d are allowed", limit)}
			}
			parts = append(parts, Part{Text: text, At: at + bytes.Index(line, text), Line: number})
		}
		at += len(line)
	}
	return parts, nil
}

const bom = "\ufeff"

// cutValue returns the end of the value that starts at i in an array or object that ends with
// close: the comma or the close behind the value, or the next object where only the comma is
// missing. When the end cannot be found, reason says why.
func cutValue(s string, i int, close byte) (end int, reason string) {
	strict, wrong := skipValue(s, i, maxRawDepth)
	if wrong == "" {
		if end = skipSpace(s, strict); end < len(s) && (s[end] == ',' || s[end] == close || s[i] == '{' && s[end] == '{') {
			return end, ""
		}
		wrong = "expected ',' or '" + string(close) + "'"
	}
	if end, ok := resync(s, i, close); ok {
		return end, ""
	}
	return len(s), lost(strict-i, wrong)
}

// lost is the reason of a lost part. at counts from its beginning.
func lost(at int, reason string) string {
	return "is not JSON: byte " + strconv.Itoa(at+1) + ": " + reason + "; nobody can tell where it ends, so the rest of the body is lost"
}

// notA is the error for a text that is no array or object.
func notA(what, s string) error {
	var r Reader
	r.Reset(s, Limits{Bytes: len(s), Depth: 1})
	r.mismatch(what)
	return r.Err()
}

// view is b as a string that shares its memory. It may be used only while b does not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// trimSpace moves to back over space, at most to from.
func trimSpace(s string, from, to int) int {
	for to > from && (s[to-1] == ' ' || s[to-1] == '\n' || s[to-1] == '\t' || s[to-1] == '\r') {
		to--
	}
	return to
}
