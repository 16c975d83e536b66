package scorer

import (
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
)

// warnShown warns of fields that a context gives although they are known only once an ad is shown.
// They are ignored: every candidate is scored with the value that is served.
func (x *exchange) warnShown(shown *features.Shown) {
	if shown == nil {
		return
	}
	for i := range x.lines {
		l := &x.lines[i]
		if l.request >= len(x.call.Requests) || l.err != nil {
			continue
		}
		q := &x.call.Requests[l.request]
		l.warnShown(shown, q.Context, "context.")
		for j := range q.Candidates {
			if c := q.Candidates[j].Context; len(c) > 0 {
				l.warnShown(shown, c, "candidates["+strconv.Itoa(j)+"].context.")
			}
		}
	}
}

func (l *line) warnShown(shown *features.Shown, context event.Fields, at string) {
	for i := range context {
		if name := context[i].Name; shown.Has(name) {
			l.note(warning{name: name, path: at + name, times: 1, message: "is known only once an ad is shown (features.shown): every candidate is scored with one value of it, and the trigger's event brings it."})
		}
	}
}

// note keeps a warning of its own message. Candidates that have the same one share it.
func (l *line) note(n warning) {
	for i := range l.warnings {
		if w := &l.warnings[i]; w.name == n.name && w.message == n.message {
			w.times++
			return
		}
	}
	if len(l.warnings) < maxWarnings {
		l.warnings = append(l.warnings, n)
		return
	}
	l.unnamed++
}
