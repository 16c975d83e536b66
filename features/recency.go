package features

import (
	"strconv"

	"github.com/clickloop/clickloop/event"
)

// recencyKind is recency: seconds since the last event; null when there was none within the window.
var recencyKind = &kind{
	name: "recency",
	compile: func(d *declaration) (aggregate, *Error) {
		field := d.Event + "@"
		d.plan(d.Event, Op{Kind: OpMax, Field: field}, addTime)
		return &recency{field, d.span}, nil
	},
}

type recency struct {
	field string
	span  span
}

func (a *recency) value(r *reading) event.Value {
	ms, err := strconv.ParseInt(r.fields[a.field], 10, 64)
	age, covered := a.span.age(event.Time(ms), r.at)
	if err != nil || !covered {
		return event.Value{}
	}
	return number(float64(age) / 1000)
}

// addTime completes an Op that keeps times.
func addTime(op *Op, _ event.Value, at event.Time) bool {
	op.Time = at
	return true
}
