package features

import (
	"github.com/clickloop/clickloop/event"
)

// Updates appends what e adds to the profiles (pure). Only types that an aggregate counts add anything, heartbeats never. An event counts at its own time, or
// at the time when it was received if it has none. The Ops slices in dst's spare capacity are used again.
func (s *Set) Updates(dst []Update, e *event.Event, offset int64) []Update {
	if e.Type == event.TypeHeartbeat {
		return dst
	}
	at := e.Time
	if at == 0 {
		at = e.Received
	}
	plans := s.plans[e.Type]
	if len(plans) == 0 || at <= 0 {
		return dst
	}
	r := requestOf(e)
	for i := range plans {
		key := s.entities[plans[i].entity].key(&r)
		if key == "" {
			continue
		}
		var u *Update
		dst, u = nextUpdate(dst)
		u.Key, u.Offset = key, offset
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
			v := p.source.of(e)
			amount, ok := toMicro(v.Num)
			if v.Kind != event.Number || !ok || amount == 0 {
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
