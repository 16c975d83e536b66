package features

import "github.com/clickloop/clickloop/event"

// countKind is count: the number of events.
var countKind = &kind{
	name: "count", halfLife: true,
	compile: func(d *declaration) (aggregate, *Error) {
		return &count{d.counter(d.Event, d.Event, addOne)}, nil
	},
}

type count struct{ events *counter }

func (c *count) value(r *reading) event.Value { return number(r.total(c.events)) }

// addOne completes an Op that counts events.
func addOne(op *Op, _ event.Value, _ event.Time) bool {
	op.Add = 1
	return true
}
