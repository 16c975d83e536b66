package features

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Set is a compiled Config. It does not change, and any number of goroutines may use it.
type Set struct {
	context  selection
	entities []entity
	features []feature
	crosses  []cross
	reserved map[string]bool        // names of features and crosses, which no context may take
	plans    map[string][]eventPlan // by the type or the name of an event
	named    bool                   // some plan is for a name instead of a known type
	tallies  int                    // number of counters over series
	watched  map[string]int         // numbers the names of parts of crosses, and of context entities
}

// feature is one declared aggregate of a profile.
type feature struct {
	name   string
	entity int // index in Set.entities
	aggregate
	lookBack event.Time // of its window or half-life; 0: events never cease to matter
}

// maxProfiles bounds what one event can change in one profile.
const maxProfiles = maxGroupOps / 2

// Compile checks cfg. The error is an *Error that names the field and what is allowed.
func Compile(cfg Config) (*Set, error) {
	if len(cfg.Profiles) > maxProfiles {
		return nil, &Error{Field: "features.profiles", Reason: fmt.Sprintf("has %d aggregates; at most %d are allowed", len(cfg.Profiles), maxProfiles)}
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
	s.watchNames()
	return s, nil
}

// watchNames numbers the names on which something depends that candidates may have in common.
func (s *Set) watchNames() {
	s.watched = map[string]int{}
	watch := func(name string) {
		if _, ok := s.watched[name]; !ok {
			s.watched[name] = len(s.watched)
		}
	}
	for i := range s.entities {
		if name := s.entities[i].context; name != "" {
			watch(name)
		}
	}
	for i := range s.crosses {
		for _, part := range s.crosses[i].parts {
			watch(part)
		}
	}
}

func (s *Set) addProfile(p *ProfileConfig) *Error {
	k, wrong := findKind(p.Aggregate)
	if wrong != nil {
		return wrong
	}
	e, err := newEntity(p.Entity)
	if err != nil {
		return &Error{Field: "entity", Reason: err.Error()}
	}
	if err := checkEventType(p.Event); err != nil {
		return &Error{Field: "event", Reason: err.Error()}
	}
	span, which, err := newSpan(p.Window, p.HalfLife)
	if err != nil {
		return &Error{Field: which, Reason: err.Error()}
	}
	if err := k.checkSettings(p); err != nil {
		return err
	}
	d := declaration{ProfileConfig: p, set: s, entity: s.entityIndex(e), span: span}
	if k.value {
		if d.source, err = newSource(p.Value); err != nil {
			return &Error{Field: "value", Reason: err.Error()}
		}
	}
	a, wrong := k.compile(&d)
	if wrong != nil {
		return wrong
	}
	name := p.Name
	if name == "" {
		name = deriveName(p)
	}
	if s.reserved[name] {
		return &Error{Field: "name", Reason: fmt.Sprintf("is %q, which another feature has; expected a name of its own", name)}
	}
	s.reserved[name] = true
	s.features = append(s.features, feature{name: name, entity: d.entity, aggregate: a, lookBack: span.length()})
	return nil
}

// checkEventType refuses types that contain what separates the parts of a field's name.
func checkEventType(s string) error {
	if s == "" {
		return fmt.Errorf("is missing; expected the type of the events, such as click")
	}
	if len(s) > 64 || strings.ContainsAny(s, "#+@=:^") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("is %q; expected at most 64 bytes without # + @ = : ^ and control characters", s)
	}
	return nil
}

// deriveName is ENTITY.EVENT_AGGREGATE, followed by the value's name and the window, if any.
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

// Retention is the longest time for which an event matters to an aggregate: a profile that is
// forgotten sooner is wrong. Aggregates without a window or half-life never cease to need an event;
// they count as a year. 0 when no aggregate is declared.
func (s *Set) Retention() time.Duration {
	var longest event.Time
	for i := range s.features {
		if lookBack := s.features[i].lookBack; lookBack > 0 {
			longest = max(longest, lookBack)
		} else {
			longest = maxSpan
		}
	}
	return time.Duration(longest) * time.Millisecond
}

// Names appends the names of the declared aggregates and crosses, in the order of Assemble.
func (s *Set) Names(dst []string) []string {
	for i := range s.features {
		dst = append(dst, s.features[i].name)
	}
	for i := range s.crosses {
		dst = append(dst, s.crosses[i].name)
	}
	return dst
}
