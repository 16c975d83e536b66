package scorer

import (
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
)

// appendLine appends the answer to a line: what the engine says, or an error, which the line keeps.
// Warnings go with either: a field that is missing may be present under a wrong name.
func (s *Scorer) appendLine(b []byte, x *exchange, l *line) []byte {
	o, changed := strictjson.NewObject(b), false
	if l.err == nil {
		q := &x.call.Requests[l.request]
		if l.err, changed = q.Answer.Err, q.Answer.Changed; l.err == nil {
			s.addAnswer(&o, q)
		}
	}
	if l.err != nil {
		_, code := statusOf(l.err)
		o.Buf = web.AppendError(o.Buf, code, l.err)
	}
	web.AddWarnings(&o, l.texts(changed))
	if b = o.End(); x.ndjson {
		b = append(b, '\n')
	}
	return b
}

func (s *Scorer) addAnswer(o *strictjson.Object, q *Request) {
	a := &q.Answer
	o.Text("request", q.ID)
	o.Key("predictions")
	o.Buf = append(o.Buf, '[')
	for i := range a.Ranked {
		if i > 0 {
			o.Buf = append(o.Buf, ',')
		}
		o.Buf = s.appendCandidate(o.Buf, q, i)
	}
	o.Buf = append(o.Buf, ']')
	o.Key("model")
	models := strictjson.NewObject(o.Buf)
	for _, v := range a.Models {
		models.EscapedKey(v.Objective)
		models.Buf = strictjson.AppendString(models.Buf, v.Version)
	}
	o.Buf = models.End()
	o.Key("age_ms")
	ages := strictjson.NewObject(o.Buf)
	for _, age := range a.Ages {
		ages.EscapedKey(age.Name)
		ages.Buf = strconv.AppendInt(ages.Buf, age.Ms, 10)
	}
	o.Buf = ages.End()
	switch {
	case a.WithoutModel && a.WithoutProfiles:
		o.Buf = append(o.Buf, `,"degraded":["profiles","model"]`...)
	case a.WithoutModel:
		o.Buf = append(o.Buf, `,"degraded":["model"]`...)
	case a.WithoutProfiles:
		o.Buf = append(o.Buf, `,"degraded":["profiles"]`...)
	}
	if !a.Published {
		o.Buf = append(o.Buf, `,"published":false`...)
	}
}

func (s *Scorer) appendCandidate(b []byte, q *Request, i int) []byte {
	scored := &q.Answer.Ranked[i]
	c := &q.Candidates[scored.Index]
	o := strictjson.NewObject(b)
	o.Text("prediction", q.ID)
	o.Buf = append(o.Buf[:len(o.Buf)-1], '.') // as event.PredictionID, in the quotes of the id
	o.Buf = append(strconv.AppendInt(o.Buf, int64(scored.Index), 10), '"')
	o.Text("ad", c.Ad)
	o.OptionalText("campaign", c.Campaign)
	o.Key("p")
	p := strictjson.NewObject(o.Buf)
	for j, f := range s.followers {
		p.EscapedKey(f.objective)
		p.Buf = strictjson.AppendNumber(p.Buf, scored.P[j])
	}
	o.Buf = s.appendRaw(p.End(), scored)
	if i < q.Choose {
		o.Flag("chosen", true)
		o.Number("propensity", scored.Propensity)
		o.Buf = s.appendToken(o.Buf, q, scored.Index)
	}
	return o.End()
}

// appendRaw appends the networks' own probabilities where a calibration moved them.
func (s *Scorer) appendRaw(b []byte, scored *Scored) []byte {
	if slices.Equal(scored.P, scored.Raw) {
		return b
	}
	b = append(b, `,"raw":`...)
	raw := strictjson.NewObject(b)
	for j, f := range s.followers {
		if scored.Raw[j] != scored.P[j] {
			raw.EscapedKey(f.objective)
			raw.Buf = strictjson.AppendNumber(raw.Buf, scored.Raw[j])
		}
	}
	return raw.End()
}
