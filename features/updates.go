package features

import (
	"slices"

	"github.com/clickloop/clickloop/event"
)

// Updates appends what e adds to the profiles (pure). Only types and names (Event.Name) that an
// aggregate counts add anything, heartbeats never. An event counts at its own time, or at the time
// when it was received if it has none. The Ops slices in dst's spare capacity are used again.
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

// update appends what plans make of e. An event changes an entity once, for the store refuses a
// second update from the same offset: what comes for an entity that dst[from:] has already is added
// to that.
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
		var u *Update
		if n >= 0 {
			u = &dst[from+n]
		} else {
			dst, u = nextUpdate(dst)
			u.Key, u.Offset = key, offset
		}
		for j := range plans[i].ops {
			u.Ops = plans[i].ops[j].appendOp(u.Ops, e, at)
		}
		if len(u.Ops) == 0 {
			dst = dst[:len(dst)-1]
		}
	}
	return dst
}

// nextUpdate lengthens dst by one, keeping the memory of the Ops that were there before.
func nextUpdate(dst []Update) ([]Update, *Update) {
	if len(dst) < cap(dst) {
		dst = dst[:len(dst)+1]
	} else {
		dst = append(dst, Update{})
	}
	u := &dst[len(dst)-1]
	u.Ops = u.Ops[:0]
	return dst, u
}

func (p *opPlan) appendOp(ops []Op, e *event.Event, at event.Time) []Op {
	op := Op{Kind: p.kind, Field: p.field}
	switch p.kind {
	case OpMax:
		op.Time = at
	case OpLast:
		op.Time, op.Value = at, encodeLast(p.source.of(e))
		if op.Value == "" {
			return ops
		}
	case OpAdd, OpTile:
		op.Add = 1
		if p.source != (source{}) {
			v, ok := p.source.of(e).Amount()
			amount, summable := toMicro(v)
			if !ok || !summable || amount == 0 {
				return ops
			}
			op.Add = amount
		}
		if p.kind == OpTile {
			op.Tile, op.Keep = tileOf(at, p.hop), p.keep
		}
	}
	return append(ops, op)
}
