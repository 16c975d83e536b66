package scorer

import (
	"math/rand/v2"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"github.com/google/uuid"
)

// Call is requests that are answered together: their profiles are read in one round trip, and their
// predictions are written in one batch.
//
// The zero Call is ready for use. Reset makes it ready again and keeps its memory, so that scoring
// a candidate allocates nothing. A Call serves one goroutine at a time.
type Call struct {
	Requests []Request

	profiles map[string]features.Profile // nil when they could not be read
	held     []heldWeights               // by objective
	features []event.Fields              // of the candidates of the request that is being scored
	basis    Basis                       // of the answers that are being computed
	records  []stream.Record             // predictions of these answers
	written  int                         // bytes of these
	// closed when the call has finished what it claimed, nil while no other call waits for it; the
	// memory's lock guards it
	done chan struct{}
	answers
	scratch
}

// answers is memory that the answers of a call share.
type answers struct {
	ranked   []Scored
	versions []event.ObjectiveVersion
	ages     []event.Age
	data     []byte // what is remembered of them
}

// scratch is memory for one request after another.
type scratch struct {
	keys       []string
	encoded    []model.Feature
	source     rand.PCG
	random     *rand.Rand // of source
	prediction event.Prediction
	message    []byte
	indices    []int
}

// Request asks which of its candidates to choose. The engine does not check it: ids are such as
// event.CheckID takes, ID as event.CheckRequestID does, so that the collector takes events that
// name them, and numbers are finite.
type Request struct {
	ID        string // stands for one choice; the engine makes one up when it is empty
	User      string
	Anonymous string
	Source    string
	Time      event.Time // kept in recorded mode, as is Row
	Row       int64      // of a recording, 0 for none
	Weight    *float64   // of the examples that are made of it, nil for 1
	Context   event.Fields
	// Choose is how many candidates are chosen and logged, at most all of them. With 0 they are
	// scored only.
	Choose     int
	Candidates []Candidate

	Answer Answer // the engine's

	claim  claim
	fields int // of all candidates, each with those of Context
}

// Candidate is one ad that may be chosen.
type Candidate struct {
	Ad       string
	Campaign string
	Context  event.Fields
	Value    float64 // of a positive, for the ranking
}

// Answer is what the engine makes of a request. It is valid until its Call is reset.
type Answer struct {
	Ranked []Scored // all candidates: the chosen ones in front, the others behind them, best first
	Policy string   // that made the choice
	// of the predictions; a request that is sent again has the time at which it was answered first
	Time event.Time
	Basis
	// Published says that Kafka has acknowledged the predictions of the chosen candidates. Else
	// they are written later, or, if too much waits for Kafka already, not at all.
	Published bool
	Repeated  bool // the request's id was answered before, and this is the first answer
	Changed   bool // likewise, but the first request had another user, context or value
	// Err says why the request is refused. It wraps errConflict when its id was used for other
	// candidates before.
	Err error
}

// Basis tells what an answer was computed from.
type Basis struct {
	Models          []event.ObjectiveVersion // of the objectives that have weights
	Ages            []event.Age              // how old they and the profiles are
	WithoutProfiles bool                     // some could not be read
	WithoutModel    bool                     // some objective is answered with its prior
}

// Scored is a candidate with its scores.
type Scored struct {
	Index      int       // in Request.Candidates
	P          []float64 // probability of a positive, by objective
	Raw        []float64 // the network's own, before its calibration; equals P where that moved nothing
	Score      float64   // candidates are ranked by it
	Propensity float64   // probability with which the policy makes it one of the chosen
}

// Reset forgets the requests of c, and their answers.
func (c *Call) Reset() {
	for i := range c.Requests {
		c.Requests[i].claim = claim{} // it refers to the engine's memory
	}
	c.Requests = c.Requests[:0]
}

// Add returns a new request, which chooses one candidate. The pointer is valid until the next Add.
func (c *Call) Add() *Request {
	n := len(c.Requests)
	c.Requests = slices.Grow(c.Requests, 1)[:n+1]
	q := &c.Requests[n]
	*q = Request{Context: q.Context[:0], Candidates: q.Candidates[:0], Choose: 1}
	return q
}

// Add returns a new candidate of value 1. The pointer is valid until the next Add.
func (q *Request) Add() *Candidate {
	n := len(q.Candidates)
	q.Candidates = slices.Grow(q.Candidates, 1)[:n+1]
	c := &q.Candidates[n]
	*c = Candidate{Context: c.Context[:0], Value: 1}
	return c
}

// Chosen returns the chosen candidates.
func (q *Request) Chosen() []Scored { return q.Answer.Ranked[:min(q.Choose, len(q.Answer.Ranked))] }

// begin makes c ready to be answered by an engine of so many objectives.
func (c *Call) begin(objectives int) {
	c.ranked, c.versions, c.ages, c.data = c.ranked[:0], c.versions[:0], c.ages[:0], c.data[:0]
	if len(c.held) != objectives {
		c.held = make([]heldWeights, objectives)
	}
	for i := range c.Requests {
		q := &c.Requests[i]
		if q.ID == "" {
			q.ID = uuid.NewString()
		}
		q.Choose = min(q.Choose, len(q.Candidates))
		q.Answer, q.claim = Answer{}, claim{content: q.content()}
	}
}

// open says whether the request is to be scored.
func (q *Request) open() bool { return q.Answer.Err == nil && q.claim.progress == unanswered }

func (c *Call) anyOpen() bool {
	return slices.ContainsFunc(c.Requests, func(q Request) bool { return q.open() })
}

// newRanked returns room for the ranking of n candidates, with memory of former ones.
func (c *Call) newRanked(n int) []Scored {
	from := len(c.ranked)
	c.ranked = slices.Grow(c.ranked, n)[:from+n]
	return c.ranked[from : from+n : from+n]
}

// settle completes the answers of what was scored: late, unless nil, is what becomes of their
// predictions.
func (c *Call) settle(published bool, late *delivery) {
	for i := range c.Requests {
		if q := &c.Requests[i]; q.open() {
			if q.Answer.Published = published; q.Answer.Time == 0 {
				q.Answer.Time = q.Time
			}
			from := len(c.data)
			c.data = q.Answer.append(c.data)
			q.claim.progress, q.claim.late, q.claim.data = scored, late, c.data[from:]
		}
	}
}
