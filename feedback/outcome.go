package feedback

import (
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/features"
)

// EventTypes are the types and names of events that labels are made of. Others are not kept: a
// prediction's outcome must not grow with what a client calls its events.
type EventTypes map[string]bool

// TypesOf are the types of the loop's own events and those that objectives ask for.
func TypesOf(objectives []event.Objective) EventTypes {
	types := EventTypes{event.TypeImpression: true, event.TypeClick: true, event.TypeConversion: true}
	for _, o := range objectives {
		kind := objective.KindOf(o)
		for _, name := range append(kind.Events, kind.Trigger) {
			types[name] = true
		}
	}
	delete(types, "")
	return types
}

// any says whether an event has one of the types or names.
func (t EventTypes) any(e *event.Event) bool { return t[e.Type] || t[e.Name()] }

// OutcomeUpdate appends what e adds to the outcome of its prediction: for its type and for its
// name, if types has them, what was received first. That is the same in any order, however often it
// is folded. With showings it also adds what e says was shown. e.Received must be the receipt that
// counts (see watermark.Marks.Settle).
func OutcomeUpdate(dst []features.Update, e *event.Event, offset int64, types EventTypes, showings *Showings) []features.Update {
	if e.Prediction == "" || e.Type == event.TypeHeartbeat || !types.any(e) {
		return dst
	}
	value := ""
	if e.Value != 0 {
		value = strconv.FormatFloat(e.Value, 'g', -1, 64)
	}
	if e.Time != e.Received {
		value += happened + strconv.FormatInt(int64(e.Time), 10)
	}
	ops := make([]features.Op, 0, 2)
	for _, name := range [...]string{e.Type, e.Name()} {
		if types[name] {
			ops = append(ops, features.Op{Kind: features.OpFirst, Field: name, Time: e.Received, Value: value})
		}
	}
	ops = showings.appendOps(ops, e)
	return append(dst, features.Update{Key: e.Prediction, Offset: offset, Ops: ops})
}

// happened separates the value of an event from the time at which it happened. The time is kept
// only where it is not the receipt.
const happened = "@"

// OutcomeOf reads what OutcomeUpdate has folded.
func OutcomeOf(p features.Profile) event.Outcome {
	out := make(event.Outcome, len(p.Fields))
	for name, stamped := range p.Fields {
		at, value, ok := features.SplitStamped(stamped)
		if !ok || strings.HasPrefix(name, factsPrefix) {
			continue // a field of the store's own, or what was shown
		}
		e := event.OutcomeEvent{Received: at, Time: at}
		value, ms, earlier := strings.Cut(value, happened)
		if t, err := strconv.ParseInt(ms, 10, 64); earlier && err == nil {
			e.Time = event.Time(t)
		}
		e.Value, _ = strconv.ParseFloat(value, 64) // empty is 0
		out[name] = e
	}
	return out
}
