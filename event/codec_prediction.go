package event

import (
	"strconv"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// AppendJSON appends p as one line of JSON, without a newline. A probability that is no finite
// number is left out.
func (p *Prediction) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.Text("id", p.ID)
	l.OptionalText("request", p.Request)
	l.OptionalInteger("row", p.Row)
	l.time("time", p.Time)
	l.OptionalText("user", p.User)
	l.OptionalText("anonymous", p.Anonymous)
	l.OptionalText("ad", p.Ad)
	l.OptionalText("campaign", p.Campaign)
	if p.W != nil {
		l.Number("w", *p.W)
	}
	l.OptionalText("value", p.Value)
	if strictjson.Finite(p.Score) && (p.Value != "" || p.Score != 0) {
		l.Number("score", p.Score)
	}
	l.probabilities(p.P)
	l.versions(p.Model)
	l.OptionalNumber("propensity", p.Propensity)
	l.OptionalText("policy", p.Policy)
	l.OptionalNumber("spread", p.Spread)
	l.OptionalText("choice", p.Choice)
	l.OptionalInteger("excluded", p.Excluded)
	l.caps(p.Caps)
	l.others(p.Others, p.Value != "")
	l.OptionalInteger("others_count", p.OthersCount)
	l.OptionalText("others_hash", p.OthersHash)
	l.facts("features", p.Features)
	l.ages(p.AgeMs)
	l.OptionalText("source", p.Source)
	return l.End()
}

func (l *line) probabilities(p []ObjectiveP) {
	l.Key("p")
	inner := newLine(l.Buf)
	for _, o := range p {
		if strictjson.Finite(o.P) {
			inner.EscapedKey(o.Objective)
			inner.Buf = strictjson.AppendNumber(inner.Buf, o.P)
		}
	}
	l.Buf = inner.End()
}

func (l *line) caps(caps []Cap) {
	if len(caps) == 0 {
		return
	}
	l.Key("cap")
	l.Buf = append(l.Buf, '[')
	for i := range caps {
		if i > 0 {
			l.Buf = append(l.Buf, ',')
		}
		inner := newLine(l.Buf)
		inner.Text("field", caps[i].Field)
		inner.Integer("most", caps[i].Most)
		l.Buf = inner.End()
	}
	l.Buf = append(l.Buf, ']')
}

func (l *line) versions(models []ObjectiveVersion) {
	if len(models) == 0 {
		return
	}
	l.Key("model")
	inner := newLine(l.Buf)
	for _, m := range models {
		inner.EscapedKey(m.Objective)
		inner.Buf = strictjson.AppendString(inner.Buf, m.Version)
	}
	l.Buf = inner.End()
}

func (l *line) ages(ages []Age) {
	if len(ages) == 0 {
		return
	}
	l.Key("age_ms")
	inner := newLine(l.Buf)
	for _, a := range ages {
		inner.EscapedKey(a.Name)
		inner.Buf = strconv.AppendInt(inner.Buf, a.Ms, 10)
	}
	l.Buf = inner.End()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (p *Prediction) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// ParsePrediction reads what AppendJSON writes. A prediction must have an id and a time.
func ParsePrediction(b []byte) (Prediction, error) {
	var p Prediction
	err := p.UnmarshalJSON(b)
	return p, err
}

// UnmarshalJSON is ParsePrediction into p. The slices of p are used again, so nothing that p held
// before may still be in use.
func (p *Prediction) UnmarshalJSON(b []byte) error {
	r := acquire(b, DefaultLimits)
	defer r.release()
	*p = Prediction{P: p.P[:0], Model: p.Model[:0], Others: p.Others[:0], Caps: p.Caps[:0], Features: p.Features[:0], AgeMs: p.AgeMs[:0]}
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
		case "value":
			p.Value = r.Text()
		case "score":
			p.Score = r.Number()
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
		case "spread":
			p.Spread = r.Number()
		case "choice":
			p.Choice = r.Text()
		case "excluded":
			p.Excluded = r.Integer()
		case "cap":
			p.Caps = r.caps(p.Caps)
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

func (r *Reader) caps(dst []Cap) []Cap {
	for r.Array(); r.Element(); {
		var c Cap
		for r.Object(); r.Key(); {
			switch r.Name() {
			case "field":
				c.Field = r.Text()
			case "most":
				c.Most = r.Integer()
			default:
				r.Skip()
			}
		}
		dst = append(dst, c)
	}
	return dst
}

func (r *Reader) probabilities(dst []ObjectiveP) []ObjectiveP {
	for r.Object(); r.Key(); {
		dst = append(dst, ObjectiveP{Objective: r.Name(), P: r.Number()})
	}
	return dst
}
