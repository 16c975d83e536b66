package scorer

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/expression"
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
	// Began is when the call arrived. Its requests' TMax count from then; zero: from when it is
	// answered.
	Began time.Time

	profiles map[string]features.Profile // nil when they could not be read
	held     []heldWeights               // by objective
	names    []string                    // of the objectives
	shared   features.Shared             // of the candidates of the request that is being scored
	features event.Fields                // of one of them: factsOf
	factsOf  *Candidate
	basis    Basis           // of the answers that are being computed
	records  []stream.Record // predictions of these answers
	written  int             // bytes of these
	recorded bool            // it is answered in recorded mode
	deferred bool            // its predictions are made by Log: see Appraise
	// closed when the call has finished what it claimed, nil while no other call waits for it; the
	// memory's lock guards it
	done chan struct{}
	answers
	scratch
	retrieval retrieveScratch
}

// answers is memory that the answers of a call share.
type answers struct {
	ranked   []Scored
	versions []event.ObjectiveVersion
	ages     []event.Age
	missing  []string
	data     []byte // what is remembered of them
}

// scratch is memory for one request after another.
type scratch struct {
	keys       []string     // of all profiles
	asked      []string     // those of them that the cache does not have
	marks      []event.Time // of keys: the watermarks they were read at; empty without a cache
	encoded    []model.Feature
	source     rand.PCG
	random     *rand.Rand // of source
	decision   decision
	doubts     doubts
	prediction event.Prediction
	message    []byte
	indices    []int
	run        expression.Run // of the value expression
	excluded   map[string]bool
	caps       capping

	explanation model.Explanation
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
	// TMax is how long its profiles are awaited, 0 for Config.TMax. Requests of one call are
	// answered together: the most hurried one counts for all.
	TMax time.Duration
	// Choose is how many candidates are chosen and logged, at most all of them. With 0 they are
	// scored only.
	Choose int
	// Explain is how many fields are named that moved the logits of the chosen candidates; with 0
	// nothing is explained. Without a choice the first of the ranking is explained.
	Explain    int
	Candidates []Candidate
	// Objectives are the ones to be scored, in this order; none stands for all.
	Objectives []string
	// Value is the expression by which candidates are ranked; empty: Config.Value. See the package
	// internal/expression for the language. It may use p.OBJECTIVE, context.FIELD, and of the
	// candidate candidate.ad, candidate.campaign, candidate.value and the fields of its Context.
	Value string
	// Worth ranks the candidates in place of Value, for callers in process: it is what the i-th
	// candidate is worth with the probabilities p by Engine.Objectives. Predictions name it by
	// WorthName. The request chooses one candidate, whose prediction has the number 0.
	Worth     func(i int, p []float64) float64
	WorthName string
	// Exclude are ads that are neither scored nor chosen.
	Exclude []string
	Caps    []Cap // on the chosen candidates
	// Policy chooses in place of the engine's: a text as Config.Policy has it; empty: the engine's
	Policy string
	// Retrieval asks for candidates from a catalogue: the engine makes them.
	Retrieval Retrieval
	Log       LogMode // in wall-clock mode

	Answer Answer // the engine's

	claim     claim
	fields    int        // of all candidates, each with those of Context
	picked    []int      // indices of the objectives to be scored
	own       []int      // memory for them
	policy    *policy    // of Policy, or the engine's
	valuation *valuation // of Value; nil: the rule of the ranking
	chosenBy  *policy    // made the choice
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
	// all candidates that are not excluded: the chosen ones in front, the others behind them, best
	// first
	Ranked     []Scored
	Chosen     int      // how many are chosen: Request.Choose, or fewer where no more are left
	Excluded   int      // candidates that are excluded
	Objectives []string // in the order of Scored.P
	subset     bool     // these are not all
	Valued     bool     // Scored.Score is what a value expression gives
	Policy     string   // that made the choice
	// of the predictions; a request that is sent again has the time at which it was answered first
	Time event.Time
	Basis
	// Logged says that the predictions of the chosen candidates have a place in the queue for
	// Kafka: they will be on the topic, see Config.Spool and Config.Drain. Only a request that
	// wants best effort is answered without.
	Logged       bool
	Acknowledged bool      // Kafka has acknowledged them; known where the request wants it
	Retrieved    Retrieved // of a request that asks a catalogue; Ranked has the chosen items only then
	Repeated     bool      // the request's id was answered before, and this is the first answer
	Changed      bool      // likewise, but the first request had another user, context or value
	// Err says why the request is refused: an *event.Error, unless it is of a dependency. It wraps
	// errConflict when its id was used for other candidates before.
	Err error

	named []named // candidates from a catalogue, in the order of Ranked
}

// Basis tells what an answer was computed from.
type Basis struct {
	Models          []event.ObjectiveVersion // of the objectives that have weights
	Ages            []event.Age              // how old they and the profiles are
	WithoutProfiles bool                     // some could not be read, or had not come in time
	Missing         []string                 // the entities of these
	NoProfiles      bool                     // none was read
	WithoutModel    bool                     // some objective is answered with its prior
}

// Scored is a candidate with its scores.
type Scored struct {
	Index int       // in Request.Candidates
	P     []float64 // probability of a positive, by Answer.Objectives
	Raw   []float64 // the network's own, before its calibration; equals P where that moved nothing
	Score float64   // candidates are ranked by it
	// probability with which the policy makes it one of the chosen; of candidates that are not
	// chosen only where the policy is greedy or epsilon
	Propensity float64
	// how uncertain the score is, where the policy goes by that: see Engine.setSpreads
	Spread float64
	// Why is by objective, without those that have no weights. It is empty for candidates that are
	// not explained.
	Why []Explained
}

// Reset forgets the requests of c, and their answers.
func (c *Call) Reset() {
	for i := range c.Requests {
		c.Requests[i].claim = claim{} // it refers to the engine's memory
		c.Requests[i].forget()
	}
	c.Requests, c.Began, c.deferred = c.Requests[:0], time.Time{}, false
}

// deadline is when the call goes on without profiles that have not come. usual is the TMax of
// requests that give none.
func (c *Call) deadline(usual time.Duration) time.Time {
	least := time.Duration(maxTMax)
	for i := range c.Requests {
		least = min(least, cmp.Or(c.Requests[i].TMax, usual))
	}
	began := c.Began
	if began.IsZero() {
		began = time.Now()
	}
	return began.Add(least)
}

// Add returns a new request, which chooses one candidate. The pointer is valid until the next Add.
func (c *Call) Add() *Request {
	n := len(c.Requests)
	c.Requests = slices.Grow(c.Requests, 1)[:n+1]
	q := &c.Requests[n]
	*q = Request{
		Context: q.Context[:0], Candidates: q.Candidates[:0], Objectives: q.Objectives[:0], Exclude: q.Exclude[:0], Caps: q.Caps[:0],
		own: q.own[:0], Choose: 1,
	}
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

// newID is the id of a request that has none. A UUID of version 7 tells when it was made, so what
// searches the topic for a prediction knows where to begin.
func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

// Chosen returns the chosen candidates.
func (q *Request) Chosen() []Scored { return q.Answer.Ranked[:q.Answer.Chosen] }

// begin makes c ready to be answered by e. Requests that ask for what e does not have are refused.
func (c *Call) begin(e *Engine) {
	c.ranked, c.versions, c.ages, c.missing, c.data = c.ranked[:0], c.versions[:0], c.ages[:0], c.missing[:0], c.data[:0]
	if c.names = e.objectives; len(c.held) != len(c.names) {
		c.held = make([]heldWeights, len(c.names))
	}
	for i := range c.Requests {
		q := &c.Requests[i]
		if q.ID == "" {
			q.ID = newID()
		}
		if q.Retrieval.Catalogue == "" {
			q.Choose = min(q.Choose, len(q.Candidates))
		}
		if q.Answer, q.claim = (Answer{}), (claim{}); !c.deferred {
			q.claim.content = q.content()
		}
		q.Answer.Err = e.prepare(q)
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

// wantsAcknowledgement says whether an open request waits for Kafka.
func (c *Call) wantsAcknowledgement() bool {
	return slices.ContainsFunc(c.Requests, func(q Request) bool { return q.Log == LogAcknowledged && q.open() })
}

// settle completes the answers of what was scored.
func (c *Call) settle() {
	for i := range c.Requests {
		if q := &c.Requests[i]; q.open() {
			if q.Answer.Time == 0 {
				q.Answer.Time = q.Time
			}
			from := len(c.data)
			c.data = q.Answer.append(c.data)
			q.claim.progress, q.claim.data = scored, c.data[from:]
		}
	}
}
