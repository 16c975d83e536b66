package feedback

import (
	"math"

	"github.com/clickloop/clickloop/event"
)

// Example is a prediction with its label y. source is where the prediction stands.
func Example(o event.Objective, p *event.Prediction, y float64, source event.Source) event.Example {
	x := event.Example{
		Objective: o.Name, Prediction: p.ID, Row: p.Row, Time: p.Time, Y: y, W: p.Weight(), Propensity: p.Propensity, Policy: p.Policy, Features: p.Features, Source: source,
	}
	for _, op := range p.P {
		if op.Objective == o.Name {
			x.P = op.P
		}
	}
	for _, v := range p.Model {
		if v.Objective == o.Name {
			x.Model = v.Version
		}
	}
	for _, name := range o.Segments {
		if v, ok := segment(p, name); ok {
			x.Segment = append(x.Segment, event.Field{Name: name, Value: v})
		}
	}
	return x
}

// segment is a value that evaluations are split by: a field of the prediction, or else one of its
// features.
func segment(p *event.Prediction, name string) (event.Value, bool) {
	text := func(s string) (event.Value, bool) { return event.Value{Kind: event.String, Str: s}, s != "" }
	switch name {
	case "campaign":
		return text(p.Campaign)
	case "ad":
		return text(p.Ad)
	case "source":
		return text(p.Source)
	case "policy":
		return text(p.Policy)
	}
	return p.Features.Lookup(name)
}

// maxRevisionWeight is how many times the weight of its example a revision may weigh.
const maxRevisionWeight = 20

// Revision is the example that corrects the label of x to y. Its weight is w/|y-p|.
//
// To take an example back and learn the other label instead changes the gradient of the log loss by
// the logit by w*(p-y) - w*(p-x.Y) = w*(x.Y-y), which is -w or w. Learned while the network still
// says p, an example of label y and weight w/|y-p| has just that gradient: w/|y-p| * (p-y).
func Revision(x *event.Example, y float64) event.Example {
	r := *x
	r.Revision, r.Y = true, y
	r.W = min(x.W*min(1/max(math.Abs(y-x.P), 1.0/maxRevisionWeight), maxRevisionWeight), event.MaxWeight)
	return r
}
