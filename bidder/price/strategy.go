package price

import (
	"math"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/internal/field"
)

// Strategies are the names that a campaign's bid may have.
var Strategies = []string{"cpm", "value", "cpa", "roas", "spend"}

// Strategy says what an impression is worth to a campaign. It does not change: any number of
// goroutines may use it, each with its own Run.
type Strategy struct {
	name      string
	fixed     float64 // micros an impression, of cpm
	objective int     // of cpa and spend, among the objectives of Compile
	target    float64 // of cpa: micros a positive; of roas: a ratio
	value     *expression.Program
	operands  []int // objectives of the value's operands
	most      float64
}

// Run is the memory of an evaluation. The zero Run is ready for use.
type Run = expression.Run

// Compile makes the strategy of a campaign's bid. The error names the field of the bid, such as
// "target", what it has, and what is allowed.
func Compile(b campaign.Bid, objectives []string) (*Strategy, error) {
	s := &Strategy{name: b.Strategy, most: math.Inf(1)}
	if !(b.MaxCPM >= 0) || math.IsInf(b.MaxCPM, 0) {
		return nil, field.Wrong("max_cpm", "is %g, want a number above 0, or 0 for no bound", b.MaxCPM)
	}
	if b.MaxCPM > 0 {
		s.most = b.MaxCPM * 1000
	}
	var err error
	switch b.Strategy {
	case "cpm":
		s.fixed, err = positive("cpm", b.CPM, 1000)
	case "value":
		err = s.compileValue(b.Value, objectives)
	case "cpa":
		if s.target, err = positive("target", b.Target, 1e6); err == nil {
			err = s.find(b.Objective, objectives)
		}
	case "roas":
		if s.target, err = positive("target", b.Target, 1); err == nil {
			err = s.compileValue(b.Value, objectives)
		}
	case "spend":
		err = s.find(b.Objective, objectives)
	default:
		err = field.Wrong("strategy", "is %q, want one of %s", b.Strategy, strings.Join(Strategies, ", "))
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func positive(name string, f, unit float64) (float64, error) {
	if !(f > 0) || math.IsInf(f, 0) {
		return 0, field.Wrong(name, "is %g, want a number above 0", f)
	}
	return f * unit, nil
}

func (s *Strategy) find(objective string, objectives []string) error {
	if s.objective = slices.Index(objectives, objective); s.objective < 0 {
		return field.Wrong("objective", "%s", event.UnknownName(objective, objectives))
	}
	return nil
}

func (s *Strategy) compileValue(text string, objectives []string) error {
	if text == "" {
		return field.Wrong("value", "is empty, want an expression over p.OBJECTIVE, such as p.click * 0.40")
	}
	p, err := expression.Compile(text, expression.Names{Numbers: map[string][]string{"p": objectives}})
	switch {
	case err != nil:
		return field.Wrong("value", "%s", err)
	case !p.Numeric():
		return field.Wrong("value", "is a boolean, want a number, such as CONDITION ? 1 : 0")
	}
	s.value = p
	for _, ref := range p.Refs() {
		s.operands = append(s.operands, slices.Index(objectives, ref.Field))
	}
	return nil
}

// Steered says what Worth wants as control: "feedback" (Feedback.Factor), "multiplier"
// (Plan.Multiplier), or "" where it wants none.
func (s *Strategy) Steered() string {
	switch s.name {
	case "cpa", "roas":
		return "feedback"
	case "spend":
		return "multiplier"
	}
	return ""
}

// Worth is what an impression with the probabilities p, in the order of Compile's objectives, is
// worth in micros: at least 0, at most the bid's MaxCPM. The control is a factor of cpa and roas,
// and of spend the micros that a positive is worth. It allocates nothing but an error: an
// *expression.Error of a value that has no result, such as a division by zero.
func (s *Strategy) Worth(run *Run, p []float64, control float64) (float64, error) {
	var worth float64
	switch s.name {
	case "cpm":
		worth = s.fixed
	case "cpa":
		worth = p[s.objective] * s.target * control
	case "spend":
		worth = p[s.objective] * control
	default:
		v, err := s.evaluate(run, p)
		if err != nil {
			return 0, err
		}
		if worth = v * 1e6; s.name == "roas" {
			worth *= control / s.target
		}
	}
	return min(max(worth, 0), s.most), nil
}

func (s *Strategy) evaluate(run *Run, p []float64) (float64, error) {
	run.Values = slices.Grow(run.Values[:0], len(s.operands))[:len(s.operands)]
	for i, of := range s.operands {
		run.Values[i] = event.Value{Kind: event.Number, Num: p[of]}
	}
	return s.value.Number(run)
}

// Promise is what Worth would pay for an impression without control and without bound, in micros:
// with probabilities what it expects, with labels (0 or 1) what the impression has turned out to be
// worth. The two, for the same impression, are what a Feedback learns from.
func (s *Strategy) Promise(run *Run, p []float64) (float64, error) {
	free := *s
	free.most = math.Inf(1)
	return free.Worth(run, p, 1)
}

// Unit is the promise of an impression with every positive: the scale of a Feedback. It is 0 where
// the value has no result then.
func (s *Strategy) Unit(run *Run, objectives int) float64 {
	all := make([]float64, objectives)
	for i := range all {
		all[i] = 1
	}
	unit, err := s.Promise(run, all)
	if err != nil {
		return 0
	}
	return unit
}
