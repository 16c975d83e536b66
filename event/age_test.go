package event

import (
	"strings"
	"testing"
	"time"
)

func TestEventsAreRefusedThatHappenedTooLongBeforeTheirReceipt(t *testing.T) {
	limits := AgeLimits{"click": time.Hour, AnyType: 48 * time.Hour, "Signed Up": 2 * time.Hour}
	named := func(kind, name string) Event {
		return Event{Type: kind, Properties: Fields{{"event", Value{Kind: String, Str: name}}}}
	}
	for _, x := range []struct {
		e     Event
		limit time.Duration // 0 for none
	}{
		{Event{Type: "click"}, time.Hour}, {Event{Type: "page"}, 48 * time.Hour}, {named("track", "Signed Up"), 2 * time.Hour}, {named("click", "Other"), time.Hour},
		{named("track", "*"), 48 * time.Hour},
	} {
		x.e.Received = testNow
		x.e.Time = testNow.Add(-x.limit)
		if err := limits.Check(&x.e); err != nil {
			t.Errorf("%s at its limit: %v", x.e.Type, err)
		}
		x.e.Time--
		if err := limits.Check(&x.e); err == nil || !strings.Contains(err.Error(), "time is ") || !strings.Contains(err.Error(), "ingest.max_age") {
			t.Errorf("%s beyond its limit: %v", x.e.Type, err)
		}
		for name, none := range map[string]AgeLimits{"no limits": nil, "another's": {"conversion": time.Hour}} {
			if err := none.Check(&x.e); err != nil {
				t.Errorf("%s with %s: %v", x.e.Type, name, err)
			}
		}
	}
	if err := limits.Check(&Event{Type: TypeHeartbeat, Received: testNow}); err != nil {
		t.Errorf("a heartbeat: %v", err)
	}
}
