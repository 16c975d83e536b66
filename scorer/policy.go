package scorer

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
)

// policy is a way to choose k of at least two ranked candidates.
type policy struct {
	// as configurations, requests and predictions have it: the name, and behind a colon the
	// parameter if it has one, such as softmax:0.1
	text string
	// it chooses by how uncertain scores are: Scored.Spread
	uncertain bool
	// the most candidates that it chooses of a request; 0: any number. Of more the greedy policy
	// chooses.
	most int
	// choose puts the chosen ones in front, and gives each its propensity: the exact probability,
	// given the ranking, with which it becomes one of the k. The others stay behind them, best
	// first.
	choose func(d *decision)
	// capped is choose under caps, and returns how many it has chosen; nil where the propensities
	// under caps are not known
	capped func(c *capping, ranked []Scored, random *rand.Rand) int
}

// decision is one choice: what a policy chooses from, and the memory that it works in.
type decision struct {
	ranked []Scored // the best first
	k      int      // to be chosen: 1 to len(ranked)
	random *rand.Rand
	key    fingerprint // of the seed and the request's id: for numbers of single candidates
	// of policies that draw a number for each candidate
	drawn []drawn
	work  []float64
}

// kind is one policy, by its name.
type kind struct {
	name string
	// what its parameter is, as errors have it; empty: it has none
	parameter string
	least     float64 // of the parameter
	most      float64
	standard  float64 // of a parameter that is left out; 0: it must be given
	make      func(parameter float64) *policy
}

// policies are the policies that can be asked for.
var policies = []kind{
	{name: "greedy", make: func(float64) *policy { return greedy() }},
	{name: "epsilon", parameter: "the share of requests in which the choice is random", most: 1, make: epsilon},
	{name: "softmax", parameter: "the temperature", least: 0.001, most: 1000, make: softmax},
	{name: "thompson", parameter: "the scale of the deviations", least: 0.01, most: 100, standard: 0.5, make: thompson},
}

const policyForms = "greedy, epsilon:SHARE, softmax:TEMPERATURE, thompson or thompson:SCALE"

// parsePolicy makes the policy that a text names. The error says what is allowed.
func parsePolicy(text string) (*policy, error) {
	name, number, given := strings.Cut(text, ":")
	for _, k := range policies {
		if k.name != name {
			continue
		}
		parameter := k.standard
		switch {
		case given && k.parameter == "":
			return nil, wrongPolicy(text, "want "+name+", which has no parameter")
		case given:
			v, err := strconv.ParseFloat(number, 64)
			if err != nil || !(v >= k.least && v <= k.most) {
				return nil, wrongPolicy(text, "want "+k.parameter+" behind the colon, "+shortest(k.least)+" to "+shortest(k.most))
			}
			parameter = v
		case k.parameter != "" && k.standard == 0:
			return nil, wrongPolicy(text, "want "+k.parameter+" behind it, such as "+name+":0.1")
		}
		p := k.make(parameter)
		if p.text = name; k.parameter != "" && (parameter != k.standard || k.standard == 0) {
			p.text += ":" + shortest(parameter)
		}
		return p, nil
	}
	return nil, wrongPolicy(text, "want "+policyForms)
}

func wrongPolicy(text, want string) error {
	return &event.Error{Field: "policy", Reason: "is " + strconv.Quote(text) + ", " + want}
}

func shortest(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// policyOf is the policy that a valid configuration asks for.
func policyOf(cfg *Config) *policy {
	p, err := parsePolicy(cfg.policyText())
	if err != nil {
		panic("BUG: a valid configuration has no policy: " + err.Error())
	}
	return p
}

// policyText is the policy as a text. Without Policy a share of random choices is epsilon's.
func (c *Config) policyText() string {
	switch {
	case c.Policy != "":
		return c.Policy
	case c.Epsilon > 0:
		return "epsilon:" + shortest(c.Epsilon)
	}
	return "greedy"
}

// policyOf is the policy that is to choose for q: its own or the engine's. Where there is no choice
// it is the greedy one. That one also takes the place of a policy that cannot choose as many, and
// of one that goes by uncertainty where the weights cannot tell it.
func (e *Engine) policyOf(c *Call, q *Request) *policy {
	p := q.policy
	switch {
	case len(q.Candidates) < 2 || q.Choose == 0:
		return e.greedy
	case p.most > 0 && q.Choose > p.most:
		e.metrics.replaced.WithLabelValues("choose").Inc()
		return e.greedy
	case p.uncertain && !c.uncertain():
		e.metrics.replaced.WithLabelValues("weights").Inc()
		return e.greedy
	}
	return p
}

// choose has a policy choose from the ranking of q. Randomness comes from the seed and the
// request's id, so a request that is sent again gets the same choice.
func (e *Engine) choose(c *Call, q *Request, p *policy) {
	d, a := &c.decision, &q.Answer
	if len(a.Ranked) < 2 { // the others are excluded
		p = e.greedy
	}
	a.Chosen = min(q.Choose, len(a.Ranked))
	d.ranked, d.k = a.Ranked, a.Chosen
	if c.random == nil {
		c.random = rand.New(&c.source)
	}
	d.random = c.random
	d.seed(e.cfg.Seed, &c.source, q.ID)
	if a.Policy = p.text; q.binds() {
		c.caps.prepare(q)
		a.Chosen = p.capped(&c.caps, a.Ranked, c.random)
		return
	}
	p.choose(d)
}

// decide sets the randomness and chooses.
func (d *decision) decide(p *policy, seed uint64, source *rand.PCG, request string) {
	d.seed(seed, source, request)
	p.choose(d)
}

// seed sets the randomness.
func (d *decision) seed(seed uint64, source *rand.PCG, request string) {
	id := xxhash.Sum64String(request)
	source.Seed(seed, id)
	d.key = fingerprint(seed).number(id)
}

// uniform is a number between 0 and 1 of the candidate of an index, and lot a whole one. They
// depend on nothing but the seed, the request's id and the index.
func (d *decision) uniform(index int) float64 {
	return (float64(uint64(d.key.number(uint64(index)))>>11) + 0.5) * 0x1p-53
}

func (d *decision) lot(index int) uint64 {
	return uint64(d.key.number(uint64(index)).number(1))
}
