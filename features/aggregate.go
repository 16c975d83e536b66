package features

import (
	"fmt"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// kind is a kind of aggregate. Each stands in a file of its own, which says how its settings are
// checked, what events add to a profile, and how the feature is read from it. How additions merge,
// in memory and in Redis, is a matter of the OpKinds that it uses.
type kind struct {
	name string
	// value, over and halfLife say which settings it takes. A value is then required; over brings
	// prior and weight with it.
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
	var names []string
	for _, k := range kinds {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	return nil, &Error{"aggregate", fmt.Sprintf("is %q; expected one of %s", name, strings.Join(names, ", "))}
}

// checkSettings refuses settings that the kind does not take.
func (k *kind) checkSettings(p *ProfileConfig) *Error {
	switch {
	case k.value && p.Value == "":
		return &Error{"value", "is missing; expected value, context.NAME or properties.NAME"}
	case !k.value && p.Value != "":
		return &Error{"value", belongsTo(func(k *kind) bool { return k.value })}
	case !k.over && p.Over != "":
		return &Error{"over", belongsTo(func(k *kind) bool { return k.over })}
	case !k.over && (p.Prior != 0 || p.Weight != 0):
		return &Error{"prior", belongsTo(func(k *kind) bool { return k.over })}
	case !k.halfLife && p.HalfLife != "":
		return &Error{"half_life", "is given, but " + k.name + " does not decay; expected a window or nothing"}
	}
	return nil
}

// belongsTo names the kinds that take a setting.
func belongsTo(takes func(*kind) bool) string {
	var names []string
	for _, k := range kinds {
		if takes(k) {
			names = append(names, k.name)
		}
	}
	return "is given, but belongs to " + strings.Join(names, " and ") + " only"
}

// declaration is an aggregate of the configuration as its kind compiles it.
type declaration struct {
	*ProfileConfig
	set    *Set
	entity int
	span   span
	source source // of Value
}

// plan makes events of a type or name add op to the entity's profile. complete is asked for each
// event, with the declared value of it.
func (d *declaration) plan(eventType string, op Op, complete completer) {
	d.set.addOp(d.entity, eventType, opPlan{op: op, source: d.source, complete: complete})
}

// counter plans a sum over the declared span: a total without a span, else a series of tiles.
func (d *declaration) counter(eventType, field string, complete completer) *counter {
	if d.span == (span{}) {
		d.plan(eventType, Op{Kind: OpAdd, Field: field}, complete)
		return &counter{field: field}
	}
	field += "#" + hopName(d.span.hop)
	d.set.addOp(d.entity, eventType, opPlan{
		op: Op{Kind: OpTile, Field: field, Keep: d.span.keep()}, hop: d.span.hop, source: d.source, complete: complete,
	})
	return d.set.addCounter(d.entity, &counter{field: field, span: d.span})
}

func number(f float64) event.Value { return event.Value{Kind: event.Number, Num: f} }
