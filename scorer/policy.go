package scorer

import (
	"math/rand/v2"

	"github.com/cespare/xxhash/v2"
)

// policy is a way to choose k of at least two ranked candidates. Its choose puts them in front, and
// gives every candidate its propensity: the exact probability, given the ranking, with which it
// becomes one of the k. The others stay behind them, best first.
type policy struct {
	name   string // as predictions carry it
	choose func(ranked []Scored, k int, random *rand.Rand)
	// capped is choose under caps, and returns how many it has chosen; nil where the propensities
	// under caps are not known
	capped func(c *capping, ranked []Scored, random *rand.Rand) int
}

// policies return the policy that a configuration asks for, nil when it asks for another one. The
// first that is asked for chooses.
var policies = []func(*Config) *policy{
	epsilon,
	greedy,
}

func policyOf(cfg *Config) *policy {
	for _, asked := range policies {
		if p := asked(cfg); p != nil {
			return p
		}
	}
	panic("BUG: greedy is always asked for")
}

// choose has the policy choose from the ranking of q. Where there is no choice the greedy policy
// takes its place. Randomness comes from the seed and the request's id, so a request that is sent
// again gets the same choice.
func (e *Engine) choose(c *Call, q *Request) {
	p := e.policy
	if len(q.Answer.Ranked) < 2 || q.Choose == 0 {
		p = greedy(&e.cfg)
	}
	q.Answer.Chosen = min(q.Choose, len(q.Answer.Ranked))
	if c.random == nil {
		c.random = rand.New(&c.source)
	}
	c.source.Seed(e.cfg.Seed, xxhash.Sum64String(q.ID))
	if q.Answer.Policy = p.name; q.binds() {
		c.caps.prepare(q)
		q.Answer.Chosen = p.capped(&c.caps, q.Answer.Ranked, c.random)
		return
	}
	p.choose(q.Answer.Ranked, q.Answer.Chosen, c.random)
}
