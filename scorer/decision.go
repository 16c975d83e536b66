package scorer

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Decision is a random choice that was made again from its logged predictions.
type Decision struct {
	Request    string
	Policy     string
	Candidates int
	Logged     []Choice // what was chosen, as the predictions say
	Again      []Choice // what is chosen again, in the order of the places
}

// Choice is a chosen candidate.
type Choice struct {
	Index      int // among the request's candidates
	Ad         string
	Propensity float64
}

// Same says whether the same candidates were chosen again, with the same propensities to within
// 1e-9: machines differ in the last digit of an exponential.
func (d *Decision) Same() bool {
	for _, c := range d.Logged {
		found := false
		for _, a := range d.Again {
			found = found || a.Index == c.Index && a.Propensity-c.Propensity < 1e-9 && c.Propensity-a.Propensity < 1e-9
		}
		if !found {
			return false
		}
	}
	return len(d.Logged) == len(d.Again)
}

// Decide makes the choice of a request again, from the predictions of its chosen candidates and the
// seed of the scorer that made them (Config.Seed). It needs all of them: they say what the policy
// chose by. The error says by name what is missing. A greedy choice has nothing to be made again.
func Decide(seed uint64, predictions []event.Prediction) (*Decision, error) {
	if len(predictions) == 0 {
		return nil, &event.Error{Field: "predictions", Reason: "is empty, want those of one request"}
	}
	first := &predictions[0]
	if first.Value == WorthBid {
		return nil, &event.Error{Field: "value", Reason: "is " + WorthBid + ": the choice of a bid is not made again, since its prediction does not tell the place of its candidate"}
	}
	d := &Decision{Request: first.Request, Policy: first.Policy}
	p, err := d.policy(first)
	if err != nil {
		return nil, err
	}
	ads := map[int]string{}
	var work decision
	for i := range predictions {
		c, err := d.choice(first, &predictions[i])
		if err != nil {
			return nil, err
		}
		ads[c.Index] = c.Ad
		d.Logged = append(d.Logged, c)
		work.ranked = append(work.ranked, Scored{Index: c.Index, Score: predictions[i].Score, Spread: predictions[i].Spread})
	}
	for _, o := range first.Others {
		ads[int(o.Index)] = o.Ad
		work.ranked = append(work.ranked, Scored{Index: int(o.Index), Score: o.Score, Spread: o.Spread})
	}
	d.Candidates = len(work.ranked)
	for i, missing := 0, int(first.Excluded); i < d.Candidates+int(first.Excluded); i++ {
		if _, ok := ads[i]; ok {
			continue
		}
		if missing--; missing < 0 {
			return nil, fmt.Errorf("candidate %d of request %s is missing: want the predictions of all chosen candidates", i, d.Request)
		}
	}
	work.again(p, seed, d.Request, len(predictions))
	for _, s := range work.ranked[:work.k] {
		d.Again = append(d.Again, Choice{s.Index, ads[s.Index], s.Propensity})
	}
	return d, nil
}

// again ranks and chooses k, as the engine does.
func (d *decision) again(p *policy, seed uint64, request string, k int) {
	var source rand.PCG
	d.random, d.k = rand.New(&source), k
	rankAgain(d.ranked)
	d.decide(p, seed, &source, request)
}

// policy is the policy of a prediction.
func (d *Decision) policy(first *event.Prediction) (*policy, error) {
	switch {
	case d.Policy == "greedy":
		return nil, fmt.Errorf("request %s was decided by the policy greedy, which leaves nothing to chance", d.Request)
	case first.OthersCount > 0:
		return nil, fmt.Errorf("request %s has %d candidates that are counted and not listed (others_count): raise scorer.max_others", d.Request, first.OthersCount)
	case len(first.Caps) > 0:
		return nil, fmt.Errorf("request %s was decided under caps (cap), and the fields of its other candidates are not logged", d.Request)
	case d.Policy == "epsilon":
		return nil, fmt.Errorf("request %s was decided by a release that did not log the parameter of its policy epsilon", d.Request)
	}
	return parsePolicy(d.Policy)
}

// choice is the choice that a prediction logs.
func (d *Decision) choice(first, p *event.Prediction) (c Choice, err error) {
	if p.Request != first.Request || p.Choice != first.Choice {
		return c, fmt.Errorf("predictions %s and %s are of two choices, want those of one", first.ID, p.ID)
	}
	text, _ := strings.CutPrefix(p.ID, p.Request+".")
	index, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return c, fmt.Errorf("prediction %q has no index of a candidate behind its request %q", p.ID, p.Request)
	}
	return Choice{int(index), p.Ad, p.Propensity}, nil
}
