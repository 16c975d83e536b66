package scorer

import (
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// Fields that a request and a candidate may have. What a context holds is free.
var (
	requestFields   = []string{"request", "user", "anonymous", "source", "time", "row", "w", "context", "choose", "candidates"}
	candidateFields = []string{"ad", "campaign", "value", "context"}
)

// maxWarnings bounds the fields of a request that are named; further ones are counted.
const maxWarnings = 16

// warning is a field of a request that nobody knows. Candidates that have the same one share a
// warning.
type warning struct {
	name        string
	inCandidate bool
	path        string // where it came first
	times       int
}

// unknown notes the field that r has stepped to, which is none of the known ones, and passes over
// its value.
func (q *request) unknown(r *event.Reader, inCandidate bool) {
	q.unknownFields++
	if !q.warnedOf(r.Name(), inCandidate) {
		if len(q.warnings) < maxWarnings {
			q.warnings = append(q.warnings, warning{name: r.Name(), inCandidate: inCandidate, path: r.Path(), times: 1})
		} else {
			q.unnamed++
		}
	}
	r.Skip()
}

func (q *request) warnedOf(name string, inCandidate bool) bool {
	for i := range q.warnings {
		if w := &q.warnings[i]; w.inCandidate == inCandidate && w.name == name {
			w.times++
			return true
		}
	}
	return false
}

// changedWarning tells that a request's id was used before with the same candidates and other
// facts.
const changedWarning = `{"field":"request","message":"request was used before, with another user, context or value. This is the answer to that request: use a new id for another question."}`

// appendWarnings appends the member "warnings" of an answer, with a comma before it; nothing when
// there is nothing to warn of.
func appendWarnings(b []byte, q *request) []byte {
	if len(q.warnings) == 0 && !q.changed {
		return b
	}
	b = append(b, `,"warnings":[`...)
	if q.changed {
		b = append(b, changedWarning...)
	}
	for i := range q.warnings {
		if i > 0 || q.changed {
			b = append(b, ',')
		}
		b = q.warnings[i].appendJSON(b)
	}
	if q.unnamed > 0 {
		b = append(b, `,{"message":"`...)
		b = strconv.AppendInt(b, int64(q.unnamed), 10)
		b = append(b, ` more fields are not known. They are ignored."}`...)
	}
	return append(b, ']')
}

func (w *warning) appendJSON(b []byte) []byte {
	known := requestFields
	if w.inCandidate {
		known = candidateFields
	}
	message := w.path + " " + event.UnknownName(w.name, known) + " It is ignored."
	near := event.Nearest(w.name, known)
	if near == "" {
		message = w.path + " " + event.UnknownName(w.name, known) + ". It is ignored."
	}
	if w.times > 1 {
		message += " " + strconv.Itoa(w.times) + " candidates have it."
	}
	b = append(b, `{"field":`...)
	b = strictjson.AppendString(b, w.path)
	b = append(b, `,"message":`...)
	b = strictjson.AppendString(b, message)
	if near != "" {
		b = append(b, `,"nearest":`...)
		b = strictjson.AppendString(b, near)
	}
	return append(b, '}')
}
