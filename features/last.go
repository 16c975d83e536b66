package features

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// lastKind is last: the value of the last event that had one, as string or number; null when there
// was none within the window.
var lastKind = &kind{
	name: "last", value: true,
	compile: func(d *declaration) (aggregate, *Error) {
		field := d.Event + "=" + d.Value
		d.plan(d.Event, Op{Kind: OpLast, Field: field}, addLast)
		return &last{field, d.span}, nil
	},
}

type last struct {
	field string
	span  span
}

func (a *last) value(r *reading) event.Value {
	at, value, _ := SplitStamped(r.fields[a.field])
	if _, covered := a.span.age(at, r.at); !covered {
		return event.Value{}
	}
	return decodeLast(value)
}

// addLast completes an Op that keeps the last value.
func addLast(op *Op, v event.Value, at event.Time) bool {
	op.Time, op.Value = at, encodeLast(v)
	return op.Value != ""
}

// maxLastBytes bounds the part of a string that a profile keeps.
const maxLastBytes = 256

// encodeLast writes a value for a profile: a letter for its kind, then its text. Empty when v is
// neither a string nor a finite number.
func encodeLast(v event.Value) string {
	switch {
	case v.Kind == event.String:
		s := v.Str
		if len(s) > maxLastBytes {
			s = s[:maxLastBytes]
			for !utf8.ValidString(s) && len(s) > maxLastBytes-utf8.UTFMax {
				s = s[:len(s)-1]
			}
		}
		return "s" + s
	case v.Kind == event.Number && finite(v.Num):
		return "n" + string(strictjson.AppendNumber(nil, v.Num))
	}
	return ""
}

// decodeLast is the inverse of encodeLast; null for anything else.
func decodeLast(s string) event.Value {
	if text, ok := strings.CutPrefix(s, "s"); ok {
		return event.Value{Kind: event.String, Str: text}
	}
	if text, ok := strings.CutPrefix(s, "n"); ok {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return number(f)
		}
	}
	return event.Value{}
}
