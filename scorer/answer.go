package scorer

import (
	"strconv"

	"github.com/clickloop/clickloop/event"
)

// prediction is a chosen candidate as it goes to the topic.
func (s *Scorer) prediction(w *work, q *request, c *candidate) []byte {
	p := event.Prediction{
		ID: event.PredictionID(q.id, c.index), Request: q.id, Row: q.row, W: q.w, Time: q.time, User: q.user, Anonymous: q.anonymous,
		Ad: c.ad, Campaign: c.campaign, Propensity: c.propensity, Policy: q.policy, Features: c.used, AgeMs: w.ages, Source: q.source,
	}
	for i, f := range s.followers {
		p.P = append(p.P, event.ObjectiveP{Objective: f.objective, P: c.p[i]})
		if v := w.models[i].version; v != "" {
			p.Model = append(p.Model, event.ObjectiveVersion{Objective: f.objective, Version: v})
		}
	}
	return p.AppendJSON(nil)
}

// appendAnswer appends the answer to a request.
func (s *Scorer) appendAnswer(b []byte, w *work, q *request, published bool) []byte {
	b = append(b, `{"request":`...)
	b = event.AppendString(b, q.id)
	b = append(b, `,"predictions":[`...)
	for i := range q.candidates {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendCandidate(b, q, i)
	}
	b = append(b, `],"model":{`...)
	without, first := false, true
	for i, f := range s.followers {
		v := w.models[i].version
		if v == "" {
			without = true
			continue
		}
		b = appendName(b, f.objective, first)
		b = event.AppendString(b, v)
		first = false
	}
	b = append(b, `},"age_ms":{`...)
	for i, a := range w.ages {
		b = appendName(b, a.Name, i == 0)
		b = strconv.AppendInt(b, a.Ms, 10)
	}
	b = append(b, '}')
	switch {
	case without && w.withoutProfiles:
		b = append(b, `,"degraded":["profiles","model"]`...)
	case without:
		b = append(b, `,"degraded":["model"]`...)
	case w.withoutProfiles:
		b = append(b, `,"degraded":["profiles"]`...)
	}
	if !published {
		b = append(b, `,"published":false`...)
	}
	return append(b, '}')
}

func (s *Scorer) appendCandidate(b []byte, q *request, i int) []byte {
	c := &q.candidates[i]
	b = append(b, `{"prediction":`...)
	b = event.AppendString(b, event.PredictionID(q.id, c.index))
	b = append(b, `,"ad":`...)
	b = event.AppendString(b, c.ad)
	if c.campaign != "" {
		b = append(b, `,"campaign":`...)
		b = event.AppendString(b, c.campaign)
	}
	b = append(b, `,"p":{`...)
	for j, f := range s.followers {
		b = appendName(b, f.objective, j == 0)
		b = event.AppendNumber(b, c.p[j])
	}
	b = append(b, '}')
	if int64(i) < q.choose {
		b = append(b, `,"chosen":true,"propensity":`...)
		b = event.AppendNumber(b, c.propensity)
	}
	return append(b, '}')
}

func appendName(b []byte, name string, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	b = event.AppendString(b, name)
	return append(b, ':')
}
