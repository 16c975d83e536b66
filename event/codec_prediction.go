package event

import (
	"fmt"
	"strconv"
)

// AppendJSON appends p as one line of JSON, without a newline. A probability that is no finite
// number is left out.
func (p *Prediction) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.must("id", p.ID)
	l.text("request", p.Request)
	if p.Row != 0 {
		l.integer("row", p.Row)
	}
	l.time("time", p.Time)
	l.text("user", p.User)
	l.text("anonymous", p.Anonymous)
	l.text("ad", p.Ad)
	l.text("campaign", p.Campaign)
	if p.W != nil {
		l.number("w", *p.W)
	}
	l.probabilities(p.P)
	l.versions(p.Model)
	l.optional("propensity", p.Propensity)
	l.text("policy", p.Policy)
	l.text("choice", p.Choice)
	l.others(p.Others)
	if p.OthersCount != 0 {
		l.integer("others_count", p.OthersCount)
	}
	l.text("others_hash", p.OthersHash)
	l.fields("features", p.Features, true)
	l.ages(p.AgeMs)
	l.text("source", p.Source)
	return l.end()
}

func (l *line) probabilities(p []ObjectiveP) {
	l.key("p")
	inner := newLine(l.dst)
	for _, o := range p {
		if finite(o.P) {
			inner.name(o.Objective)
			inner.dst = AppendNumber(inner.dst, o.P)
		}
	}
	l.dst = inner.end()
}

func (l *line) versions(models []ObjectiveVersion) {
	if len(models) == 0 {
		return
	}
	l.key("model")
	inner := newLine(l.dst)
	for _, m := range models {
		inner.name(m.Objective)
		inner.dst = AppendString(inner.dst, m.Version)
	}
	l.dst = inner.end()
}

func (l *line) ages(ages []Age) {
	if len(ages) == 0 {
		return
	}
	l.key("age_ms")
	inner := newLine(l.dst)
	for _, a := range ages {
		inner.name(a.Name)
		inner.dst = strconv.AppendInt(inner.dst, a.Ms, 10)
	}
	l.dst = inner.end()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (p *Prediction) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// ParsePrediction reads what AppendJSON writes. A prediction must have an id and a time.
func ParsePrediction(b []byte) (Prediction, error) {
	var p Prediction
	err := p.UnmarshalJSON(b)
	return p, err
}

// UnmarshalJSON is ParsePrediction into p, whose slices are used again: nothing of what p held
// before may still be in use.
func (p *Prediction) UnmarshalJSON(b []byte) error {
	r := borrow(b, DefaultLimits)
	defer giveBack(r)
	*p = Prediction{P: p.P[:0], Model: p.Model[:0], Others: p.Others[:0], Features: p.Features[:0], AgeMs: p.AgeMs[:0]}
	p.read(r)
	r.need("id", p.ID != "")
	r.need("time", p.Time != 0)
	return r.End()
}

func (p *Prediction) read(r *Reader) {
	for r.message(); r.Key(); {
		switch r.Name() {
		case "id":
			p.ID = r.Text()
		case "request":
			p.Request = r.Text()
		case "row":
			p.Row = r.Integer()
		case "time":
			p.Time = r.Time()
		case "user":
			p.User = r.Text()
		case "anonymous":
			p.Anonymous = r.Text()
		case "ad":
			p.Ad = r.Text()
		case "campaign":
			p.Campaign = r.Text()
		case "w":
			p.W = r.Weight()
		case "p":
			p.P = r.probabilities(p.P)
		case "model":
			for r.Object(); r.Key(); {
				p.Model = append(p.Model, ObjectiveVersion{Objective: r.Name(), Version: r.Text()})
			}
		case "propensity":
			p.Propensity = r.Number()
		case "policy":
			p.Policy = r.Text()
		case "choice":
			p.Choice = r.Text()
		case "others":
			p.Others = r.others(p.Others)
		case "others_count":
			p.OthersCount = r.Integer()
		case "others_hash":
			p.OthersHash = r.Text()
		case "features":
			p.Features = r.Fields(p.Features)
		case "age_ms":
			for r.Object(); r.Key(); {
				p.AgeMs = append(p.AgeMs, Age{Name: r.Name(), Ms: r.Integer()})
			}
		case "source":
			p.Source = r.Text()
		default:
			r.Skip()
		}
	}
}

func (r *Reader) probabilities(dst []ObjectiveP) []ObjectiveP {
	for r.Object(); r.Key(); {
		dst = append(dst, ObjectiveP{Objective: r.Name(), P: r.Number()})
	}
	return dst
}

// Weight takes the weight that examples will have.
func (r *Reader) Weight() *float64 {
	w := r.Number()
	if !(w >= 0 && w <= MaxWeight) {
		r.Fail(fmt.Sprintf("is %v, expected a weight of 0 to 1e6", w))
	}
	return &w
}

// need refuses a message without a field that it must have.
func (r *Reader) need(field string, given bool) {
	if !given {
		r.fail(field, "is missing")
	}
}
