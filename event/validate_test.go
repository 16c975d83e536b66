package event

import (
	"math"
	"strings"
	"testing"
	"time"
)

var testNow = TimeOf(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC))

func TestGoodEventsAreValid(t *testing.T) {
	f := func(change func(e *Event), now Time) {
		t.Helper()
		e := Event{Type: "click", Time: testNow, User: "u1"}
		change(&e)
		if err := e.Validate(now); err != nil {
			t.Fatal(err)
		}
	}
	f(func(e *Event) {}, testNow)
	f(func(e *Event) { e.Time += Time(MaxAhead.Milliseconds()) }, testNow)
	f(func(e *Event) { e.Time += 1e11 }, 0)
	f(func(e *Event) { e.Time = earliest }, testNow)
	f(func(e *Event) { e.ID = strings.Repeat("x", MaxIDBytes) }, testNow)
	f(func(e *Event) { e.Value = -MaxValue }, testNow)
	f(func(e *Event) { e.User = "ü" }, testNow)
}

func TestBadEventsAreInvalidForAReason(t *testing.T) {
	f := func(change func(e *Event), want string) {
		t.Helper()
		e := Event{Type: "click", Time: testNow, User: "u1"}
		change(&e)
		if err := e.Validate(testNow); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	f(func(e *Event) { e.Type = "" }, "type is missing")
	f(func(e *Event) { e.Type = strings.Repeat("x", MaxTypeBytes+1) }, "type has 65 bytes, at most 64 are allowed")
	f(func(e *Event) { e.Type = "a\nb" }, "type contains a control character")
	f(func(e *Event) { e.User = strings.Repeat("x", MaxIDBytes+1) }, "user has 257 bytes")
	f(func(e *Event) { e.Ad = "a\x00" }, "ad contains a control character")
	f(func(e *Event) { e.ID = "\xff" }, "id is not valid UTF-8")
	f(func(e *Event) { e.Value = math.NaN() }, "value is NaN")
	f(func(e *Event) { e.Value = 2e9 }, "value is 2e+09")
	f(func(e *Event) { e.Value = -1.5e9 }, "value is -1.5e+09")
	f(func(e *Event) { e.Time = 0 }, "time is missing")
	f(func(e *Event) { e.Time = earliest - 1 }, "time is 1999-12-31T23:59:59.999Z, before the year 2000")
	f(func(e *Event) { e.Time += Time(MaxAhead.Milliseconds()) + 1 }, "time is 2026-11-26T09:00:00.001Z, more than 24 hours after its receipt at 2026-11-25T09:00:00.000Z")
	f(func(e *Event) { e.Collector = "a\nb" }, "collector contains a control character")
}

// Whatever request id is taken, events may name the predictions that are made of it.
func TestARequestIDLeavesRoomForItsPredictions(t *testing.T) {
	f := func(id string, want string) {
		t.Helper()
		err := CheckRequestID(id)
		if want != "" {
			if err == nil || err.Error() != want {
				t.Errorf("%.20q of %d bytes: %v, want %s", id, len(id), err, want)
			}
			return
		}
		if err != nil {
			t.Errorf("%.20q of %d bytes: %v", id, len(id), err)
		}
		for _, candidate := range []int{0, 9, 500, 9999} {
			e := Event{Type: "click", Time: testNow, Request: id, Prediction: PredictionID(id, candidate)}
			if err := e.Validate(testNow); err != nil {
				t.Errorf("candidate %d of %.20q: %v", candidate, id, err)
			}
		}
	}
	f("r1", "")
	f("", "")
	f(strings.Repeat("x", MaxRequestIDBytes), "")
	f(strings.Repeat("ü", MaxRequestIDBytes/2), "")
	f(strings.Repeat("x", MaxRequestIDBytes+1), "request has 252 bytes, at most 251 are allowed")
	f("r\n1", "request contains a control character")
	f("r\x7f", "request contains a control character")
	f("r\xff", "request is not valid UTF-8")
}

func TestOneRuleHoldsForAllIDs(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		err := CheckID("ad", s)
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%.20q: %v, want %q", s, err, want)
		}
	}
	f("", "")
	f(strings.Repeat("x", MaxIDBytes), "")
	f(strings.Repeat("x", MaxIDBytes+1), "ad has 257 bytes, at most 256 are allowed")
	f("\x1f", "ad contains a control character")
	f("\x00", "ad contains a control character")
	f(" ~", "")
	f("\x7f", "ad contains a control character")
	f("\xc3", "ad is not valid UTF-8")
}

func TestModelVersionsReadBack(t *testing.T) {
	objective, n, err := ParseModelVersion(ModelVersion("a@b", 184203))
	if objective != "a@b" || n != 184203 || err != nil {
		t.Fatal(objective, n, err)
	}
	for _, bad := range []string{"", "click", "@1", "click@", "click@-1", "click@1.5", "click@99999999999999999999"} {
		if _, _, err := ParseModelVersion(bad); err == nil {
			t.Errorf("%q is taken for a version", bad)
		}
	}
}
