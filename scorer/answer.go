package scorer

import (
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// describe puts what all predictions of a request have in common into w.prediction.
func (s *Scorer) describe(w *work, q *request) {
	p := &w.prediction
	*p = event.Prediction{
		Request: q.id, Row: q.row, W: q.w, Time: q.time, User: q.user, Anonymous: q.anonymous, Policy: q.policy, AgeMs: w.ages, Source: q.source,
		P: p.P[:0], Model: p.Model[:0], Others: p.Others[:0],
	}
	for i, f := range s.followers {
		if v := w.models[i].version; v != "" {
			p.Model = append(p.Model, event.ObjectiveVersion{Objective: f.objective, Version: v})
		}
	}
	w.indices = w.indices[:0]
	for i := range q.candidates[:q.choose] {
		w.indices = append(w.indices, q.candidates[i].index)
	}
	if q.content == 0 {
		q.content = q.fingerprint()
	}
	p.Choice = choiceOf(q.content, w.indices).String()
	others := q.candidates[q.choose:]
	if len(others) > s.cfg.MaxOthers {
		countOthers(p, others)
		return
	}
	for i := range others {
		p.Others = event.GrowOthers(p.Others)
		o := &p.Others[i]
		o.Ad, o.Campaign, o.P = others[i].ad, others[i].campaign, s.probabilities(o.P, &others[i])
	}
}

func (s *Scorer) probabilities(dst []event.ObjectiveP, c *candidate) []event.ObjectiveP {
	for i, f := range s.followers {
		dst = append(dst, event.ObjectiveP{Objective: f.objective, P: c.p[i]})
	}
	return dst
}

// message is a chosen candidate as it goes to the topic, in memory that the next one takes. Where
// the candidates that were not chosen make it too long, it has their number in their place.
func (s *Scorer) message(w *work, q *request, c *candidate) []byte {
	p := &w.prediction
	p.ID, p.Ad, p.Campaign, p.Propensity, p.Features = event.PredictionID(q.id, c.index), c.ad, c.campaign, c.propensity, c.used
	p.P = s.probabilities(p.P[:0], c)
	w.message = p.AppendJSON(w.message[:0])
	if len(w.message) > maxPrediction && len(p.Others) > 0 {
		countOthers(p, q.candidates[q.choose:])
		w.message = p.AppendJSON(w.message[:0])
	}
	return w.message
}

// countOthers puts the number and the hash of the candidates that were not chosen in their place.
func countOthers(p *event.Prediction, others []candidate) {
	p.Others, p.OthersCount, p.OthersHash = p.Others[:0], int64(len(others)), othersHash(others).String()
}

// appendCore appends the answer to a request without its end: what is kept for when it is sent
// again.
func (s *Scorer) appendCore(b []byte, w *work, q *request) []byte {
	b = append(b, `{"request":`...)
	b = strictjson.AppendString(b, q.id)
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
		b = strictjson.AppendString(b, v)
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
		return append(b, `,"degraded":["profiles","model"]`...)
	case without:
		return append(b, `,"degraded":["model"]`...)
	case w.withoutProfiles:
		return append(b, `,"degraded":["profiles"]`...)
	}
	return b
}

// appendAnswer appends the answer to a request that was scored or answered before.
func appendAnswer(b []byte, w *work, q *request) []byte {
	o := q
	if q.progress == twin {
		o = &w.requests[q.twin]
	}
	if o.progress == known {
		b = append(b, o.answer...)
	} else {
		b = append(b, w.cores[o.from:o.to]...)
	}
	if o.fate != predictionsAcknowledged {
		b = append(b, `,"published":false`...)
	}
	return append(appendWarnings(b, q), '}')
}

func (s *Scorer) appendCandidate(b []byte, q *request, i int) []byte {
	c := &q.candidates[i]
	b = append(b, `{"prediction":`...)
	b = strictjson.AppendString(b, q.id)
	b = append(b[:len(b)-1], '.') // as event.PredictionID, in the quotes of the id
	b = strconv.AppendInt(b, int64(c.index), 10)
	b = append(b, '"')
	b = append(b, `,"ad":`...)
	b = strictjson.AppendString(b, c.ad)
	if c.campaign != "" {
		b = append(b, `,"campaign":`...)
		b = strictjson.AppendString(b, c.campaign)
	}
	b = append(b, `,"p":{`...)
	for j, f := range s.followers {
		b = appendName(b, f.objective, j == 0)
		b = strictjson.AppendNumber(b, c.p[j])
	}
	b = append(b, '}')
	if int64(i) < q.choose {
		b = append(b, `,"chosen":true,"propensity":`...)
		b = strictjson.AppendNumber(b, c.propensity)
	}
	return append(b, '}')
}

func appendName(b []byte, name string, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	b = strictjson.AppendString(b, name)
	return append(b, ':')
}
