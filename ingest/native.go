package ingest

import (
	"bytes"
	"net/http"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
)

// native is the loop's own form: an event, an array of events, or one event a line. An event
// without an id is given a random one, so when it is sent again it counts again.
var native = dialect{
	method: http.MethodPost, paths: []string{"/v1/events"}, preflight: true,
	parameters: []string{"clock", writeKey},
	decode:     decodeNative,
	encode: func(w http.ResponseWriter, in *intake) {
		o := strictjson.NewObject(nil)
		in.addResults(&o)
		web.WriteJSON(w, http.StatusOK, o.End())
	},
}

// decodeNative allows a request with a clock to bring no events.
func decodeNative(r *request) (delivery, error) {
	body, err := r.json()
	if err != nil {
		return delivery{}, err
	}
	var parts []strictjson.Part
	if r.clock == 0 || len(bytes.TrimSpace(body)) > 0 {
		if parts, err = splitBody(body, r.cfg.MaxEvents); err != nil {
			return delivery{}, err
		}
	}
	return delivery{
		count:     len(parts),
		refusable: r.clock == 0,
		event: func(i int, in *intake) item {
			it := readNative(&parts[i], i, len(parts) == 1)
			if !in.recorded {
				// which rule set the time is not for a client to say
				it.event.TimeRule, it.event.OriginalTime = "", 0
			}
			return it
		},
	}, nil
}

// splitBody cuts a body into at most limit events: an array, one object, or JSON lines. Text of
// several lines is JSON lines as soon as one line is a whole object, so a broken line, even the
// first, spares the others.
func splitBody(b []byte, limit int) ([]strictjson.Part, error) {
	text := bytes.TrimSpace(b)
	if len(text) == 0 {
		return nil, &event.Error{Reason: "is empty, want an event, an array of events, or one event a line"}
	}
	if text[0] == '[' {
		return strictjson.SplitArray(b, limit)
	}
	if bytes.IndexByte(text, '\n') >= 0 && !strictjson.IsObject(text) {
		parts, err := strictjson.SplitLines(b, limit)
		if err != nil || slices.ContainsFunc(parts, func(p strictjson.Part) bool { return strictjson.IsObject(p.Text) }) {
			return parts, err
		}
	}
	if text[0] != '{' {
		return nil, &event.Error{Reason: "is no JSON object or array"}
	}
	return []strictjson.Part{{Text: text, At: bytes.IndexByte(b, '{')}}, nil
}

// readNative reads the event at index of a request; alone says that the request has no other.
func readNative(p *strictjson.Part, index int, alone bool) item {
	it := item{raw: p.Text}
	if !alone {
		it.place = p.Place("events", index)
	}
	if it.err = unreadable(p); it.err != nil {
		return it
	}
	var n event.Notes
	it.event, it.err = event.ParseEventNoted(p.Text, &n)
	it.notes.addEventNotes(&n)
	return it
}

// unreadable says why a part of a body cannot be an event, before it is read.
func unreadable(p *strictjson.Part) error {
	switch {
	case p.Lost != "":
		return &event.Error{Reason: p.Lost}
	case len(p.Text) == 0:
		return &event.Error{Reason: "is missing: a comma stands where an event should"}
	}
	return nil
}
