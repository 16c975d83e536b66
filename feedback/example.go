package feedback

import "github.com/clickloop/clickloop/event"

// Example is a prediction with its label.
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

// segment is what an evaluation is split by: a field of the prediction, or one of its features.
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

// maxRevisionWeight bounds what one late positive may weigh, in weights of its example.
const maxRevisionWeight = 20

// Revision is the example that takes x, a negative, back, because its positive came late: label 1,
// weight w/(1-p). Where the network still says p, the gradient of the log loss by the logit is
// w/(1-p) * (p-1) = -w, which is what taking the negative back (-w*p) and learning the positive
// (w*(p-1)) come to.
func Revision(x *event.Example) event.Example {
	r := *x
	r.Revision, r.Y = true, 1
	r.W = min(x.W*min(1/max(1-x.P, 1.0/maxRevisionWeight), maxRevisionWeight), event.MaxWeight)
	return r
}
