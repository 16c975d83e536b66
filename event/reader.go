package event

import (
	"fmt"
	"sync"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// Error says why a text is not what it should be, with the path of the field that is wrong.
type Error = field.Error

// Limits bound the texts that a Reader accepts.
type Limits struct {
	Bytes  int // length of the text
	Depth  int // nesting of objects and arrays, at most 32
	Fields int // fields and list elements that Reader.Fields makes, over the whole text
}

// nestedNames is how many times Limits.Bytes the names may have together that nesting makes. Every
// field below a long name repeats it, so a text could make many times its own bytes.
const nestedNames = 4

// Limits of the messages. Events come from outside, so their limits are tighter than those of what
// stages write themselves.
var (
	EventLimits   = Limits{Bytes: 32 << 10, Depth: 16, Fields: 1000}
	DefaultLimits = Limits{Bytes: 1 << 20, Depth: 16, Fields: 4000}
)

// Reader is strictjson.Reader with the forms that messages have beside those of JSON: times, facts
// (Fields) and weights.
type Reader struct {
	strictjson.Reader
	maxFields int
	fields    int    // made by Fields so far
	maxNames  int    // bytes of names that nesting makes longer
	names     int    // such bytes so far
	nested    bool   // Fields has joined names with a dot
	dotted    bool   // Fields has met a name with a dot in it
	own       Fields // empty: memory in which Fields reads what it makes a copy of
}

// Reset starts to read s.
func (r *Reader) Reset(s string, limits Limits) {
	r.Reader.Reset(s, strictjson.Limits{Bytes: limits.Bytes, Depth: limits.Depth})
	r.maxFields, r.fields = limits.Fields, 0
	r.maxNames, r.names = nestedNames*limits.Bytes, 0
}

var readers = sync.Pool{New: func() any { return new(Reader) }}

// acquire takes a Reader of b from the pool. release returns it, without the text.
func acquire(b []byte, limits Limits) *Reader {
	r := readers.Get().(*Reader)
	r.Reset(string(b), limits)
	return r
}

func (r *Reader) release() {
	r.Reset("", DefaultLimits)
	readers.Put(r)
}

// message steps into the object that is the whole text. Elsewhere null stands for an empty object;
// a message must not be null.
func (r *Reader) message() {
	if r.Kind() == strictjson.KindNull {
		r.Fail("is null, expected an object")
	}
	r.Object()
}

// need refuses a message without a field that it must have.
func (r *Reader) need(field string, given bool) {
	if !given {
		r.FailField(field, "is missing")
	}
}

// Time reads a string with a time in RFC 3339.
func (r *Reader) Time() Time {
	if r.Null() {
		return 0
	}
	s := r.Text()
	if r.Err() != nil {
		return 0
	}
	t, err := ParseTime(s)
	if err != nil {
		r.Fail(err.(*Error).Reason)
	}
	return t
}

// Weight reads the weight that a prediction's examples will have.
func (r *Reader) Weight() *float64 {
	w := r.Number()
	if !(w >= 0 && w <= MaxWeight) {
		r.Fail(fmt.Sprintf("is %v, expected a weight of 0 to 1e6", w))
	}
	return &w
}

// defined reads a number, or null for a metric that is undefined.
func (r *Reader) defined() *float64 {
	if r.Null() {
		return nil
	}
	f := r.Number()
	return &f
}

// partition reads a number of at most 31 bits.
func (r *Reader) partition() int32 {
	i := r.Integer()
	if i != int64(int32(i)) {
		r.Fail("is no partition: it has more than 32 bits")
	}
	return int32(i)
}

// line is strictjson.Object with the forms that messages have beside those of JSON.
type line struct{ strictjson.Object }

func newLine(dst []byte) line { return line{strictjson.NewObject(dst)} }

// time adds t unless it is not given.
func (l *line) time(name string, t Time) {
	if t != 0 {
		l.Key(name)
		l.Buf = t.AppendJSON(l.Buf)
	}
}

// facts adds f.
func (l *line) facts(name string, f Fields) {
	l.Key(name)
	l.Buf = f.AppendJSON(l.Buf)
}

// optionalFacts adds f unless it is empty.
func (l *line) optionalFacts(name string, f Fields) {
	if len(f) > 0 {
		l.facts(name, f)
	}
}
