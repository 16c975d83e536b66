package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/go-json-experiment/json/jsontext"
)

// This file takes the place of reader.go, values.go, names.go and half of scan.go, with the same
// Reader over jsontext.Decoder. What it leaves out is in the README.

// Limits bound what a Reader accepts.
type Limits struct{ Bytes, Depth int }

const maxDepth = 32

// Kind is the kind of a JSON value.
type Kind uint8

const (
	KindInvalid Kind = iota
	KindEnd
	KindObject
	KindArray
	KindString
	KindNumber
	KindBool
	KindNull
)

// Reader walks one JSON text in order.
type Reader struct {
	s        string
	buf      bytes.Buffer
	dec      *jsontext.Decoder
	limits   Limits
	err      *field.Error
	depth    int
	frames   [maxDepth + 1]frame
	replaced int
}

type frame struct {
	name    string
	index   int
	array   bool
	null    bool
	started bool
}

var options = []jsontext.Options{jsontext.AllowInvalidUTF8(true)}

func (r *Reader) Reset(s string, limits Limits) {
	r.s, r.limits, r.err, r.depth, r.replaced = s, limits, nil, 0, 0
	r.buf = *bytes.NewBuffer(unsafe.Slice(unsafe.StringData(s), len(s)))
	if r.dec == nil {
		r.dec = jsontext.NewDecoder(&r.buf, options...)
	} else {
		r.dec.Reset(&r.buf, options...)
	}
	if len(s) > limits.Bytes {
		r.FailField("", fmt.Sprintf("is too large: %d bytes, at most %d are allowed", len(s), limits.Bytes))
	}
}

func (r *Reader) Replaced() int { return r.replaced }

func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

func (r *Reader) End() error {
	if r.err == nil && r.Kind() != KindEnd {
		r.FailField("", "expected the end")
	}
	return r.Err()
}

func (r *Reader) Fail(reason string) { r.FailField(r.Path(), reason) }

func (r *Reader) FailField(path, reason string) {
	if r.err == nil {
		r.err = &field.Error{Field: path, Reason: reason}
	}
}

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
	return b.String()
}

func (r *Reader) failed(err error) {
	var wrong *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		r.Fail("is given twice")
	case errors.As(err, &wrong):
		r.FailField("", "is not JSON: byte "+strconv.FormatInt(wrong.ByteOffset+1, 10)+": "+wrong.Err.Error())
	case err != nil:
		r.FailField("", "is not JSON: "+err.Error())
	}
}

func (r *Reader) Kind() Kind {
	if r.err != nil {
		return KindInvalid
	}
	switch r.dec.PeekKind() {
	case '{':
		return KindObject
	case '[':
		return KindArray
	case '"':
		return KindString
	case '0':
		return KindNumber
	case 't', 'f':
		return KindBool
	case 'n':
		return KindNull
	}
	if r.dec.InputOffset() >= int64(len(r.s)) || strings.TrimSpace(r.s[r.dec.InputOffset():]) == "" {
		return KindEnd
	}
	return KindInvalid
}

func (r *Reader) Object() bool { return r.enter('{', false) }
func (r *Reader) Array() bool  { return r.enter('[', true) }

func (r *Reader) enter(open jsontext.Kind, array bool) bool {
	if r.err != nil {
		return false
	}
	k := r.dec.PeekKind()
	if k != open && k != 'n' {
		r.mismatch("an object or array")
		return false
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.failed(err)
		return false
	}
	if r.depth >= min(r.limits.Depth, maxDepth) {
		r.Fail(fmt.Sprintf("is nested too deep: at most %d levels are allowed", r.limits.Depth))
		return false
	}
	r.depth++
	r.frames[r.depth] = frame{array: array, null: k == 'n'}
	return true
}

func (r *Reader) step(end jsontext.Kind) bool {
	if r.err != nil {
		return false
	}
	if r.frames[r.depth].null {
		r.depth--
		return false
	}
	if r.dec.PeekKind() != end {
		return true
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.failed(err)
	}
	r.depth--
	return false
}

func (r *Reader) Key() bool {
	if !r.step('}') {
		return false
	}
	name, ok := r.stringValue()
	f := &r.frames[r.depth]
	f.name, f.started = name, true
	return ok
}

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

func (r *Reader) Name() string { return r.frames[r.depth].name }
func (r *Reader) Index() int   { return r.frames[r.depth].index }

// raw reads a value and returns it as a part of the text.
func (r *Reader) raw() string {
	v, err := r.dec.ReadValue()
	if err != nil {
		r.failed(err)
		return ""
	}
	end := r.dec.InputOffset()
	return r.s[end-int64(len(v)) : end]
}

func (r *Reader) stringValue() (string, bool) {
	raw := r.raw()
	if r.err != nil {
		return "", false
	}
	if strings.IndexByte(raw, '\\') < 0 {
		s := raw[1 : len(raw)-1]
		if !utf8.ValidString(s) {
			r.Fail("is not valid UTF-8")
		}
		return s, r.err == nil
	}
	b, _ := jsontext.AppendUnquote(nil, raw)
	return string(b), true
}

var kindNames = [...]string{KindEnd: "is missing", KindObject: "is an object", KindArray: "is an array", KindString: "is a string",
	KindNumber: "is a number", KindBool: "is a boolean", KindNull: "is null"}

func (r *Reader) mismatch(expected string) {
	k := r.Kind()
	if k == KindInvalid || k == KindEnd {
		_, err := r.dec.ReadToken()
		r.failed(err)
		return
	}
	r.Fail(kindNames[k] + ", expected " + expected)
}

func (r *Reader) Null() bool {
	if r.err != nil || r.dec.PeekKind() != 'n' {
		return false
	}
	_, err := r.dec.ReadToken()
	r.failed(err)
	return err == nil
}

func (r *Reader) Text() string {
	if r.err != nil {
		return ""
	}
	if r.dec.PeekKind() == '"' {
		s, _ := r.stringValue()
		return s
	}
	if !r.Null() {
		r.mismatch("a string")
	}
	return ""
}

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

func (r *Reader) Bool() bool {
	if r.err != nil {
		return false
	}
	switch r.dec.PeekKind() {
	case 't', 'f':
		t, err := r.dec.ReadToken()
		r.failed(err)
		return err == nil && t.Bool()
	}
	if !r.Null() {
		r.mismatch("true or false")
	}
	return false
}

func (r *Reader) Pair() (text string, number float64, ok bool) {
	r.Fail("is a list in a list, which this Reader cannot step back from")
	return "", 0, false
}

func (r *Reader) Skip() {
	if r.err == nil {
		r.failed(r.dec.SkipValue())
	}
}

func (r *Reader) Raw() string {
	if r.err != nil {
		return ""
	}
	return r.raw()
}

func (r *Reader) NumberText() string { return r.numberText("a number") }

func (r *Reader) numberText(expected string) string {
	if r.err != nil {
		return ""
	}
	if r.dec.PeekKind() == '0' {
		return r.raw()
	}
	if !r.Null() {
		r.mismatch(expected)
	}
	return ""
}

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

const (
	noValue  = "expected a value"
	noNumber = "this is no number"
)
