package scorer

import (
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/web"
)

// appendLine appends the answer to a line: what the engine says, or an error, which the line keeps.
// Warnings go with either: a field that is missing may be present under a wrong name.
func (s *Scorer) appendLine(b []byte, x *exchange, l *line) []byte {
	changed := false
	if l.err == nil {
		q := &x.call.Requests[l.request]
		if l.err, changed = q.Answer.Err, q.Answer.Changed; l.err == nil {
			b = s.appendAnswer(b, q)
		}
	}
	if l.err != nil {
		_, code := statusOf(l.err)
		b = web.AppendError(append(b, '{'), code, l.err)
	}
	b = append(l.appendWarnings(b, changed), '}')
	if x.ndjson {
		b = append(b, '\n')
	}
	return b
}

// appendAnswer appends the answer to q as an object without its end.
func (s *Scorer) appendAnswer(b []byte, q *Request) []byte {
	a := &q.Answer
	b = append(b, `{"request":`...)
	b = event.AppendString(b, q.ID)
	b = append(b, `,"predictions":[`...)
	for i := range a.Ranked {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendCandidate(b, q, i)
	}
	b = append(b, `],"model":{`...)
	for i, v := range a.Models {
		b = event.AppendString(appendName(b, v.Objective, i == 0), v.Version)
	}
	b = append(b, `},"age_ms":{`...)
	for i, age := range a.Ages {
		b = strconv.AppendInt(appendName(b, age.Name, i == 0), age.Ms, 10)
	}
	b = append(b, '}')
	switch {
	case a.WithoutModel && a.WithoutProfiles:
		b = append(b, `,"degraded":["profiles","model"]`...)
	case a.WithoutModel:
		b = append(b, `,"degraded":["model"]`...)
	case a.WithoutProfiles:
		b = append(b, `,"degraded":["profiles"]`...)
	}
	if !a.Published {
		b = append(b, `,"published":false`...)
	}
	return b
}

func (s *Scorer) appendCandidate(b []byte, q *Request, i int) []byte {
	scored := &q.Answer.Ranked[i]
	c := &q.Candidates[scored.Index]
	b = append(b, `{"prediction":`...)
	b = event.AppendString(b, q.ID)
	b = append(b[:len(b)-1], '.') // as event.PredictionID, in the quotes of the id
	b = strconv.AppendInt(b, int64(scored.Index), 10)
	b = append(b, `","ad":`...)
	b = event.AppendString(b, c.Ad)
	if c.Campaign != "" {
		b = append(b, `,"campaign":`...)
		b = event.AppendString(b, c.Campaign)
	}
	b = append(b, `,"p":{`...)
	for j, f := range s.followers {
		b = event.AppendNumber(appendName(b, f.objective, j == 0), scored.P[j])
	}
	b = append(b, '}')
	if i < q.Choose {
		b = append(b, `,"chosen":true,"propensity":`...)
		b = event.AppendNumber(b, scored.Propensity)
	}
	return append(b, '}')
}

func appendName(b []byte, name string, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	return append(event.AppendString(b, name), ':')
}
