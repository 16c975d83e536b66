package scorer

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// work is what a call needs while it is scored; works are pooled, so that scoring itself allocates nothing.
type work struct {
	requests []request
	errs     []error
	keys     []string
	profiles map[string]features.Profile
	degraded []string
	encoded  []model.Feature
	scratch  []*model.Scratch // by objective
	sides    []*side          // by objective, held for the call
	records  []stream.Record
	out      []byte
}

var works = sync.Pool{New: func() any { return &work{} }}

// reset makes room for n requests.
func (w *work) reset(n, objectives int) {
	w.requests = slices.Grow(w.requests[:0], n)[:n]
	w.errs = append(w.errs[:0], make([]error, n)...)
	w.keys, w.degraded, w.records, w.out = w.keys[:0], w.degraded[:0], w.records[:0], w.out[:0]
	if len(w.scratch) != objectives {
		w.scratch, w.sides = make([]*model.Scratch, objectives), make([]*side, objectives)
	}
	w.profiles = nil
}

// score scores the requests of w that were read without an error and makes the records of what was chosen.
func (s *Scorer) score(ctx context.Context, w *work) {
	now := s.now()
	recorded := s.recorded.Load()
	for i := range w.requests {
		q := &w.requests[i]
		if !recorded || q.time == 0 {
			q.time = now
		}
		if !recorded {
			q.row = 0
		}
		if q.id == "" {
			q.id = uuid.NewString()
		}
	}
	s.readProfiles(ctx, w)
	for i := range s.followers {
		if w.sides[i] = s.followers[i].replicas.acquire(); w.sides[i] == nil {
			w.degraded = append(w.degraded, "model")
		} else if w.scratch[i] == nil {
			w.scratch[i] = w.sides[i].weights.NewScratch()
		}
	}
	for i := range w.requests {
		if w.errs[i] == nil {
			s.scoreOne(w, &w.requests[i], now)
		}
	}
	for i, side := range w.sides {
		if side != nil {
			side.release()
			w.sides[i] = nil
		}
	}
}

// readProfiles reads what all candidates of all requests need in one round trip.
func (s *Scorer) readProfiles(ctx context.Context, w *work) {
	for i := range w.requests {
		q := &w.requests[i]
		for j := range q.candidates {
			if w.errs[i] == nil {
				r := featureRequest(q, &q.candidates[j])
				w.keys = s.set.Keys(w.keys, &r)
			}
		}
	}
	if len(w.keys) == 0 {
		return
	}
	slices.Sort(w.keys)
	w.keys = slices.Compact(w.keys)
	wait := s.cfg.ProfileWait
	if s.recorded.Load() {
		wait = recordedWait // a replay wants what was, however long it takes
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	profiles, err := s.store.Read(ctx, w.keys)
	if err != nil {
		s.metrics.degraded.WithLabelValues("profiles").Inc()
		w.degraded = append(w.degraded, "profiles")
		return
	}
	w.profiles = profiles
}

func featureRequest(q *request, c *candidate) features.Request {
	return features.Request{
		Time: q.time, User: q.user, Anonymous: q.anonymous, Ad: c.ad, Campaign: c.campaign, Context: q.context, Candidate: c.context,
	}
}

// scoreOne scores a request's candidates, puts the best first, and makes the predictions of those that are chosen.
func (s *Scorer) scoreOne(w *work, q *request, now event.Time) {
	for i := range q.candidates {
		s.predict(w, q, &q.candidates[i])
	}
	slices.SortStableFunc(q.candidates, func(a, b candidate) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	policy, propensity := s.choose(q)
	q.propensity = propensity
	for i := range q.choose {
		c := &q.candidates[i]
		p := s.prediction(w, q, c, now)
		p.Policy, p.Propensity = policy, propensity
		w.records = append(w.records, stream.Record{Partition: -1, Key: []byte(p.ID), Value: p.AppendJSON(nil), Headers: s.headers})
	}
}

// predict computes a candidate's probabilities. A user's part of the features is the same for every candidate; what differs is the ad's.
func (s *Scorer) predict(w *work, q *request, c *candidate) {
	r := featureRequest(q, c)
	c.used = s.set.Assemble(c.used[:0], &r, w.profiles)
	w.encoded = features.Encode(w.encoded[:0], c.used)
	for i := range s.followers {
		p := s.cfg.Prior
		if w.sides[i] != nil {
			p = w.sides[i].weights.Predict(w.encoded, w.scratch[i])
		}
		if math.IsNaN(p) {
			p = s.cfg.Prior
		}
		c.p = append(c.p, p)
	}
	c.score = c.p[0] * c.value
}

// choose reorders candidates for exploration and returns the policy's name and the propensity of the first.
//
// With probability epsilon the choice is uniform, else it is the best; the best's propensity is therefore 1-e+e/n, any other's e/n. With several to
// choose, the first alone is explored. Randomness comes from the seed and the request's id, so a request sent again chooses the same.
func (s *Scorer) choose(q *request) (policy string, propensity float64) {
	n := len(q.candidates)
	if s.cfg.Epsilon == 0 || n < 2 || q.choose == 0 {
		return "greedy", 1
	}
	rng := rand.New(rand.NewPCG(s.cfg.Seed, xxhash.Sum64String(q.id)))
	uniform := s.cfg.Epsilon / float64(n)
	pick := 0
	if rng.Float64() < s.cfg.Epsilon {
		pick = rng.IntN(n)
	}
	if pick == 0 {
		return "epsilon", 1 - s.cfg.Epsilon + uniform
	}
	explored := q.candidates[pick]
	copy(q.candidates[1:pick+1], q.candidates[:pick])
	q.candidates[0] = explored
	return "epsilon", uniform
}

// prediction is a chosen candidate as it goes to the topic.
func (s *Scorer) prediction(w *work, q *request, c *candidate, now event.Time) event.Prediction {
	p := event.Prediction{
		ID: event.PredictionID(q.id, c.index), Request: q.id, Row: q.row, Time: q.time, User: q.user, Anonymous: q.anonymous,
		Ad: c.ad, Campaign: c.campaign, Features: c.used, Source: q.source,
	}
	for i, f := range s.followers {
		p.P = append(p.P, event.ObjectiveP{Objective: f.objective, P: c.p[i]})
		if side := w.sides[i]; side != nil {
			p.Model = append(p.Model, event.ObjectiveVersion{Objective: f.objective, Version: event.ModelVersion(f.objective, side.weights.Examples())})
			if i == 0 {
				p.AgeMs = append(p.AgeMs, event.Age{Name: "model", Ms: max(int64(now-side.at), 0)})
			}
		}
	}
	return p
}

// appendAnswer appends the answer to a request.
func (s *Scorer) appendAnswer(b []byte, w *work, q *request, published bool, now event.Time) []byte {
	b = append(b, `{"request":`...)
	b = event.AppendString(b, q.id)
	b = append(b, `,"predictions":[`...)
	for i := range q.candidates {
		c := &q.candidates[i]
		if i > 0 {
			b = append(b, ',')
		}
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
			if j > 0 {
				b = append(b, ',')
			}
			b = event.AppendString(b, f.objective)
			b = append(b, ':')
			b = event.AppendNumber(b, c.p[j])
		}
		b = append(b, '}')
		if int64(i) < q.choose {
			b = append(b, `,"chosen":true`...)
			if i == 0 {
				b = append(b, `,"propensity":`...)
				b = event.AppendNumber(b, q.propensity)
			}
		}
		b = append(b, '}')
	}
	b = append(b, `],"model":{`...)
	first := true
	age := int64(-1)
	for j, f := range s.followers {
		n, at := f.replicas.version()
		if n < 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = event.AppendString(b, f.objective)
		b = append(b, ':')
		b = event.AppendString(b, event.ModelVersion(f.objective, n))
		age = max(age, int64(now-at))
	}
	b = append(b, '}')
	if age >= 0 {
		b = append(b, `,"age_ms":{"model":`...)
		b = strconv.AppendInt(b, age, 10)
		b = append(b, '}')
	}
	if len(w.degraded) > 0 {
		b = append(b, `,"degraded":[`...)
		for i, d := range slices.Compact(w.degraded) {
			if i > 0 {
				b = append(b, ',')
			}
			b = event.AppendString(b, d)
		}
		b = append(b, ']')
	}
	if !published {
		b = append(b, `,"published":false`...)
	}
	return append(b, '}')
}
