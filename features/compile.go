package features

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Aggregates of profiles.
const (
	count   = "count"
	sum     = "sum"
	ratio   = "ratio"
	recency = "recency"
	last    = "last"
)

var aggregates = []string{count, sum, ratio, recency, last}

// maxProfiles bounds what one event can change in one profile.
const maxProfiles = maxGroupOps / 2

// Error names the place in the configuration that is wrong, such as features.profiles[2].window,
// and says why.
type Error struct {
	Field  string
	Reason string
}

// Error joins Field and Reason to a sentence.
func (e *Error) Error() string { return e.Field + " " + e.Reason }

// Compile checks cfg; the error is an *Error that names the field and what is allowed.
func Compile(cfg Config) (*Set, error) {
	if len(cfg.Profiles) > maxProfiles {
		return nil, &Error{"features.profiles", fmt.Sprintf("has %d aggregates; at most %d are allowed", len(cfg.Profiles), maxProfiles)}
	}
	s := &Set{context: newSelection(cfg.Context, cfg.Drop), reserved: map[string]bool{}, plans: map[string][]eventPlan{}}
	for i := range cfg.Profiles {
		at := fmt.Sprintf("features.profiles[%d]", i)
		if err := s.addProfile(&cfg.Profiles[i]); err != nil {
			err.Field = strings.TrimSuffix(at+"."+err.Field, ".")
			return nil, err
		}
	}
	for i, names := range cfg.Cross {
		if err := s.addCross(names); err != nil {
			err.Field = fmt.Sprintf("features.cross[%d]", i)
			return nil, err
		}
	}
	s.indexSeries()
	return s, nil
}

func (s *Set) addProfile(p *ProfileConfig) *Error {
	if !slices.Contains(aggregates, p.Aggregate) {
		return &Error{"aggregate", fmt.Sprintf("is %q; expected one of %s", p.Aggregate, strings.Join(aggregates, ", "))}
	}
	ent, err := newEntity(p.Entity)
	if err != nil {
		return &Error{"entity", err.Error()}
	}
	if err := checkEventType(p.Event); err != nil {
		return &Error{"event", err.Error()}
	}
	span, which, err := newSpan(p.Window, p.HalfLife)
	if err != nil {
		return &Error{which, err.Error()}
	}
	f := aggregate{kind: p.Aggregate, entity: s.entityIndex(ent), span: span, prior: p.Prior, weight: p.Weight, field: p.Event}
	if err := f.checkOptions(p); err != nil {
		return err
	}
	f.name = p.Name
	if f.name == "" {
		f.name = deriveName(p)
	}
	if s.reserved[f.name] {
		return &Error{"name", fmt.Sprintf("is %q, which another feature has; expected a name of its own", f.name)}
	}
	s.reserved[f.name] = true
	s.plan(&f, p)
	s.features = append(s.features, f)
	return nil
}

// checkOptions refuses settings that an aggregate has no use for, and asks for those that it needs.
func (f *aggregate) checkOptions(p *ProfileConfig) *Error {
	needsValue := p.Aggregate == sum || p.Aggregate == last
	switch {
	case needsValue && p.Value == "":
		return &Error{"value", "is missing; expected value, context.NAME or properties.NAME"}
	case !needsValue && p.Value != "":
		return &Error{"value", "is given, but only sum and last have a value"}
	case p.Aggregate == ratio && p.Over == "":
		return &Error{"over", "is missing; expected the type of the events in the denominator, such as impression"}
	case p.Aggregate != ratio && p.Over != "":
		return &Error{"over", "is given, but only ratio has a denominator"}
	case p.Aggregate != ratio && (p.Prior != 0 || p.Weight != 0):
		return &Error{"prior", "is given, but only ratio is smoothed"}
	case math.IsNaN(p.Prior) || math.IsInf(p.Prior, 0):
		return &Error{"prior", "is no finite number"}
	case math.IsNaN(p.Weight) || math.IsInf(p.Weight, 0) || p.Weight < 0:
		return &Error{"weight", "is negative or no finite number"}
	case p.HalfLife != "" && (p.Aggregate == recency || p.Aggregate == last):
		return &Error{"half_life", "is given, but " + p.Aggregate + " does not decay; expected a window or nothing"}
	}
	if p.Over != "" {
		if err := checkEventType(p.Over); err != nil {
			return &Error{"over", err.Error()}
		}
	}
	if needsValue {
		var err error
		if f.source, err = newSource(p.Value); err != nil {
			return &Error{"value", err.Error()}
		}
	}
	return nil
}

// checkEventType refuses types that the fields of a profile could not be told apart by.
func checkEventType(s string) error {
	if s == "" {
		return fmt.Errorf("is missing; expected the type of the events, such as click")
	}
	if len(s) > 64 || strings.ContainsAny(s, "#+@=:^") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("is %q; expected at most 64 bytes without # + @ = : ^ and control characters", s)
	}
	return nil
}

// deriveName is ENTITY.EVENT_AGGREGATE, with the value's name and the window where there are any.
func deriveName(p *ProfileConfig) string {
	name := p.Entity + "." + p.Event + "_" + p.Aggregate
	if p.Value != "" && p.Value != "value" {
		_, path, found := strings.Cut(p.Value, ".")
		if !found {
			path = p.Value
		}
		name += "_" + path
	}
	if p.HalfLife != "" {
		return name + "_half_" + p.HalfLife
	}
	if p.Window != "" {
		name += "_" + p.Window
	}
	return name
}

// plan sets the fields of the profile that f is made of, and what events do to them.
func (s *Set) plan(f *aggregate, p *ProfileConfig) {
	switch f.kind {
	case recency:
		f.field = p.Event + "@"
		s.planOp(f.entity, p.Event, opPlan{kind: OpMax, field: f.field})
	case last:
		f.field = p.Event + "=" + p.Value
		s.planOp(f.entity, p.Event, opPlan{kind: OpLast, field: f.field, source: f.source})
	case sum:
		f.field = s.planCounter(f, p.Event, p.Event+"+"+p.Value)
	case count:
		f.field = s.planCounter(f, p.Event, p.Event)
	case ratio:
		f.field = s.planCounter(f, p.Event, p.Event)
		f.over = s.planCounter(f, p.Over, p.Over)
	}
}

// planCounter plans a total or a series and returns its field.
func (s *Set) planCounter(f *aggregate, eventType, field string) string {
	op := opPlan{kind: OpAdd, field: field, source: f.source}
	if f.span != (span{}) {
		op.kind, op.hop, op.keep = OpTile, f.span.hop, f.span.keep()
		op.field += "#" + hopName(op.hop)
	}
	s.planOp(f.entity, eventType, op)
	return op.field
}

// planOp adds op to what events of a type do to an entity, once a field: aggregates share what they
// can.
func (s *Set) planOp(entity int, eventType string, op opPlan) {
	plans := s.plans[eventType]
	i := slices.IndexFunc(plans, func(p eventPlan) bool { return p.entity == entity })
	if i < 0 {
		i = len(plans)
		plans = append(plans, eventPlan{entity: entity})
	}
	ops := plans[i].ops
	j := slices.IndexFunc(ops, func(o opPlan) bool { return o.kind == op.kind && o.field == op.field })
	if j < 0 {
		ops = append(ops, op)
	} else {
		ops[j].keep = max(ops[j].keep, op.keep)
	}
	plans[i].ops = ops
	s.plans[eventType] = plans
	s.named = s.named || !event.KnownType(eventType)
}

func (s *Set) addCross(names []string) *Error {
	if len(names) < 2 || len(names) > 3 {
		return &Error{Reason: fmt.Sprintf("has %d names; expected two or three", len(names))}
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			return &Error{Reason: fmt.Sprintf("has the name %q empty or twice; expected different names of features", name)}
		}
	}
	name := strings.Join(names, "*")
	if s.reserved[name] {
		return &Error{Reason: fmt.Sprintf("makes the feature %q, which there is already", name)}
	}
	s.reserved[name] = true
	s.crosses = append(s.crosses, cross{name: name, parts: slices.Clone(names)})
	return nil
}
