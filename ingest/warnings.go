package ingest

import (
	"fmt"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/web"
)

// maxWarnings bounds the warnings of one answer; the others are counted.
const maxWarnings = 200

// notes are the warnings about one event.
type notes struct {
	texts      []web.Warning
	unknown    int // fields of unknown names
	unreadable int // fields that the loop knows, but whose values it cannot use
	replaced   int // halves of characters
}

// addEventNotes adds what the reader of the native form noted.
func (n *notes) addEventNotes(seen *event.Notes) {
	for _, name := range seen.Unknown {
		if near := event.Nearest(name, event.EventNames); near != "" {
			n.texts = append(n.texts, web.Warning{Field: name, Message: name + " is not known; did you mean " + near + "?", Nearest: near})
		} else {
			n.texts = append(n.texts, web.Warning{Field: name, Message: name + " is not known and left out; facts of your own go into properties or context"})
		}
	}
	if seen.Unnamed > 0 {
		n.texts = append(n.texts, web.Warning{Message: fmt.Sprintf("%d more fields are not known and left out", seen.Unnamed)})
	}
	n.unknown += len(seen.Unknown) + seen.Unnamed
	n.halves(seen.Replaced)
}

// halves warns of characters that were cut in the middle.
func (n *notes) halves(replaced int) {
	if replaced > 0 {
		n.texts = append(n.texts, web.Warning{Message: fmt.Sprintf("%d half characters (lone surrogates) became U+FFFD", replaced)})
		n.replaced += replaced
	}
}

// cannotUse warns of a field that the loop knows but cannot read as what it should be.
func (n *notes) cannotUse(field, reason string) {
	n.texts = append(n.texts, web.Warning{Field: field, Message: field + " " + reason})
	n.unreadable++
}

// warnings count the warnings of a request.
type warnings struct {
	unknown, unreadable, replaced int // as notes count them, over all events
	written, unwritten            int // texts in the answer, and those beyond maxWarnings
}

// warn counts the notes of an event, and returns the texts for which the answer still has room.
func (w *warnings) warn(n *notes) []web.Warning {
	w.unknown += n.unknown
	w.unreadable += n.unreadable
	w.replaced += n.replaced
	fit := min(len(n.texts), maxWarnings-w.written)
	w.written += fit
	w.unwritten += len(n.texts) - fit
	return n.texts[:fit]
}
