package scorer

import (
	"fmt"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

const (
	maxPrediction  = 20 << 10 // bytes of a prediction
	maxPredictions = 32 << 20 // bytes of all predictions of a call
)

// appendPredictions makes the records of the chosen candidates, or refuses the request when one is
// too long.
func (e *Engine) appendPredictions(c *Call, q *Request) {
	from, written := len(c.records), c.written
	e.describe(c, q)
	for i := range q.Chosen() {
		value := e.encodePrediction(c, q, &q.Answer.Ranked[i])
		if len(value) > maxPrediction {
			q.Answer.Err = &event.Error{Field: "context", Reason: fmt.Sprintf("makes a prediction of %d bytes, at most %d are allowed: send fewer or shorter values", len(value), maxPrediction)}
			c.records, c.written = c.records[:from], written
			break
		}
		if c.written += len(value); c.written > maxPredictions {
			q.Answer.Err = &event.Error{Field: "choose", Reason: fmt.Sprintf("is %d: the predictions of this call have more than %d bytes: choose fewer, or send fewer lines or less context at once", q.Choose, maxPredictions)}
			clear(c.records[from:])
			c.records, c.written = c.records[:from], written
			break
		}
		// The predictions of a request share a partition, so that whoever reads them finds another
		// choice of the same request.
		id := c.prediction.ID
		kept := append(append(make([]byte, 0, len(id)+len(value)), id...), value...)
		c.records = append(c.records, stream.Record{Partition: -1, Key: kept[:len(id):len(id)], Place: kept[:len(q.ID):len(q.ID)], Value: kept[len(id):], Headers: c.headers})
		if err := e.client.CheckSize(event.TopicPredictions, &c.records[len(c.records)-1]); err != nil {
			e.metrics.countPredictions("refused", 1)
			q.Answer.Err = err
			c.records, c.written = c.records[:from], written
			break
		}
	}
	q.claim.records = span{from, len(c.records)}
}

// describe sets what all predictions of a request have in common.
func (e *Engine) describe(c *Call, q *Request) {
	p := &c.prediction
	*p = event.Prediction{
		Excluded: int64(q.Answer.Excluded), Value: q.valued(), Caps: p.Caps[:0],
		Request: q.ID, Row: q.Row, W: q.Weight, Time: q.Time, User: q.User, Anonymous: q.Anonymous, Policy: q.Answer.Policy, Source: q.Source,
		AgeMs: q.Answer.Ages, Model: q.Answer.Models, P: p.P[:0], Others: p.Others[:0],
	}
	c.indices = c.indices[:0]
	for _, s := range q.Chosen() {
		c.indices = append(c.indices, s.Index)
	}
	for _, limit := range q.Caps {
		p.Caps = append(p.Caps, event.Cap{Field: limit.Field, Most: int64(limit.Most)})
	}
	p.Choice = q.choice(c.indices).String()
	others := q.Answer.Ranked[q.Answer.Chosen:]
	if len(others) > e.cfg.MaxOthers {
		countOthers(p, q)
		return
	}
	for i := range others {
		p.Others = event.GrowOthers(p.Others)
		o, candidate := &p.Others[i], &q.Candidates[others[i].Index]
		o.Ad, o.Campaign, o.P = candidate.Ad, candidate.Campaign, q.appendProbabilities(o.P, &others[i])
		if q.random() {
			o.Index, o.Spread = int64(others[i].Index), others[i].Spread
		}
		if q.tellsScore() {
			o.Score = others[i].Score
		}
	}
}

// numbered is the number of the prediction of the candidate of an index.
func (q *Request) numbered(index int) int {
	if q.Worth != nil {
		return 0
	}
	return index
}

// valued is the rule by which scores were made, where there was one.
func (q *Request) valued() string {
	if q.Worth != nil {
		return q.WorthName
	}
	return q.valuation.String()
}

// random says whether the choice was left to chance: then what it depends on is logged with it, so
// that Replay can make it again.
func (q *Request) random() bool { return q.Answer.Policy != "greedy" }

// tellsScore says whether the scores are logged.
func (q *Request) tellsScore() bool { return q.Answer.Valued || q.random() }

func (q *Request) appendProbabilities(dst []event.ObjectiveP, s *Scored) []event.ObjectiveP {
	for i, name := range q.Answer.Objectives {
		dst = append(dst, event.ObjectiveP{Objective: name, P: s.P[i]})
	}
	return dst
}

// encodePrediction returns a chosen candidate as it goes to the topic, in memory that the next one
// reuses. Where the candidates that were not chosen make it too long, it has their number instead.
func (e *Engine) encodePrediction(c *Call, q *Request, s *Scored) []byte {
	p, candidate := &c.prediction, &q.Candidates[s.Index]
	p.ID, p.Ad, p.Campaign, p.Propensity, p.Features = event.PredictionID(q.ID, q.numbered(s.Index)), candidate.Ad, candidate.Campaign, s.Propensity, e.facts(c, q, s.Index)
	p.P, p.Score, p.Spread = q.appendProbabilities(p.P[:0], s), 0, 0
	if q.tellsScore() {
		p.Score = s.Score
	}
	if q.random() {
		p.Spread = s.Spread
	}
	c.message = p.AppendJSON(c.message[:0])
	if len(c.message) > maxPrediction && len(p.Others) > 0 {
		countOthers(p, q)
		c.message = p.AppendJSON(c.message[:0])
	}
	return c.message
}

// countOthers replaces the list of candidates that were not chosen by their number and hash.
func countOthers(p *event.Prediction, q *Request) {
	p.Others, p.OthersCount, p.OthersHash = p.Others[:0], int64(len(q.Answer.Ranked)-q.Answer.Chosen), q.othersHash().String()
}
