package scorer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// work is what a call needs while it is scored; works are pooled, so that scoring a candidate
// allocates nothing.
type work struct {
	requests        []request
	keys            []string
	profiles        map[string]features.Profile
	withoutProfiles bool
	encoded         []model.Feature
	models          []served // by objective
	ages            []event.Age
	records         []stream.Record
	cores           []byte // answers without their ends, by request
	// closed when the call has answered, nil while nobody waits; the memory's lock guards it
	done       chan struct{}
	prediction event.Prediction
	message    []byte
	indices    []int
	out        []byte
}

// served is the weights that answer a call.
type served struct {
	side     *side // nil: none have come
	scratch  *model.Scratch
	shape    int // of scratch
	examples int64
	version  string
}

// takeWork returns a cleared work.
func (s *Scorer) takeWork() *work {
	w := s.works.Get().(*work)
	w.requests, w.cores, w.out = w.requests[:0], w.cores[:0], w.out[:0]
	if w.models == nil {
		w.models = make([]served, len(s.followers))
	}
	return w
}

// giveBack returns a work, and what it refers to of the memory.
func (s *Scorer) giveBack(w *work) {
	for i := range w.requests {
		q := &w.requests[i]
		q.answer, q.past, q.wait, q.late = nil, nil, nil, nil
	}
	s.works.Put(w)
}

// add reads one request.
func (w *work) add(text string, cfg *Config) {
	n := len(w.requests)
	w.requests = slices.Grow(w.requests, 1)[:n+1]
	q := &w.requests[n]
	q.err = q.parse(text, cfg)
}

// score scores the requests that are open and makes the records of what was chosen.
func (s *Scorer) score(ctx context.Context, w *work) {
	w.keys, w.records, w.ages = w.keys[:0], w.records[:0], w.ages[:0]
	w.profiles, w.withoutProfiles = nil, false
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
	}
	w.identify()
	s.readProfiles(ctx, w)
	s.hold(w, now)
	defer w.release()
	for i := range w.requests {
		if q := &w.requests[i]; q.open() {
			s.scoreOne(w, q)
		}
	}
}

// open says whether the request is to be scored.
func (q *request) open() bool { return q.err == nil && q.progress == open }

// identify gives ids to the requests that brought none.
func (w *work) identify() {
	for i := range w.requests {
		if q := &w.requests[i]; q.id == "" {
			q.id = uuid.NewString()
		}
	}
}

// hold takes the newest weights of every objective for the call, and notes how old what is used is.
func (s *Scorer) hold(w *work, now event.Time) {
	oldest := int64(-1)
	for i, f := range s.followers {
		m := &w.models[i]
		if m.side = f.replicas.acquire(); m.side == nil {
			m.version = ""
			s.metrics.degraded.WithLabelValues("model").Inc()
			continue
		}
		if m.scratch == nil || m.shape != m.side.shape {
			m.scratch, m.shape = m.side.weights.NewScratch(), m.side.shape
		}
		if n := m.side.weights.Examples(); m.version == "" || n != m.examples {
			m.examples, m.version = n, event.ModelVersion(f.network, n)
		}
		oldest = max(oldest, int64(now-m.side.at), 0)
	}
	if oldest >= 0 {
		w.ages = append(w.ages, event.Age{Name: "model", Ms: oldest})
	}
	folded := event.Time(s.folded.Load())
	if w.profiles == nil || folded == 0 {
		return
	}
	last := ""
	for _, key := range w.keys { // sorted: those of an entity stand together
		if entity, _, _ := strings.Cut(key, ":"); entity != last {
			last = entity
			w.ages = append(w.ages, event.Age{Name: entity, Ms: max(int64(now-folded), 0)})
		}
	}
}

func (w *work) release() {
	for i := range w.models {
		if m := &w.models[i]; m.side != nil {
			m.side.release()
			m.side = nil
		}
	}
}

// readProfiles reads what all candidates of all requests need in one round trip.
func (s *Scorer) readProfiles(ctx context.Context, w *work) {
	for i := range w.requests {
		q := &w.requests[i]
		for j := range q.candidates {
			if q.open() {
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
		wait = s.patience // a replay wants what was, however long it takes
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	profiles, err := s.store.Read(ctx, w.keys)
	if err != nil {
		s.metrics.degraded.WithLabelValues("profiles").Inc()
		w.withoutProfiles = true
		var bad *features.KeyError
		if !errors.As(err, &bad) {
			return
		}
		s.warnKey(bad) // the others were read
	}
	w.profiles = profiles
}

func featureRequest(q *request, c *candidate) features.Request {
	return features.Request{
		Time: q.time, User: q.user, Anonymous: q.anonymous, Ad: c.ad, Campaign: c.campaign, Context: q.context, Candidate: c.context,
	}
}

// scoreOne scores a request's candidates, puts the best first, and makes the predictions of those
// that are chosen.
func (s *Scorer) scoreOne(w *work, q *request) {
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
	if !q.past.apply(q) {
		q.policy = s.choose(q)
	}
	begun := len(w.records)
	s.describe(w, q)
	defer func() { q.records = span{begun, len(w.records)} }()
	for i := range q.choose {
		value := s.message(w, q, &q.candidates[i])
		if len(value) > maxPrediction {
			q.err = &event.Error{Field: "context", Reason: fmt.Sprintf("makes a prediction of %d bytes, at most %d are allowed: send fewer or shorter values", len(value), maxPrediction)}
			w.records = w.records[:begun]
			return
		}
		// All predictions of a request stand in one partition, so that whoever reads them finds
		// another choice of the same request.
		key := []byte(w.prediction.ID)
		w.records = append(w.records, stream.Record{Partition: -1, Key: key, Place: key[:len(q.id)], Value: slices.Clone(value), Headers: s.headers})
	}
}

// maxPrediction bounds a prediction's message.
const maxPrediction = 20 << 10

// predict computes a candidate's probabilities.
func (s *Scorer) predict(w *work, q *request, c *candidate) {
	r := featureRequest(q, c)
	c.used = s.set.Assemble(c.used[:0], &r, w.profiles)
	w.encoded = features.Encode(w.encoded[:0], c.used)
	for i := range w.models {
		p := s.followers[i].prior
		if m := &w.models[i]; m.side != nil {
			p = m.side.weights.Predict(w.encoded, m.scratch)
		}
		if math.IsNaN(p) || math.IsInf(p, 0) {
			p = s.followers[i].prior
		}
		c.p = append(c.p, p)
	}
	c.score = c.p[0] * c.value
}
