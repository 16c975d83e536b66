package strictjson

import "strconv"

// Object writes one JSON object on one line, its members in the order in which they are added.
// Buf holds what is written so far; a caller may append a value to it after Key.
type Object struct {
	Buf   []byte
	start int
}

// NewObject begins an object behind what dst holds.
func NewObject(dst []byte) Object {
	dst = append(dst, '{')
	return Object{Buf: dst, start: len(dst)}
}

// End closes the object and returns the buffer.
func (o *Object) End() []byte { return append(o.Buf, '}') }

// Key starts a member. The name is written as it is, so it must need no escapes.
func (o *Object) Key(name string) {
	o.comma()
	o.Buf = append(o.Buf, '"')
	o.Buf = append(o.Buf, name...)
	o.Buf = append(o.Buf, '"', ':')
}

// EscapedKey is Key for a name from outside.
func (o *Object) EscapedKey(name string) {
	o.comma()
	o.Buf = AppendString(o.Buf, name)
	o.Buf = append(o.Buf, ':')
}

func (o *Object) comma() {
	if len(o.Buf) > o.start {
		o.Buf = append(o.Buf, ',')
	}
}

// Text adds a string.
func (o *Object) Text(name, value string) {
	o.Key(name)
	o.Buf = AppendString(o.Buf, value)
}

// OptionalText adds a string that is not empty.
func (o *Object) OptionalText(name, value string) {
	if value != "" {
		o.Text(name, value)
	}
}

// Flag adds true, or nothing.
func (o *Object) Flag(name string, value bool) {
	if value {
		o.Key(name)
		o.Buf = append(o.Buf, "true"...)
	}
}

// Integer adds a whole number.
func (o *Object) Integer(name string, i int64) {
	o.Key(name)
	o.Buf = strconv.AppendInt(o.Buf, i, 10)
}

// OptionalInteger adds a whole number that is not 0.
func (o *Object) OptionalInteger(name string, i int64) {
	if i != 0 {
		o.Integer(name, i)
	}
}

// Number adds f; null where f is NaN or infinite.
func (o *Object) Number(name string, f float64) {
	o.Key(name)
	o.Buf = AppendNumber(o.Buf, f)
}

// OptionalNumber adds f unless it is 0, NaN or infinite.
func (o *Object) OptionalNumber(name string, f float64) {
	if f != 0 && Finite(f) {
		o.Number(name, f)
	}
}

// DefinedNumber adds *f unless f is nil or *f is NaN or infinite.
func (o *Object) DefinedNumber(name string, f *float64) {
	if f != nil && Finite(*f) {
		o.Number(name, *f)
	}
}
