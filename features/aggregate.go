package features

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// kind is a kind of aggregate. Each stands in a file of its own, which says how its settings are
// checked, what events add to a profile, and how the feature is read from it. How additions merge,
// in memory and in Redis, is a matter of the OpKinds that it uses.
//
// The fields of a profile are named EVENT and EVENT+VALUE for totals, the same with #HOP for
// series, EVENT@ for recency and EVENT=VALUE for last. A new kind shares a field only if it means
// the same.
type kind struct {
	name string
	// value, over and halfLife say which settings it takes. A kind that takes a value needs one;
	// over includes prior and weight.
	value, over, halfLife bool
	// compile checks the settings that only this kind has, and plans what events add.
	compile func(d *declaration) (aggregate, *Error)
}

// kinds are all kinds of aggregates. A new one needs its file and a line here.
var kinds = []*kind{countKind, sumKind, ratioKind, recencyKind, lastKind}

// aggregate reads one feature from a profile.
type aggregate interface {
	value(r *reading) event.Value
}

func findKind(name string) (*kind, *Error) {
	i := slices.IndexFunc(kinds, func(k *kind) bool { return k.name == name })
	if i < 0 {
		every := kindsThat(func(*kind) bool { return true }, ", ")
		return nil, &Error{Field: "aggregate", Reason: fmt.Sprintf("is %q; expected one of %s", name, every)}
	}
	return kinds[i], nil
}

// kindsThat joins the names of the kinds that do something.
func kindsThat(do func(*kind) bool, separator string) string {
	var names []string
	for _, k := range kinds {
		if do(k) {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, separator)
}

// checkSettings refuses settings that the kind does not take.
func (k *kind) checkSettings(p *ProfileConfig) *Error {
	takers := func(take func(*kind) bool) string {
		return "is given, but belongs to " + kindsThat(take, " and ") + " only"
	}
	switch {
	case k.value && p.Value == "":
		return &Error{Field: "value", Reason: "is missing; expected value, context.NAME or properties.NAME"}
	case !k.value && p.Value != "":
		return &Error{Field: "value", Reason: takers(func(k *kind) bool { return k.value })}
	case !k.over && p.Over != "":
		return &Error{Field: "over", Reason: takers(func(k *kind) bool { return k.over })}
	case !k.over && (p.Prior != 0 || p.Weight != 0):
		return &Error{Field: "prior", Reason: takers(func(k *kind) bool { return k.over })}
	case !k.halfLife && p.HalfLife != "":
		return &Error{Field: "half_life", Reason: "is given, but " + k.name + " does not decay; expected a window or nothing"}
	}
	return nil
}

// declaration is an aggregate of the configuration as its kind compiles it.
type declaration struct {
	*ProfileConfig
	set    *Set
	entity int
	span   span
	source source // of Value
}

// plan makes events of a type or name add op to the entity's profile. complete gets the declared
// value of each event.
func (d *declaration) plan(eventType string, op Op, complete completer) {
	d.set.addOp(d.entity, eventType, opPlan{op: op, source: d.source, complete: complete})
}

// counter plans a sum over the declared span: a total without a span, else a series of tiles.
func (d *declaration) counter(eventType, field string, complete completer) *counter {
	if d.span == (span{}) {
		d.plan(eventType, Op{Kind: OpAdd, Field: field}, complete)
		return &counter{field: field}
	}
	field += "#" + d.span.hopName
	d.set.addOp(d.entity, eventType, opPlan{
		op: Op{Kind: OpTile, Field: field, Keep: d.span.keep()}, hop: d.span.hop, source: d.source, complete: complete,
	})
	return d.set.addCounter(d.entity, &counter{field: field, span: d.span})
}

func number(f float64) event.Value { return event.Value{Kind: event.Number, Num: f} }
