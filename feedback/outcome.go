package feedback

import (
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
)

// OutcomeUpdate appends what e adds to the outcome of its prediction: of each of kinds that it is,
// by its type or by the name that an SDK gives it, what was received first. That is the same in any
// order and however often it is folded. e.Received is the receipt that counts: Marks.Settle finds
// it out.
func OutcomeUpdate(dst []features.Update, e *event.Event, offset int64, kinds Kinds) []features.Update {
	if e.Prediction == "" || e.Type == event.TypeHeartbeat || !kinds.any(e) {
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
	for _, kind := range [...]string{e.Type, e.Name()} {
		if kinds[kind] {
			ops = append(ops, features.Op{Kind: features.OpFirst, Field: kind, Time: e.Received, Value: value})
		}
	}
	return append(dst, features.Update{Key: e.Prediction, Offset: offset, Ops: ops})
}

// happened parts, in what is kept of an event, its value from the time at which it happened, where
// that is not when it was received.
const happened = "@"

// OutcomeOf reads what OutcomeUpdate has folded.
func OutcomeOf(p features.Profile) event.Outcome {
	out := make(event.Outcome, len(p.Fields))
	for kind, stamped := range p.Fields {
		at, value, ok := features.SplitStamped(stamped)
		if !ok {
			continue // a field of the store's own
		}
		e := event.OutcomeEvent{Received: at, Time: at}
		value, ms, earlier := strings.Cut(value, happened)
		if t, err := strconv.ParseInt(ms, 10, 64); earlier && err == nil {
			e.Time = event.Time(t)
		}
		e.Value, _ = strconv.ParseFloat(value, 64) // empty is 0
		out[kind] = e
	}
	return out
}

// Kinds are the types and names of events that labels are made of. Others are not kept: a
// prediction's outcome must not grow with what a client calls its events.
type Kinds map[string]bool

// KindsOf are those of the loop's own events and of what objectives name as trigger or positive.
func KindsOf(objectives []event.Objective) Kinds {
	kinds := Kinds{event.TypeImpression: true, event.TypeClick: true, event.TypeConversion: true}
	for _, o := range objectives {
		kinds[o.Trigger], kinds[o.Positive] = true, true
	}
	delete(kinds, "")
	return kinds
}

// any says whether an event is of one of the kinds.
func (k Kinds) any(e *event.Event) bool { return k[e.Type] || k[e.Name()] }
