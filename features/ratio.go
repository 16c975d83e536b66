package features

import (
	"github.com/clickloop/clickloop/event"
)

// ratioKind is ratio: (events + prior*weight) / (over + weight), both counted over the same span.
var ratioKind = &kind{name: "ratio", over: true, halfLife: true, compile: compileRatio}

type ratio struct {
	events, over  *counter
	prior, weight float64
}

func compileRatio(d *declaration) (aggregate, *Error) {
	switch {
	case d.Over == "":
		return nil, &Error{Field: "over", Reason: "is missing; expected the type of the events in the denominator, such as impression"}
	case !finite(d.Prior):
		return nil, &Error{Field: "prior", Reason: "is no finite number"}
	case !finite(d.Weight) || d.Weight < 0:
		return nil, &Error{Field: "weight", Reason: "is negative or no finite number"}
	}
	if err := checkEventType(d.Over); err != nil {
		return nil, &Error{Field: "over", Reason: err.Error()}
	}
	events := d.counter(d.Event, d.Event, addOne)
	over := d.counter(d.Over, d.Over, addOne)
	return &ratio{events: events, over: over, prior: d.Prior, weight: d.Weight}, nil
}

// value is null without events in the denominator and without a prior's weight. The product is
// converted before it is added, so that no processor fuses the two.
func (a *ratio) value(r *reading) event.Value {
	over := r.total(a.over)
	if over+a.weight == 0 {
		return event.Value{}
	}
	return number((r.total(a.events) + float64(a.prior*a.weight)) / (over + a.weight))
}
