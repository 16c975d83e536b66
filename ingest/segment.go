package ingest

import (
	"net/http"
	"path"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
)

// segmentCall is a message of Segment's HTTP tracking API
// (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/).
type segmentCall struct {
	part  strictjson.Part // of a batch, from which the rest is read by parse
	batch bool

	kind                           string
	messageID, userID, anonymousID string
	name, category                 string // of a track call, a page or a screen
	channel, key                   string
	previousID, groupID            string // of an alias and a group
	properties, context            event.Fields
	timestamp, original, sent      event.Time

	notes notes
}

// segment is the HTTP tracking API of Segment, which many SDKs speak. Content types are ignored:
// SDKs send text/plain to save a preflight.
var segment = dialect{
	method: http.MethodPost, preflight: true,
	paths: []string{"/v1/track", "/v1/page", "/v1/identify", "/v1/screen", "/v1/group", "/v1/alias", "/v1/batch",
		"/v1/t", "/v1/p", "/v1/i", "/v1/s", "/v1/g", "/v1/a", "/v1/b"},
	keyed:  true,
	decode: decodeSegment,
	encode: encodeSegment,
}

// segmentBeacon is what a page sends while it is closed. Browsers ask no preflight for it.
var segmentBeacon = dialect{
	method: http.MethodPost, paths: []string{"/beacon/v1/batch"}, keyed: true,
	decode: decodeSegment,
	encode: encodeSegment,
}

// segmentKinds are the calls by the first letter of their paths. The browser library uses the
// letter alone.
var segmentKinds = map[byte]string{
	't': "track", 'p': "page", 'i': "identify", 's': "screen", 'g': "group", 'a': "alias", 'b': "batch",
}

// decodeSegment reads one call, or a batch of calls. SDKs expect 200 for a batch whatever it holds:
// the answer has a verdict for each call, and rejected calls become dead letters. An unknown
// parameter is a warning and no error, since SDKs drop what is refused.
func decodeSegment(r *request) (delivery, error) {
	body, err := r.json()
	if err != nil {
		return delivery{}, err
	}
	kind := segmentKinds[path.Base(r.URL.Path)[0]]
	b, err := segmentCalls(body, kind, r.cfg)
	if err != nil {
		return delivery{}, err
	}
	for _, unknown := range inbound.Unknown(r.URL.Query(), writeKey) {
		b.notes = append(b.notes, web.Warning{Field: unknown.Field, Message: "parameter " + unknown.Error()})
	}
	return delivery{
		count:     len(b.calls),
		key:       b.key,
		event:     func(i int, in *intake) item { return b.calls[i].item(in.now, i) },
		refusable: kind != "batch",
		notes:     b.notes,
		letters:   b.letters,
	}, nil
}

func encodeSegment(w http.ResponseWriter, in *intake) {
	o := strictjson.NewObject(nil)
	o.Flag("success", true)
	in.addResults(&o)
	web.WriteJSON(w, http.StatusOK, o.End())
}

// parse reads a call of a batch from its own part, so that a malformed call spares the others.
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
		case writeKey:
			s.key = readKey(r)
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

// readKey reads the sender's key. It is nothing that an event could be refused for.
func readKey(r *event.Reader) string {
	if r.Kind() == strictjson.KindString {
		return r.Text()
	}
	r.Skip()
	return ""
}

// looseTime reads a time. An empty text and null stand for none.
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
