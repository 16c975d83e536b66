package features

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// ShownConfig declares a fact that exists only once an ad is shown, such as the position on the
// page. Candidates are compared with one value of it, and learned from with the value that the
// event brought.
type ShownConfig struct {
	// Name of the feature. No context may give it.
	Name string `yaml:"name"`
	// From is where the trigger's event has the fact: properties.NAME, context.NAME, or NAME for
	// either, properties first. Empty: the feature's name.
	From string `yaml:"from"`
	// Serve is the value with which every candidate is scored, a number or a text. It decides the
	// kind of the feature: with a number, texts of events count if they are numbers ("3"), and with
	// a text, their numbers are texts.
	Serve string `yaml:"serve"`
}

// maxShown bounds the facts, each of which costs memory in every outcome.
const maxShown = 16

// maxShownBytes bounds a text that an event brings, and the text that is served.
const maxShownBytes = event.MaxIDBytes

// Shown are the facts that exist only once an ad is shown, in the order of the configuration. A nil
// Shown has none. It does not change, and any number of goroutines may use it.
type Shown struct {
	served event.Fields
	facts  []shownFact
}

// shownFact is where an event has a fact.
type shownFact struct {
	properties, context string // names of the fields; empty: not there
}

// Shown returns the facts that are known only once an ad is shown; nil if there are none.
func (s *Set) Shown() *Shown { return s.shown }

// addShown checks a fact and appends it.
func (s *Set) addShown(c *ShownConfig) *Error {
	switch {
	case c.Name == "" || len(c.Name) > 64 || strings.ContainsFunc(c.Name, control):
		return &Error{Field: "name", Reason: fmt.Sprintf("is %q; expected 1 to 64 bytes without control characters", c.Name)}
	case s.reserved[c.Name] || c.Name == featureAd || c.Name == featureCampaign:
		return &Error{Field: "name", Reason: fmt.Sprintf("is %q, which another feature has; expected a name of its own", c.Name)}
	case s.hasEntityOf(c.Name):
		return &Error{Field: "name", Reason: fmt.Sprintf("is %q, of which features.profiles has the entity context.%s; expected another name: no request knows what will be shown", c.Name, c.Name)}
	}
	fact, err := newShownFact(c)
	if err != nil {
		return err
	}
	v, err := servedValue(c.Serve)
	if err != nil {
		return err
	}
	if s.shown == nil {
		s.shown = &Shown{}
	}
	s.reserved[c.Name] = true
	s.shown.served = append(s.shown.served, event.Field{Name: c.Name, Value: v})
	s.shown.facts = append(s.shown.facts, fact)
	return nil
}

// hasEntityOf says whether profiles belong to the values of a field of the context.
func (s *Set) hasEntityOf(name string) bool {
	return slices.ContainsFunc(s.entities, func(e entity) bool { return e.context == name })
}

// Reads says whether the feature is made of an event's property of this name.
func (c *ShownConfig) Reads(property string) bool {
	fact, err := newShownFact(c)
	return err == nil && fact.properties == property
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

func newShownFact(c *ShownConfig) (shownFact, *Error) {
	from := c.From
	if from == "" {
		from = c.Name
	}
	for _, place := range [...]string{"properties.", "context."} {
		name, ok := strings.CutPrefix(from, place)
		switch {
		case ok && name == "":
			return shownFact{}, &Error{Field: "from", Reason: fmt.Sprintf("is %q; expected properties.NAME, context.NAME or NAME", from)}
		case ok && place == "context.":
			return shownFact{context: name}, nil
		case ok:
			return shownFact{properties: name}, nil
		}
	}
	if len(from) > maxShownBytes || strings.ContainsFunc(from, control) {
		return shownFact{}, &Error{Field: "from", Reason: fmt.Sprintf("is %q; expected at most %d bytes without control characters", from, maxShownBytes)}
	}
	return shownFact{properties: from, context: from}, nil
}

// servedValue is a number where the text is one.
func servedValue(s string) (event.Value, *Error) {
	v := event.Value{Kind: event.String, Str: s}
	if n, ok := v.Amount(); ok && finite(n) {
		return event.Value{Kind: event.Number, Num: n}, nil
	}
	if s == "" || len(s) > maxShownBytes || strings.ContainsFunc(s, control) {
		return v, &Error{Field: "serve", Reason: fmt.Sprintf("is %q; expected the value that every candidate is scored with: a number such as 1, or a text of at most %d bytes", s, maxShownBytes)}
	}
	return v, nil
}

// Has says whether name is a fact that no request knows.
func (s *Shown) Has(name string) bool {
	if s == nil {
		return false
	}
	_, ok := s.served.Lookup(name)
	return ok
}

// Served are the facts with the values that candidates are scored with. The caller must not change
// them.
func (s *Shown) Served() event.Fields {
	if s == nil {
		return nil
	}
	return s.served
}

// Of appends the facts that e brings, in the order of the configuration. A value that is not of the
// fact's kind (a list, or a word where a number is served) is left out; refused, unless nil, is
// told of it. A null is as good as nothing.
func (s *Shown) Of(dst event.Fields, e *event.Event, refused func(name string, v event.Value)) event.Fields {
	if s == nil {
		return dst
	}
	for i := range s.facts {
		v := s.facts[i].of(e)
		if v.Kind == event.Null {
			continue
		}
		like := &s.served[i]
		if taken, ok := asKindOf(like.Value.Kind, v); ok {
			dst = append(dst, event.Field{Name: like.Name, Value: taken})
		} else if refused != nil {
			refused(like.Name, v)
		}
	}
	return dst
}

// of returns the fact as e has it; null where it has none.
func (f *shownFact) of(e *event.Event) event.Value {
	if f.properties != "" {
		if v, ok := e.Properties.Lookup(f.properties); ok && v.Kind != event.Null {
			return v
		}
	}
	if f.context != "" {
		v, _ := e.Context.Lookup(f.context)
		return v
	}
	return event.Value{}
}

// asKindOf returns v as a Number or as a String. What is served and what is learned must be the
// same kind of input: the network keeps the number 1 and the word "1" apart.
func asKindOf(kind event.ValueKind, v event.Value) (event.Value, bool) {
	if kind == event.Number {
		n, ok := v.Amount()
		return event.Value{Kind: event.Number, Num: n}, ok && finite(n)
	}
	text := v.Text()
	return event.Value{Kind: event.String, Str: text}, text != "" && len(text) <= maxShownBytes
}

// Put replaces the served values among the features of a prediction by the facts that were brought,
// in place. A fact that was not brought becomes null, which the network learns as unknown: the
// served value would be a guess. brought, unless nil, is told of each fact. Features of a
// prediction that was made without a fact stay without it.
func (s *Shown) Put(features, facts event.Fields, brought func(i int, ok bool)) {
	if s == nil {
		return
	}
	for i := range s.served {
		name := s.served[i].Name
		v, ok := facts.Lookup(name)
		for j := range features {
			if features[j].Name == name {
				features[j].Value = v
			}
		}
		if brought != nil {
			brought(i, ok)
		}
	}
}

// Same says whether the facts of features are those that are served: what was predicted is then
// what was shown.
func (s *Shown) Same(features event.Fields) bool {
	if s == nil {
		return true
	}
	for i := range s.served {
		want := &s.served[i]
		if v, ok := features.Lookup(want.Name); ok && (v.Kind != want.Value.Kind || v.Num != want.Value.Num || v.Str != want.Value.Str) {
			return false
		}
	}
	return true
}

// PutEncoded is Put for features that are encoded: Assemble puts the facts in front, and each is
// one input.
func (s *Shown) PutEncoded(x []model.Feature, facts event.Fields) {
	if s == nil {
		return
	}
	for i := range s.served {
		name := s.served[i].Name
		v, _ := facts.Lookup(name)
		EncodeValue(x[i:i], model.FieldHash(name), &v)
	}
}
