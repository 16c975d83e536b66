package ingest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// segmentCall is a message of Segment's HTTP tracking API (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/).
type segmentCall struct {
	kind                           string
	messageID, userID, anonymousID string
	name                           string // of a track call, a page or a screen
	properties, context            event.Fields
	timestamp, original, sent      event.Time
	previousID, groupID, raw       string
}

// loopEvents are names of track calls, folded to letters, that mean one of the loop's own events.
var loopEvents = map[string]string{
	"impression": event.TypeImpression, "adimpression": event.TypeImpression, "adviewed": event.TypeImpression,
	"click": event.TypeClick, "adclick": event.TypeClick, "adclicked": event.TypeClick,
	"conversion": event.TypeConversion, "ordercompleted": event.TypeConversion,
}

// handleSegment takes one call, or a batch of them. Content types are ignored: SDKs send text/plain to save a preflight. A batch is answered 200 with verdicts
// whatever it holds, as SDKs expect; what is rejected of it becomes dead letters.
func (c *collector) handleSegment(w http.ResponseWriter, r *http.Request, kind string) {
	c.allow(w, r)
	if err := c.admit(1); err != nil {
		c.fail(w, err)
		return
	}
	body, err := c.readBody(w, r)
	defer body.release()
	if err != nil {
		c.fail(w, err)
		return
	}
	calls, err := c.segmentCalls(body.bytes, kind)
	if err == nil {
		err = c.admit(len(calls) - 1)
	}
	if err != nil {
		c.fail(w, err)
		return
	}
	in, err := c.take(r.Context(), 0, len(calls), kind == "batch", func(in *intake) {
		for i := range calls {
			e, err := calls[i].event(in.now)
			in.add(&e, err, []byte(calls[i].raw))
		}
	})
	c.answer(w, in, err, `{"success":true,`, kind != "batch" && in.none())
}

// segmentCalls reads a body: one call of kind, or a batch whose sentAt and context stand for all of it.
func (c *collector) segmentCalls(body []byte, kind string) ([]segmentCall, error) {
	var r event.Reader
	r.Reset(string(body), event.Limits{Bytes: c.cfg.MaxBody, Depth: 20, Fields: 1000 * c.cfg.MaxEvents})
	if kind != "batch" {
		call := segmentCall{kind: kind, raw: string(body)}
		call.read(&r)
		call.kind = kind
		return []segmentCall{call}, r.End()
	}
	var calls []segmentCall
	var shared segmentCall
	given := false
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "batch":
			given = r.Kind() == event.KindArray
			for r.Array(); r.Element(); {
				if len(calls) == c.cfg.MaxEvents {
					r.Fail(tooMany(c.cfg.MaxEvents))
					break
				}
				raw := r.Raw()
				calls = append(calls, segmentCall{raw: raw})
			}
		case "context":
			shared.context = r.Fields(nil)
		case "sentAt":
			shared.sent = looseTime(&r)
		default:
			r.Skip()
		}
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	if !given {
		return nil, &event.Error{Field: "batch", Reason: "is missing, want an array of messages"}
	}
	for i := range calls {
		calls[i].sent = shared.sent
		calls[i].context = append(calls[i].context, shared.context...)
	}
	return calls, nil
}

// parse reads a call of a batch from its own text, so that one that is malformed spares the others.
func (s *segmentCall) parse() error {
	if s.kind != "" {
		return nil
	}
	var r event.Reader
	r.Reset(s.raw, event.EventLimits)
	s.read(&r)
	return r.End()
}

func (s *segmentCall) read(r *event.Reader) {
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "type":
			s.kind = r.Text()
		case "messageId":
			s.messageID = r.Text()
		case "userId":
			s.userID = looseID(r)
		case "anonymousId":
			s.anonymousID = looseID(r)
		case "previousId":
			s.previousID = looseID(r)
		case "groupId":
			s.groupID = looseID(r)
		case "event", "name":
			s.name = r.Text()
		case "properties", "traits":
			s.properties = r.Fields(s.properties)
		case "context":
			s.context = append(r.Fields(nil), s.context...)
		case "timestamp":
			s.timestamp = looseTime(r)
		case "originalTimestamp":
			s.original = looseTime(r)
		case "sentAt":
			s.sent = looseTime(r)
		default:
			r.Skip()
		}
	}
}

// looseID takes an id that some SDKs send as a number.
func looseID(r *event.Reader) string {
	if r.Kind() == event.KindNumber {
		return r.Raw()
	}
	return r.Text()
}

// looseTime takes a time, or nothing when it is an empty text or null.
func looseTime(r *event.Reader) event.Time {
	if r.Kind() != event.KindString {
		return r.Time()
	}
	text := r.Text()
	if text == "" {
		return 0
	}
	t, err := event.ParseTime(text)
	if err != nil {
		r.Fail("is not RFC 3339, such as 2026-11-25T09:00:00.123Z")
	}
	return t
}

// event is the call as the loop's event.
func (s *segmentCall) event(now event.Time) (event.Event, error) {
	if err := s.parse(); err != nil {
		return event.Event{ID: s.messageID}, err
	}
	e := event.Event{ID: s.messageID, Type: s.kind, User: s.userID, Anonymous: s.anonymousID, Context: firstOfName(s.context), Properties: s.properties, Received: now}
	switch {
	case s.kind == "":
		return e, &event.Error{Field: "type", Reason: "is missing, want track, page, identify, screen, group or alias"}
	case s.userID == "" && s.anonymousID == "":
		return e, &event.Error{Field: "userId", Reason: "and anonymousId are missing, want at least one"}
	case s.kind == "track" && s.name == "":
		return e, &event.Error{Field: "event", Reason: "is missing, want the name of what happened"}
	}
	if s.kind == "track" {
		if t, ok := loopEvents[letters(s.name)]; ok {
			e.Type = t
		} else {
			e.Properties = append(e.Properties, text("event", s.name))
		}
	} else if s.name != "" {
		e.Properties = append(e.Properties, text("name", s.name))
	}
	s.properly(&e)
	e.Properties = firstOfName(e.Properties)
	s.stamp(&e, now)
	if n := size(e.Context) + size(e.Properties); n > event.EventLimits.Fields {
		return e, &event.Error{Field: "context", Reason: fmt.Sprintf("and properties have %d fields with what the batch adds, at most %d are allowed", n, event.EventLimits.Fields)}
	}
	return e, nil
}

// size counts fields and elements of lists, as readers of the topic do: a message and its batch are within bounds each, together they may not be.
func size(f event.Fields) int {
	n := len(f)
	for i := range f {
		n += len(f[i].Value.List)
	}
	return n
}

func text(name, value string) event.Field {
	return event.Field{Name: name, Value: event.Value{Kind: event.String, Str: value}}
}

// properly lifts properties that the loop knows.
func (s *segmentCall) properly(e *event.Event) {
	for _, f := range s.properties {
		v := f.Value
		switch {
		case v.Kind == event.Number && (f.Name == "value" || f.Name == "revenue" || f.Name == "total" && e.Value == 0):
			e.Value = v.Num
		case v.Kind != event.String:
		case f.Name == "prediction" || f.Name == "prediction_id":
			e.Prediction = v.Str
		case f.Name == "request" || f.Name == "request_id":
			e.Request = v.Str
		case f.Name == "ad" || f.Name == "ad_id":
			e.Ad = v.Str
		case f.Name == "campaign" || f.Name == "campaign_id":
			e.Campaign = v.Str
		}
	}
}

func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// firstOfName keeps the first of fields of one name: what a message says itself stands before what its batch says for all.
func firstOfName(f event.Fields) event.Fields {
	seen := make(map[string]bool, len(f))
	kept := f[:0]
	for _, x := range f {
		if !seen[x.Name] {
			seen[x.Name] = true
			kept = append(kept, x)
		}
	}
	return kept
}
