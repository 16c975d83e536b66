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
	o, changed, retrieved := strictjson.NewObject(b), false, Retrieved{}
	if l.err == nil {
		q := &x.call.Requests[l.request]
		retrieved = q.Answer.Retrieved
		if l.err, changed = q.Answer.Err, q.Answer.Changed; l.err == nil {
			s.addAnswer(&o, q, x.call.recorded)
		}
	}
	if l.err != nil {
		_, code := statusOf(l.err)
		o.Buf = web.AppendError(o.Buf, code, l.err)
	}
	web.AddWarnings(&o, l.texts(changed, &retrieved))
	if b = o.End(); x.ndjson {
		b = append(b, '\n')
	}
	return b
}

func (s *Scorer) addAnswer(o *strictjson.Object, q *Request, recorded bool) {
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
	o.OptionalInteger("excluded", int64(a.Excluded))
	if q.Retrieval.Catalogue != "" {
		o.Key("retrieved")
		retrieved := strictjson.NewObject(o.Buf)
		retrieved.Integer("passed", int64(a.Retrieved.Passed))
		retrieved.Integer("scored", int64(a.Retrieved.Scored))
		o.Buf = retrieved.End()
	}
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
	s.addFeatures(o, a)
	if !recorded {
		o.Key("logged")
		o.Buf = strconv.AppendBool(o.Buf, a.Logged)
		if q.Log == LogAcknowledged {
			o.Key("acknowledged")
			o.Buf = strconv.AppendBool(o.Buf, a.Acknowledged)
		}
	}
}

// addFeatures says which profiles are among the features: all of them, or which entities lack.
// Where no aggregate is declared there is nothing to say.
func (s *Scorer) addFeatures(o *strictjson.Object, a *Answer) {
	switch {
	case !s.profiles.used:
		return
	case !a.WithoutProfiles:
		o.Buf = append(o.Buf, `,"features":"full"`...)
		return
	case a.NoProfiles:
		o.Buf = append(o.Buf, `,"features":"missing","missing":[`...)
	default:
		o.Buf = append(o.Buf, `,"features":"partial","missing":[`...)
	}
	for i, name := range a.Missing {
		if i > 0 {
			o.Buf = append(o.Buf, ',')
		}
		o.Buf = strictjson.AppendString(o.Buf, name)
	}
	o.Buf = append(o.Buf, ']')
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
	for j, name := range q.Answer.Objectives {
		p.EscapedKey(name)
		p.Buf = strictjson.AppendNumber(p.Buf, scored.P[j])
	}
	o.Buf = s.appendRaw(p.End(), q, scored)
	if q.Answer.Valued {
		o.Number("score", scored.Score)
	}
	if i < q.Answer.Chosen {
		o.Flag("chosen", true)
		o.Number("propensity", scored.Propensity)
		o.Buf = s.appendToken(o.Buf, q, scored.Index)
	}
	appendWhy(&o, scored.Why)
	return o.End()
}

// appendRaw appends the networks' own probabilities where a calibration moved them.
func (s *Scorer) appendRaw(b []byte, q *Request, scored *Scored) []byte {
	if slices.Equal(scored.P, scored.Raw) {
		return b
	}
	b = append(b, `,"raw":`...)
	raw := strictjson.NewObject(b)
	for j, name := range q.Answer.Objectives {
		if scored.Raw[j] != scored.P[j] {
			raw.EscapedKey(name)
			raw.Buf = strictjson.AppendNumber(raw.Buf, scored.Raw[j])
		}
	}
	return raw.End()
}
