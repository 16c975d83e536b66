package ingest

import (
	"net/http"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// segmentCall is a message of Segment's HTTP tracking API
// (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/).
type segmentCall struct {
	part  strictjson.Part // of a batch, from which the rest is read by parse
	batch bool

	kind                           string
	messageID, userID, anonymousID string
	name, category                 string // of a track call, a page or a screen
	channel                        string
	previousID, groupID            string // of an alias and a group
	properties, context            event.Fields
	timestamp, original, sent      event.Time

	notes notes
}

// handleSegment takes one call, or a batch of them. Content types are ignored: SDKs send text/plain
// to save a preflight. A batch is answered 200 with verdicts whatever it holds, as SDKs expect;
// what is rejected of it becomes dead letters. A parameter that nobody knows is a warning, not an
// error, since an SDK drops what is refused.
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
	b, err := c.segmentCalls(body.bytes, kind)
	if err == nil {
		err = c.admit(len(b.calls) - 1)
	}
	if err != nil {
		c.fail(w, err)
		return
	}
	for _, unknown := range inbound.Unknown(r.URL.Query(), "writeKey") {
		b.notes = append(b.notes, warning{field: unknown.Field, message: "parameter " + unknown.Error()})
	}
	in, err := c.take(r.Context(), 0, len(b.calls), kind == "batch", func(in *intake) {
		in.notes, in.letters = b.notes, b.letters
		for i := range b.calls {
			it := b.calls[i].item(in.now, i)
			in.add(&it)
		}
	})
	c.answer(w, in, err, `{"success":true,`, kind != "batch" && in.none())
}

// parse reads a call of a batch from its own text, so that one that is malformed spares the others.
func (s *segmentCall) parse() error {
	if !s.batch {
		return nil
	}
	if err := unreadable(&s.part); err != nil {
		return err
	}
	var r event.Reader
	r.Reset(string(s.part.Text), event.EventLimits)
	s.read(&r)
	return r.End()
}

func (s *segmentCall) read(r *event.Reader) {
	for r.Object(); r.Key(); {
		switch name := r.Name(); name {
		case "type":
			s.kind = r.Text()
		case "messageId":
			s.messageID = r.Loose()
		case "userId":
			s.userID = r.Loose()
		case "anonymousId":
			s.anonymousID = r.Loose()
		case "previousId":
			s.previousID = r.Loose()
		case "groupId":
			s.groupID = r.Loose()
		case "event", "name":
			s.name = r.Loose()
		case "category":
			s.category = r.Loose()
		case "channel":
			s.channel = r.Loose()
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
			s.notes.misplaced(name)
			r.Skip()
		}
	}
	s.notes.halves(r.Replaced())
}

// looseTime takes a time, or nothing when it is an empty text or null.
func looseTime(r *event.Reader) event.Time {
	if r.Kind() != strictjson.KindString {
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
