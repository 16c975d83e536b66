package scorer

import (
	"context"
	"math"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// heldWeights is the weights of an objective that a call scores with.
type heldWeights struct {
	replica  *replica // nil before the first weights
	scratch  *model.Scratch
	shape    int // of scratch
	examples int64
	version  string
}

// score scores the open requests and makes the records of what is chosen.
func (e *Engine) score(ctx context.Context, c *Call, recorded bool) {
	now := e.now()
	wait := e.cfg.ProfileWait
	if recorded {
		wait = e.replayWait // a replay wants the profiles, however long they take
	}
	for i := range c.Requests {
		q := &c.Requests[i]
		if !recorded || q.Time == 0 {
			q.Time = now
		}
		if !recorded {
			q.Row = 0
		}
	}
	c.records, c.written, c.basis = c.records[:0], 0, Basis{}
	e.profiles.read(ctx, c, wait)
	e.hold(c, now)
	defer c.release()
	for i := range c.Requests {
		if q := &c.Requests[i]; q.open() {
			e.scoreOne(c, q)
		}
	}
}

// hold takes the newest weights of every objective for the call, and notes their versions and how
// old what is used is.
func (e *Engine) hold(c *Call, now event.Time) {
	versions, ages, oldest := len(c.versions), len(c.ages), int64(-1)
	for i, f := range e.followers {
		h := &c.held[i]
		if h.replica = f.replicas.acquire(); h.replica == nil {
			c.basis.WithoutModel = true
			e.metrics.degraded.WithLabelValues("model").Inc()
			continue
		}
		if h.scratch == nil || h.shape != h.replica.shape {
			h.scratch, h.shape = h.replica.weights.NewScratch(), h.replica.shape
		}
		if n := h.replica.weights.Examples(); h.version == "" || n != h.examples {
			h.examples, h.version = n, event.ModelVersion(f.network, n)
		}
		c.versions = append(c.versions, event.ObjectiveVersion{Objective: f.objective, Version: h.version})
		oldest = max(oldest, int64(now-h.replica.at), 0)
	}
	if oldest >= 0 {
		c.ages = append(c.ages, event.Age{Name: "model", Ms: oldest})
	}
	e.profiles.appendAges(c, now)
	c.basis.Models, c.basis.Ages = c.versions[versions:], c.ages[ages:]
}

func (c *Call) release() {
	for i := range c.held {
		if h := &c.held[i]; h.replica != nil {
			h.replica.release()
			h.replica = nil
		}
	}
}

// scoreOne scores and ranks a request's candidates, chooses, and makes the predictions of the
// chosen.
func (e *Engine) scoreOne(c *Call, q *Request) {
	ranked := c.newRanked(len(q.Candidates))
	if n := len(ranked) - len(c.features); n > 0 {
		c.features = append(c.features, make([]event.Fields, n)...)
	}
	for i := range ranked {
		e.predict(c, q, i, &ranked[i])
	}
	rank(ranked)
	picks := q.Answer.Ranked // of a past
	q.Answer.Ranked, q.Answer.Basis = ranked, c.basis
	if !q.choosePast(picks) {
		q.Answer.Time = 0
		e.choose(c, q)
	}
	e.appendPredictions(c, q)
}

// predict scores the i-th candidate into s.
func (e *Engine) predict(c *Call, q *Request, i int, s *Scored) {
	r := q.featureRequest(i)
	s.Index, s.P, s.Raw, s.Propensity = i, s.P[:0], s.Raw[:0], 0
	c.features[i] = e.profiles.set.Assemble(c.features[i][:0], &r, c.profiles)
	c.encoded = features.Encode(c.encoded[:0], c.features[i])
	for j, f := range e.followers {
		p, raw := f.prior, f.prior
		if h := &c.held[j]; h.replica != nil {
			p = h.replica.weights.Predict(c.encoded, h.scratch)
			raw = h.scratch.Raw()
		}
		if math.IsNaN(p) || math.IsInf(p, 0) {
			p, raw = f.prior, f.prior
		}
		s.P, s.Raw = append(s.P, p), append(s.Raw, raw)
	}
	s.Score = scoreOf(s.P, q.Candidates[i].Value)
}

// featureRequest is what the features of the i-th candidate are made of.
func (q *Request) featureRequest(i int) features.Request {
	c := &q.Candidates[i]
	return features.Request{
		Time: q.Time, User: q.User, Anonymous: q.Anonymous, Ad: c.Ad, Campaign: c.Campaign, Context: q.Context, Candidate: c.Context,
	}
}
