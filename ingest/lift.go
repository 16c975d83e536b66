package ingest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// lifted are the properties that become members of an event, by the names that they may have. Where
// several are given the first of a list that can be read wins, wherever it stands in the text.
var lifted = [...]struct {
	to    string
	names []string
}{
	{"value", []string{"revenue", "value", "total"}},
	{"prediction", []string{"prediction", "prediction_id", "predictionId"}},
	{"request", []string{"request", "request_id", "requestId"}},
	{"ad", []string{"ad", "ad_id", "adId", "ad.id"}},
	{"campaign", []string{"campaign", "campaign_id", "campaignId", "campaign.id"}},
}

// lift sets the members of e that its properties hold, whatever kind a sender's language made of
// them: 17 is the ad "17", and "12.54" is the value 12.54. What cannot be read is told, and stays a
// property only.
func lift(e *event.Event, n *notes) {
	for i := range lifted {
		for _, name := range lifted[i].names {
			v, ok := e.Properties.Lookup(name)
			if !ok || v.Kind == event.Null || v.Kind == event.String && v.Str == "" {
				continue
			}
			if setMember(e, lifted[i].to, name, &v, n) {
				break
			}
		}
	}
	nestedInstead(e, n)
}

func setMember(e *event.Event, to, name string, v *event.Value, n *notes) bool {
	if to == "value" {
		amount, ok := v.Amount()
		if !ok {
			n.cannotUse("properties."+name, notAmount(v))
			return false
		}
		e.Value = amount
		return true
	}
	s := v.Text()
	if v.Kind == event.List {
		n.cannotUse("properties."+name, "is a list, expected the id of one "+to)
		return false
	}
	switch to {
	case "prediction":
		e.Prediction = s
	case "request":
		e.Request = s
	case "ad":
		e.Ad = s
	case "campaign":
		e.Campaign = s
	}
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

// nestedInstead tells of objects where a member was expected: they have become properties of longer
// names, of which none is read.
func nestedInstead(e *event.Event, n *notes) {
	for _, f := range e.Properties {
		name, _, nested := strings.Cut(f.Name, ".")
		if !nested {
			continue
		}
		switch {
		case (name == "revenue" || name == "value" || name == "total") && e.Value == 0,
			name == "prediction" && e.Prediction == "", name == "request" && e.Request == "",
			name == "ad" && e.Ad == "", name == "campaign" && e.Campaign == "":
			n.cannotUse("properties."+name, "is an object or a list of them, expected one value")
			return
		}
	}
}

// segmentNames are what members of the loop's own form are called in Segment's.
var segmentNames = map[string]string{
	"id": "messageId", "message_id": "messageId", "user": "userId", "user_id": "userId", "anonymous": "anonymousId", "anonymous_id": "anonymousId",
	"time": "timestamp", "ts": "timestamp", "group_id": "groupId", "previous_id": "previousId",
}

// misplaced tells of members that a call does not have, but the loop knows under another name or
// among the properties. What else SDKs send is theirs.
func (n *notes) misplaced(name string) {
	meant := segmentNames[name]
	for i := range lifted {
		if slices.Contains(lifted[i].names, name) {
			meant = "properties." + name
		}
	}
	if meant != "" {
		n.texts = append(n.texts, warning{name, name + " is not known here; did you mean " + meant + "?", meant})
		n.unknown++
	}
}
