package scorer

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/internal/field"
)

// valuation is a value expression that is ready to score candidates of one engine.
type valuation struct {
	program  *expression.Program
	operands []operand // of the program's values, in its order
}

// operand is where a value of an expression comes from.
type operand struct {
	origin    origin
	objective int    // of probabilities
	name      string // of fields
}

type origin uint8

const (
	fromProbabilities origin = iota
	fromContext              // of the request
	fromCandidate            // its own context
	fromAd
	fromCampaign
	fromValue
)

// compileValuation compiles a value expression over the names of the objectives. The error is about
// the field value.
func compileValuation(text string, objectives []string) (*valuation, error) {
	p, err := expression.Compile(text, expression.Names{Numbers: map[string][]string{"p": objectives}, Fields: []string{"candidate", "context"}})
	switch {
	case err != nil:
		return nil, field.Wrong("value", "%s", err)
	case !p.Numeric():
		return nil, field.Wrong("value", "is a boolean, want a number, such as CONDITION ? 1 : 0")
	}
	v := &valuation{program: p}
	for _, ref := range p.Refs() {
		v.operands = append(v.operands, operandOf(ref, objectives))
	}
	return v, nil
}

func operandOf(ref expression.Ref, objectives []string) operand {
	switch {
	case ref.Group == "p":
		return operand{origin: fromProbabilities, objective: slices.Index(objectives, ref.Field)}
	case ref.Group == "context":
		return operand{origin: fromContext, name: ref.Field}
	case ref.Field == "ad":
		return operand{origin: fromAd}
	case ref.Field == "campaign":
		return operand{origin: fromCampaign}
	case ref.Field == "value":
		return operand{origin: fromValue}
	}
	return operand{origin: fromCandidate, name: ref.Field}
}

// String returns the text, "" for no expression.
func (v *valuation) String() string {
	if v == nil {
		return ""
	}
	return v.program.String()
}

// check refuses an expression over an objective that q does not ask for.
func (v *valuation) check(q *Request, objectives []string) error {
	for i, s := range v.operands {
		if s.origin != fromProbabilities || slices.Contains(q.picked, s.objective) {
			continue
		}
		ref := v.program.Refs()[i]
		if q.Value == "" {
			return field.Wrong("objectives", "are without %s, which the value of the configuration (scorer.value) needs: ask for it, or give a value", ref.Field)
		}
		return field.Wrong("value", "at column %d: p.%s is not one of the objectives that are asked for: %s", ref.Column, ref.Field, strings.Join(q.Objectives, ", "))
	}
	return nil
}

// score is the value of the i-th candidate of q with the probabilities p, by q.picked. It is
// finite.
func (v *valuation) score(run *expression.Run, q *Request, i int, p []float64) (float64, error) {
	run.Values = slices.Grow(run.Values[:0], len(v.operands))[:len(v.operands)]
	for j := range v.operands {
		v.operands[j].read(&run.Values[j], q, &q.Candidates[i], p)
	}
	score, err := v.program.Number(run)
	if err != nil {
		return 0, field.Wrong("value", "has no result for candidates[%d] (ad %s), %s", i, q.Candidates[i].Ad, err)
	}
	return score, nil
}

func (s *operand) read(v *event.Value, q *Request, c *Candidate, p []float64) {
	switch s.origin {
	case fromProbabilities:
		*v = event.Value{Kind: event.Number, Num: p[slices.Index(q.picked, s.objective)]}
	case fromContext:
		*v, _ = q.Context.Lookup(s.name)
	case fromCandidate:
		*v, _ = c.Context.Lookup(s.name)
	case fromAd:
		*v = event.Value{Kind: event.String, Str: c.Ad}
	case fromCampaign:
		if *v = (event.Value{}); c.Campaign != "" {
			*v = event.Value{Kind: event.String, Str: c.Campaign}
		}
	case fromValue:
		*v = event.Value{Kind: event.Number, Num: c.Value}
	}
}

// valuations keeps the expressions of the last requests, since callers send few texts again and
// again. It has two generations, and forgets the older one when the newer one is full.
type valuations struct {
	objectives []string

	mu         sync.Mutex
	newer      map[string]*valuation
	older      map[string]*valuation
	newerBytes int // of the texts in newer
}

// keptValuations is how many bytes of texts a generation of valuations keeps. A valuation takes up
// to a hundred times its text, so both take less than 13 MB.
const keptValuations = 64 << 10

func newValuations(objectives []string) *valuations {
	return &valuations{objectives: objectives, newer: map[string]*valuation{}}
}

// of returns the valuation of a text.
func (k *valuations) of(text string) (*valuation, error) {
	k.mu.Lock()
	v, ok := k.newer[text]
	if !ok {
		if v, ok = k.older[text]; ok {
			k.keep(v)
		}
	}
	k.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := compileValuation(text, k.objectives)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(v)
	return v, nil
}

func (k *valuations) keep(v *valuation) {
	text := v.String() // not the request's, whose memory is used again
	if k.newerBytes+len(text) > keptValuations {
		k.older, k.newer, k.newerBytes = k.newer, map[string]*valuation{}, 0
	}
	if _, ok := k.newer[text]; !ok {
		k.newer[text] = v
		k.newerBytes += len(text)
	}
}

// prepare finds out what q asks for, or says what the engine does not have.
func (e *Engine) prepare(q *Request) error {
	if q.picked = e.every; len(q.Objectives) > 0 {
		if err := e.pick(q); err != nil {
			return err
		}
	}
	q.valuation = e.valuation
	if q.Value != "" {
		var err error
		if q.valuation, err = e.valuations.of(q.Value); err != nil {
			return err
		}
	}
	if q.valuation != nil {
		if err := q.valuation.check(q, e.objectives); err != nil {
			return err
		}
	}
	if q.policy = e.policy; q.Policy != "" {
		var err error
		if q.policy, err = parsePolicy(q.Policy); err != nil {
			return err
		}
	}
	if q.binds() && q.policy.capped == nil {
		return field.Wrong("cap", "has no exact propensities with the policy %s where more than one candidate is chosen: leave it out, choose 1, or use the policy greedy or epsilon", q.policy.text)
	}
	return nil
}

// pick sets the objectives that q asks for.
func (e *Engine) pick(q *Request) error {
	q.picked = q.own[:0]
	for i, name := range q.Objectives {
		at := slices.Index(e.objectives, name)
		switch {
		case at < 0:
			return field.Wrong(fmt.Sprintf("objectives[%d]", i), "is %q, which %s", clip(name), event.UnknownName(name, e.objectives))
		case slices.Contains(q.picked, at):
			return field.Wrong(fmt.Sprintf("objectives[%d]", i), "is %s again", name)
		}
		q.picked = append(q.picked, at)
	}
	q.own = q.picked
	return nil
}

// clip shortens a text from outside for a message.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// restrict leaves in the answer's basis what is about the objectives that q asks for.
func (e *Engine) restrict(c *Call, q *Request) {
	b := &q.Answer.Basis
	from := len(c.versions)
	b.WithoutModel = false
	for _, j := range q.picked {
		if c.held[j].replica == nil {
			b.WithoutModel = true
			continue
		}
		c.versions = append(c.versions, event.ObjectiveVersion{Objective: e.objectives[j], Version: c.held[j].version})
	}
	b.Models = c.versions[from:len(c.versions):len(c.versions)]
}
