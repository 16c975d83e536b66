package event

import "strings"

// AppendJSON appends e as one line of JSON, without a newline.
func (e *Event) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.OptionalText("id", e.ID)
	l.OptionalText("type", e.Type)
	l.time("time", e.Time)
	l.time("received", e.Received)
	l.OptionalText("time_rule", e.TimeRule)
	l.time("original_time", e.OriginalTime)
	l.OptionalText("user", e.User)
	l.OptionalText("anonymous", e.Anonymous)
	l.OptionalText("prediction", e.Prediction)
	l.OptionalText("token", e.Token)
	l.OptionalText("request", e.Request)
	l.OptionalText("ad", e.Ad)
	l.OptionalText("campaign", e.Campaign)
	l.OptionalNumber("value", e.Value)
	l.OptionalText("channel", e.Channel)
	l.optionalFacts("context", e.Context)
	l.optionalFacts("properties", e.Properties)
	l.OptionalText("source", e.Source)
	l.OptionalText("collector", e.Collector)
	l.Flag("leaving", e.Leaving)
	return l.End()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (e *Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// ParseEvent reads what AppendJSON and other producers write. It checks the form; Validate checks
// the content.
func ParseEvent(b []byte) (Event, error) {
	var e Event
	err := e.UnmarshalJSON(b)
	return e, err
}

// EventNames are the members of an event.
var EventNames = []string{"id", "type", "time", "time_rule", "original_time", "received", "collector", "leaving", "user", "anonymous", "prediction", "token", "request", "ad", "campaign", "value", "channel", "context",
	"properties", "source"}

// Notes are what a sender should know of an event that is read without an error.
type Notes struct {
	Unknown  []string // names of unknown members, the first maxNoted of them
	Unnamed  int      // the number of further unknown members
	Replaced int      // halves of characters that became U+FFFD
}

// maxNoted bounds the names that are noted of one event, and maxNotedBytes the length of a name.
const (
	maxNoted      = 8
	maxNotedBytes = 64
)

func (n *Notes) unknown(name string) {
	if len(n.Unknown) == maxNoted {
		n.Unnamed++
		return
	}
	if len(name) > maxNotedBytes {
		name = strings.ToValidUTF8(name[:maxNotedBytes], "") + "..."
	}
	n.Unknown = append(n.Unknown, strings.Clone(name))
}

// ParseEventNoted is ParseEvent, and adds to n what the sender should know.
func ParseEventNoted(b []byte, n *Notes) (Event, error) {
	var e Event
	r := acquire(b, EventLimits)
	defer r.release()
	e.read(r, n)
	n.Replaced += r.Replaced()
	return e, r.End()
}

// UnmarshalJSON is ParseEvent into e. The slices of e are used again, so nothing that e held before
// may still be in use.
func (e *Event) UnmarshalJSON(b []byte) error {
	r := acquire(b, EventLimits)
	defer r.release()
	*e = Event{Context: e.Context[:0], Properties: e.Properties[:0]}
	e.read(r, nil)
	return r.End()
}

func (e *Event) read(r *Reader, n *Notes) {
	for r.message(); r.Key(); {
		switch r.Name() {
		case "id":
			e.ID = r.Text()
		case "type":
			e.Type = r.Text()
		case "time":
			e.Time = r.Time()
		case "received":
			e.Received = r.Time()
		case "time_rule":
			e.TimeRule = r.Text()
		case "original_time":
			e.OriginalTime = r.Time()
		case "user":
			e.User = r.Text()
		case "anonymous":
			e.Anonymous = r.Text()
		case "prediction":
			e.Prediction = r.Text()
		case "token":
			e.Token = r.Text()
		case "request":
			e.Request = r.Text()
		case "ad":
			e.Ad = r.Text()
		case "campaign":
			e.Campaign = r.Text()
		case "value":
			e.Value = r.Number()
		case "channel":
			e.Channel = r.Text()
		case "context":
			e.Context = r.Fields(e.Context)
		case "properties":
			e.Properties = r.Fields(e.Properties)
		case "source":
			e.Source = r.Text()
		case "collector":
			e.Collector = r.Text()
		case "leaving":
			e.Leaving = r.Bool()
		default:
			if n != nil {
				n.unknown(r.Name())
			}
			r.Skip()
		}
	}
}
