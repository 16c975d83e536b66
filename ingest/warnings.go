package ingest

import (
	"fmt"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// maxWarnings bounds the warnings of one answer; the others are counted.
const maxWarnings = 200

// warning is what a sender should hear, although the event is taken.
type warning struct {
	field   string // that it is about; empty when it is about none
	message string
	nearest string // the known name that was probably meant
}

// notes are what a sender should hear about one event that is taken all the same.
type notes struct {
	texts      []warning
	unknown    int // fields that nobody knows
	unreadable int // fields that the loop knows, whose values it cannot use
	replaced   int // halves of characters
}

// ofEvent says what a reader of the loop's own form noted.
func (n *notes) ofEvent(seen *event.Notes) {
	for _, name := range seen.Unknown {
		if near := event.Nearest(name, event.EventNames); near != "" {
			n.texts = append(n.texts, warning{name, name + " is not known; did you mean " + near + "?", near})
		} else {
			n.texts = append(n.texts, warning{field: name, message: name + " is not known and left out; facts of your own go into properties or context"})
		}
	}
	if seen.Unnamed > 0 {
		n.texts = append(n.texts, warning{message: fmt.Sprintf("%d more fields are not known and left out", seen.Unnamed)})
	}
	n.unknown += len(seen.Unknown) + seen.Unnamed
	n.halves(seen.Replaced)
}

// halves tells of characters that were cut in the middle.
func (n *notes) halves(replaced int) {
	if replaced > 0 {
		n.texts = append(n.texts, warning{message: fmt.Sprintf("%d half characters (lone surrogates) became U+FFFD", replaced)})
		n.replaced += replaced
	}
}

// cannotUse tells of a field that the loop knows and could not read as what it should be.
func (n *notes) cannotUse(field, reason string) {
	n.texts = append(n.texts, warning{field: field, message: field + " " + reason})
	n.unreadable++
}

// warnings are those of a request so far.
type warnings struct {
	unknown, unreadable, replaced int // as notes count them, over all events
	written, unwritten            int // texts that the answer has, and those beyond maxWarnings
}

// warn counts an event's notes and returns the texts that there is still room for.
func (w *warnings) warn(n *notes) []warning {
	w.unknown += n.unknown
	w.unreadable += n.unreadable
	w.replaced += n.replaced
	fit := min(len(n.texts), maxWarnings-w.written)
	w.written += fit
	w.unwritten += len(n.texts) - fit
	return n.texts[:fit]
}

// appendWarnings appends the member warnings, with a comma before it; nothing when there are none.
func appendWarnings(b []byte, all []warning) []byte {
	if len(all) == 0 {
		return b
	}
	b = append(b, `,"warnings":`...)
	open := byte('[')
	for i := range all {
		w := &all[i]
		b = append(b, open, '{')
		open = ','
		if w.field != "" {
			b = strictjson.AppendString(append(b, `"field":`...), w.field)
			b = append(b, ',')
		}
		b = strictjson.AppendString(append(b, `"message":`...), w.message)
		if w.nearest != "" {
			b = strictjson.AppendString(append(b, `,"nearest":`...), w.nearest)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}
