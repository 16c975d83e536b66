package features

import (
	"slices"

	"github.com/clickloop/clickloop/event"
)

// eventPlan is what events of one type or name change in the profile of one entity.
type eventPlan struct {
	entity int
	ops    []opPlan
}

// opPlan makes one Op of an event.
type opPlan struct {
	op       Op         // with Kind and Field, and Keep for a series
	hop      event.Time // of a series
	source   source     // of the value that complete gets
	complete completer
}

// completer completes an Op with the value and the time of an event; false when the event adds
// nothing. It gets the value instead of the event, which could otherwise not stay on the stack.
type completer func(op *Op, v event.Value, at event.Time) bool

// addOp adds an Op to what events of a type do to an entity. Aggregates share a field: it is
// planned once, with the largest Keep.
func (s *Set) addOp(entity int, eventType string, op opPlan) {
	plans := s.plans[eventType]
	i := slices.IndexFunc(plans, func(p eventPlan) bool { return p.entity == entity })
	if i < 0 {
		i = len(plans)
		plans = append(plans, eventPlan{entity: entity})
		s.plans[eventType] = plans
	}
	p := &plans[i]
	j := slices.IndexFunc(p.ops, func(o opPlan) bool { return o.op.Kind == op.op.Kind && o.op.Field == op.op.Field })
	if j < 0 {
		p.ops = append(p.ops, op)
	} else {
		p.ops[j].op.Keep = max(p.ops[j].op.Keep, op.op.Keep)
	}
	s.named = s.named || !event.KnownType(eventType)
}

// Updates appends what e adds to the profiles; it has no other effect. Only types and names
// (Event.Name) that an aggregate counts add anything, and heartbeats never do. An event counts at
// its own time, or without one at the time of its receipt. The Ops slices in dst's spare capacity
// are used again.
func (s *Set) Updates(dst []Update, e *event.Event, offset int64) []Update {
	if e.Type == event.TypeHeartbeat {
		return dst
	}
	at := e.Time
	if at == 0 {
		at = e.Received
	}
	if at <= 0 {
		return dst
	}
	from := len(dst)
	dst = s.update(dst, from, s.plans[e.Type], e, at, offset)
	if !s.named {
		return dst
	}
	if name := e.Name(); name != "" {
		dst = s.update(dst, from, s.plans[name], e, at, offset)
	}
	return dst
}

// update appends what plans make of e. A store refuses a second update of a profile from the same
// offset, so Ops on a profile that dst[from:] already has are added to that update.
func (s *Set) update(dst []Update, from int, plans []eventPlan, e *event.Event, at event.Time, offset int64) []Update {
	if len(plans) == 0 {
		return dst
	}
	r := requestOf(e)
	for i := range plans {
		key := s.entities[plans[i].entity].key(&r)
		if key == "" {
			continue
		}
		n := slices.IndexFunc(dst[from:], func(u Update) bool { return u.Key == key })
		if n < 0 {
			n = len(dst) - from
			dst = extend(dst)
			dst[from+n] = Update{Key: key, Offset: offset, Ops: dst[from+n].Ops[:0]}
		}
		u := &dst[from+n]
		for j := range plans[i].ops {
			u.Ops = plans[i].ops[j].appendOp(u.Ops, e, at)
		}
		if len(u.Ops) == 0 {
			dst = dst[:len(dst)-1]
		}
	}
	return dst
}

func (p *opPlan) appendOp(ops []Op, e *event.Event, at event.Time) []Op {
	n := len(ops)
	ops = append(ops, p.op)
	op := &ops[n]
	if p.hop > 0 {
		op.Tile = tileOf(at, p.hop)
	}
	var v event.Value
	if p.source.from != "" {
		v = p.source.of(e)
	}
	if p.complete(op, v, at) {
		return ops
	}
	return ops[:n]
}
