package scorer

import (
	"context"
	"math"
	"time"

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
	now, deadline := e.now(), c.deadline(e.cfg.TMax)
	if recorded {
		deadline = time.Now().Add(e.replayWait) // a replay wants the profiles, however long they take
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
	e.retrieve(ctx, c, deadline, recorded)
	e.profiles.read(ctx, c, deadline, recorded)
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
			e.metrics.noModel.Inc()
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
	n := len(q.Candidates)
	c.factsOf = nil
	if n > 1 {
		e.share(c, q)
	}
	p := e.policyOf(c, q)
	c.doubts.reset(len(q.picked))
	c.exclude(q)
	ranked := c.newRanked(n)[:0]
	for i := range q.Candidates {
		if c.excludes(q, i) {
			continue
		}
		ranked = ranked[:len(ranked)+1]
		if e.predict(c, q, i, &ranked[len(ranked)-1], p.uncertain); q.Answer.Err != nil {
			return
		}
	}
	if p.uncertain {
		e.setSpreads(c, q, ranked)
	}
	rank(ranked)
	picks := q.Answer.Ranked // of a past
	e.answerWith(c, q, ranked)
	if c.basis.WithoutProfiles {
		e.profiles.noteMissing(c, q)
	}
	if !q.choosePast(picks) {
		q.Answer.Time = 0
		e.choose(c, q, p)
		if q.number() {
			c.factsOf = nil
		}
	}
	q.chosenBy = p
	if c.deferred {
		return
	}
	defer q.name()
	e.explain(c, q)
	e.appendPredictions(c, q)
}

// share prepares the features that all candidates of q have in common.
func (e *Engine) share(c *Call, q *Request) {
	r := q.featureRequest(0)
	e.profiles.set.Share(&c.shared, &r, c.profiles, len(q.Candidates), func(i int) event.Fields { return q.Candidates[i].Context })
	for _, j := range q.picked {
		if h := &c.held[j]; h.replica != nil {
			h.replica.weights.Share(c.shared.Encoded, h.scratch)
		}
	}
}

// answerWith sets what the answer to q is made of.
func (e *Engine) answerWith(c *Call, q *Request, ranked []Scored) {
	a := &q.Answer
	a.Ranked, a.Chosen, a.Excluded, a.Basis = ranked, min(q.Choose, len(ranked)), len(q.Candidates)-len(ranked), c.basis
	a.Objectives, a.Valued = c.names, q.valuation != nil || q.Worth != nil
	if a.subset = len(q.Objectives) > 0; a.subset {
		a.Objectives = q.Objectives
		e.restrict(c, q)
	}
}

// predict scores the i-th candidate into s. Where its value has no result, the request is refused.
// doubts: it notes how uncertain the network is, too.
func (e *Engine) predict(c *Call, q *Request, i int, s *Scored, doubts bool) {
	r := q.featureRequest(i)
	s.Index, s.P, s.Raw, s.Propensity, s.Spread, s.Why = i, s.P[:0], s.Raw[:0], 0, 0, nil
	together := len(q.Candidates) > 1
	var own []model.Feature
	var after []int32
	if together {
		own, after = c.shared.Own(&r)
	} else {
		c.encoded = features.Encode(c.encoded[:0], e.facts(c, q, 0))
	}
	for _, j := range q.picked {
		f := e.followers[j]
		p, raw := f.prior, f.prior
		switch h := &c.held[j]; {
		case h.replica == nil:
		case together:
			p = h.replica.weights.PredictShared(own, after, h.scratch)
			raw = h.scratch.Raw()
		default:
			p = h.replica.weights.Predict(c.encoded, h.scratch)
			raw = h.scratch.Raw()
		}
		if doubts {
			c.doubts.add(&c.held[j])
		}
		if math.IsNaN(p) || math.IsInf(p, 0) {
			p, raw = f.prior, f.prior
		}
		s.P, s.Raw = append(s.P, p), append(s.Raw, raw)
		if doubts {
			c.doubts.end()
		}
	}
	if doubts {
		c.doubts.compare(own)
	}
	score, err := scoreOf(c, q, i, s.P)
	if s.Score = score; err != nil && q.Answer.Err == nil {
		q.Answer.Err = err
	}
}

// facts returns the features of the i-th candidate as they are logged. They are valid until the
// next call.
func (e *Engine) facts(c *Call, q *Request, i int) event.Fields {
	of := &q.Candidates[i]
	if c.factsOf != of {
		r := q.featureRequest(i)
		c.factsOf, c.features = of, e.profiles.set.Assemble(c.features[:0], &r, c.profiles)
	}
	return c.features
}

// featureRequest is what the features of the i-th candidate are made of.
func (q *Request) featureRequest(i int) features.Request {
	c := &q.Candidates[i]
	return features.Request{
		Time: q.Time, User: q.User, Anonymous: q.Anonymous, Ad: c.Ad, Campaign: c.Campaign, Context: q.Context, Candidate: c.Context,
	}
}
