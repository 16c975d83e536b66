package event

import (
	"strings"
	"testing"
)

var eventNames = []string{"id", "type", "time", "received", "user", "anonymous", "prediction", "request", "ad", "campaign", "value", "channel", "context", "properties", "source"}

func TestTheNearestNameIsProposed(t *testing.T) {
	f := func(name, want string, known ...string) {
		t.Helper()
		if got := Nearest(name, known); got != want {
			t.Errorf("%s is taken for %q among %v, want %q", name, got, known, want)
		}
	}
	f("predictionId", "prediction", eventNames...)
	f("prediction_id", "prediction", eventNames...)
	f("PredictionID", "prediction", eventNames...)
	f("userId", "user", eventNames...)
	f("user-id", "user", eventNames...)
	f("USER", "user", eventNames...)
	f("anonymousId", "anonymous", eventNames...)
	f("timestamp", "time", eventNames...)
	f("ts", "time", eventNames...)
	f("eventTime", "time", eventNames...)
	f("event_type", "type", eventNames...)
	f("event", "type", eventNames...)
	f("messageId", "id", eventNames...)
	f("revenue", "value", eventNames...)
	f("ad_id", "ad", eventNames...)
	f("ads", "ad", eventNames...)
	f("campain", "campaign", eventNames...)
	f("campagin", "campaign", eventNames...)
	f("chanel", "channel", eventNames...)
	f("tiem", "time", eventNames...)
	f("contexts", "context", eventNames...)
	f("anon", "anonymous", eventNames...)
	f("prop", "properties", eventNames...)
	f("fold", "folded", "folded", "wait")
	f("pr", "", eventNames...)
	f("zebra", "", eventNames...)
	f("title", "", eventNames...)
	f("x", "", eventNames...)
	f("", "", eventNames...)
	f("...", "", eventNames...)
	f(strings.Repeat("user", 1000), "", eventNames...)
	f("ts", "", "user") // what it means is not known here
	f("candidate", "candidates", "request", "candidates")
	f("idd", "id", "id", "w")
	f("v", "", "w")
}

func TestDistancesCountLettersToChange(t *testing.T) {
	f := func(a, b string, want int) {
		t.Helper()
		if got, back := distance(a, b), distance(b, a); got != want || back != want {
			t.Errorf("%s and %s are %d and %d apart, want %d", a, b, got, back, want)
		}
	}
	f("", "", 0)
	f("", "abc", 3)
	f("time", "time", 0)
	f("time", "time2", 1)
	f("time", "tim", 1)
	f("time", "dime", 1)
	f("time", "tiem", 1)
	f("itme", "tiem", 2)
	f("kitten", "sitting", 3)
}

func TestWhatNobodyKnowsIsAnsweredWithWhatThereIs(t *testing.T) {
	if got := UnknownName("windw", []string{"objective", "window"}); got != "is not known; did you mean window?" {
		t.Error(got)
	}
	if got := UnknownName("zebra", []string{"objective", "window"}); got != "is not known; known are objective, window" {
		t.Error(got)
	}
}
