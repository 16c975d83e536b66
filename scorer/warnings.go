package scorer

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/web"
)

// Fields that a request and a candidate may have. What a context holds is free.
var (
	requestFields   = []string{"request", "user", "anonymous", "source", "time", "row", "w", "context", "tmax_ms", "choose", "policy", "explain", "candidates", "objectives", "value", "exclude", "cap", "log"}
	candidateFields = []string{"ad", "campaign", "value", "context"}
	capFields       = []string{"field", "most"}
	retrievalFields = []string{"catalogue", "filter", "limit"}
)

// maxWarnings bounds the fields of a request that are named; further ones are counted.
const maxWarnings = 16

// warning is a field of a request that is ignored, because it is not known or for the reason that
// message gives. Candidates that have the same one share a warning.
type warning struct {
	name    string
	known   []string // the fields among which it stands
	message string   // in place of the nearest of these
	path    string   // where it came first
	times   int
}

// warn notes the field that r has stepped to, which is none of the known ones, and skips its value.
func (l *line) warn(r *event.Reader, known []string) {
	at := slices.IndexFunc(l.warnings, func(w warning) bool { return w.name == r.Name() && &w.known[0] == &known[0] })
	switch {
	case at >= 0:
		l.warnings[at].times++
	case len(l.warnings) < maxWarnings:
		l.warnings = append(l.warnings, warning{name: r.Name(), known: known, path: r.Path(), times: 1})
	default:
		l.unnamed++
	}
	r.Skip()
}

// changedWarning says that a request's id was used before with the same candidates and other facts.
var changedWarning = web.Warning{Field: "request", Message: "request was used before, with another user, context or value. This is the answer to that request: use a new id for another question."}

// texts are the warnings of an answer.
func (l *line) texts(changed bool, retrieved *Retrieved) (all []web.Warning) {
	if changed {
		all = append(all, changedWarning)
	}
	all = retrieved.appendWarnings(all)
	for i := range l.warnings {
		all = append(all, l.warnings[i].text())
	}
	all = append(all, l.notes...)
	if l.unnamed > 0 {
		all = append(all, web.Warning{Message: strconv.Itoa(l.unnamed) + " more fields are not known. They are ignored."})
	}
	return all
}

func (w *warning) text() web.Warning {
	near, message := "", cmp.Or(w.path, `""`)+" "+w.message
	if w.message == "" {
		near, message = event.Nearest(w.name, w.known), message+event.UnknownName(w.name, w.known)
		if near == "" {
			message += "."
		}
	}
	message += " It is ignored."
	if w.times > 1 {
		message += " " + strconv.Itoa(w.times) + " candidates have it."
	}
	return web.Warning{Field: w.path, Message: message, Nearest: near}
}
