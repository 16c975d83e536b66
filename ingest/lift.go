package ingest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/web"
)

// lifting says which properties of a call become a member of the event. The first of names that can
// be read wins, wherever it stands in the text.
type lifting struct {
	to     string
	names  []string
	member func(*event.Event) *string // nil for the value, which is an amount
}

var liftings = [...]lifting{
	{"value", []string{"revenue", "value", "total"}, nil},
	{"prediction", []string{"prediction", "prediction_id", "predictionId"}, func(e *event.Event) *string { return &e.Prediction }},
	{"request", []string{"request", "request_id", "requestId"}, func(e *event.Event) *string { return &e.Request }},
	{"ad", []string{"ad", "ad_id", "adId", "ad.id"}, func(e *event.Event) *string { return &e.Ad }},
	{"campaign", []string{"campaign", "campaign_id", "campaignId", "campaign.id"}, func(e *event.Event) *string { return &e.Campaign }},
}

// liftAll sets the members of e that its properties hold, whatever kind the sender's language made
// of them: 17 is the ad "17", and "12.54" is the value 12.54. What cannot be read is a warning, and
// stays a property only.
func liftAll(e *event.Event, n *notes) {
	for i := range liftings {
		l := &liftings[i]
		for _, name := range l.names {
			v, ok := e.Properties.Lookup(name)
			if ok && v.Kind != event.Null && (v.Kind != event.String || v.Str != "") && l.set(e, name, &v, n) {
				break
			}
		}
	}
	liftToken(e, n)
	warnOfNested(e, n)
}

// tokenNames are the properties that may hold the signed token of an event's prediction.
var tokenNames = []string{"token", "prediction_token", "predictionToken"}

// liftToken sets the token of an event that names a prediction. Without a prediction, a property of
// this name is the sender's own: tokens of sessions and devices are called so, too.
func liftToken(e *event.Event, n *notes) {
	if e.Prediction == "" {
		return
	}
	for _, name := range tokenNames {
		v, ok := e.Properties.Lookup(name)
		if !ok || v.Kind != event.String || v.Str == "" {
			continue
		}
		if err := event.CheckID("token", v.Str); err != nil {
			n.cannotUse("properties."+name, "is no token of a prediction: it "+err.(*event.Error).Reason)
			continue
		}
		e.Token = v.Str
		return
	}
}

// set returns false when v cannot be read.
func (l *lifting) set(e *event.Event, name string, v *event.Value, n *notes) bool {
	if l.member == nil {
		amount, ok := v.Amount()
		if !ok {
			n.cannotUse("properties."+name, notAmount(v))
			return false
		}
		e.Value = amount
		return true
	}
	if v.Kind == event.List {
		n.cannotUse("properties."+name, "is a list, expected the id of one "+l.to)
		return false
	}
	*l.member(e) = v.Text()
	return true
}

// notAmount says why v is no amount of money.
func notAmount(v *event.Value) string {
	if v.Kind == event.List {
		return "is a list, expected a number"
	}
	s := strings.TrimSpace(v.Str)
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "..."
	}
	return "is " + strconv.Quote(s) + ", expected a number such as 12.54, without currency and separators"
}

// warnOfNested warns of the first object where one value is expected. Its members have become
// properties of longer names, which are not lifted.
func warnOfNested(e *event.Event, n *notes) {
	for _, f := range e.Properties {
		name, _, nested := strings.Cut(f.Name, ".")
		if nested && slices.ContainsFunc(liftings[:], func(l lifting) bool { return l.lacks(e, name) }) {
			n.cannotUse("properties."+name, "is an object or a list of them, expected one value")
			return
		}
	}
}

// lacks says that e has no member that the property name should have set.
func (l *lifting) lacks(e *event.Event, name string) bool {
	if l.member == nil {
		return e.Value == 0 && slices.Contains(l.names, name)
	}
	return name == l.to && *l.member(e) == ""
}

// segmentNames are the names in Segment's form of what the native form calls otherwise.
var segmentNames = map[string]string{
	"id": "messageId", "message_id": "messageId", "user": "userId", "user_id": "userId", "anonymous": "anonymousId", "anonymous_id": "anonymousId",
	"time": "timestamp", "ts": "timestamp", "group_id": "groupId", "previous_id": "previousId",
}

// misplaced warns of members that a call does not have, but which the loop knows under another name
// or among the properties. Other members are the SDK's own business.
func (n *notes) misplaced(name string) {
	meant := segmentNames[name]
	for i := range liftings {
		if slices.Contains(liftings[i].names, name) {
			meant = "properties." + name
		}
	}
	if slices.Contains(tokenNames, name) {
		meant = "properties." + name
	}
	if meant != "" {
		n.texts = append(n.texts, web.Warning{Field: name, Message: name + " is not known here; did you mean " + meant + "?", Nearest: meant})
		n.unknown++
	}
}
