package event

import (
	"strings"
	"testing"
)

const hourMs = Time(3_600_000)

func TestAnEventIsCompletedFromItsReceipt(t *testing.T) {
	const produced = Time(1_764_000_000_000)
	f := func(time, received, wantTime, wantReceived Time, wantRule string, ok bool) {
		t.Helper()
		e := Event{Type: TypeClick, Time: time, Received: received}
		err := e.Complete(produced)
		if (err == nil) != ok || ok && (e.Time != wantTime || e.Received != wantReceived || e.TimeRule != wantRule) {
			t.Errorf("time %d, received %d: %d, %d, rule %q, %v; want %d, %d, %q", time, received, e.Time, e.Received, e.TimeRule, err, wantTime, wantReceived, wantRule)
		}
		if original := map[bool]Time{true: time}[wantRule == TimeClamped]; ok && e.OriginalTime != original {
			t.Errorf("time %d, received %d: the original time is %d, want %d", time, received, e.OriginalTime, original)
		}
	}
	f(0, 0, produced, produced, TimeReceived, true)
	f(5e11, 0, 0, 0, "", false) // before 2000
	f(produced-5*hourMs, 0, produced-5*hourMs, produced, "", true)
	f(produced, 0, produced, produced, "", true)
	f(produced+1, 0, produced, produced, TimeClamped, true)
	f(produced+2*hourMs/3, 0, produced, produced, TimeClamped, true)
	f(produced+hourMs, 0, produced, produced, TimeClamped, true)
	f(produced+2*hourMs, 0, produced, produced, TimeClamped, true)
	f(produced+24*hourMs, 0, produced, produced, TimeClamped, true)
	f(produced+24*hourMs+1, 0, 0, 0, "", false)
	// recorded
	f(produced+48*hourMs, produced+48*hourMs, produced+48*hourMs, produced+48*hourMs, "", true)
	f(0, produced-9*hourMs, produced-9*hourMs, produced-9*hourMs, TimeReceived, true)
}

// An event whose producer gives it no time of production stands by its own time.
func TestAnEventWithoutAnyReceiptIsTaken(t *testing.T) {
	e := Event{Type: TypeClick, Time: 1_764_000_000_000}
	if err := e.Complete(0); err != nil || e.Time != 1_764_000_000_000 || e.Received != 0 || e.TimeRule != "" {
		t.Errorf("%+v, %v", e, err)
	}
	e = Event{Type: TypeClick}
	if err := e.Complete(0); err == nil || !strings.HasPrefix(err.Error(), "time is missing") {
		t.Errorf("an event without any time: %v", err)
	}
}

func TestATimeCorrectedBySentAtStaysSo(t *testing.T) {
	const received = Time(1_764_000_000_000)
	e := Event{Type: TypeClick, Time: received + 60_000, Received: received, TimeRule: TimeSentAt, OriginalTime: received - hourMs}
	if err := e.Complete(received); err != nil || e.Time != received || e.TimeRule != TimeSentAt || e.OriginalTime != received-hourMs {
		t.Errorf("%+v, %v", e, err)
	}
	e = Event{Type: TypeClick, Time: received + 25*hourMs, Received: received, TimeRule: TimeSentAt, OriginalTime: received}
	if err := e.Complete(received); err == nil {
		t.Error("a corrected time 25 hours ahead is taken")
	}
}

func TestAMovedReceiptTakesTheTimeWithIt(t *testing.T) {
	f := func(e Event, received, wantTime Time, wantRule string) {
		t.Helper()
		before := e
		e.Settle(received)
		if e.Time != wantTime || e.Received != received || e.TimeRule != wantRule {
			t.Errorf("%+v moved to %d: time %d, received %d, rule %q; want time %d, rule %q", before, received, e.Time, e.Received, e.TimeRule, wantTime, wantRule)
		}
	}
	given := Event{Time: 1000, Received: 1500}
	f(given, 1500, 1000, "")
	f(given, 9000, 1000, "")
	f(given, 900, 900, TimeClamped)
	f(Event{Time: 1500, Received: 1500, TimeRule: TimeReceived}, 9000, 9000, TimeReceived)
	f(Event{Time: 1500, Received: 1500, TimeRule: TimeReceived}, 900, 900, TimeReceived)
	// its collector's clock was
	slow := Event{Time: 1500, Received: 1500, TimeRule: TimeClamped, OriginalTime: 4000}
	f(slow, 9000, 4000, TimeClamped)
	f(slow, 3000, 3000, TimeClamped)
	f(Event{Time: 1500, Received: 1500, TimeRule: TimeSentAt, OriginalTime: 10}, 9000, 1500, TimeSentAt)
}

func TestAHeartbeatSaysWhenAndByWhom(t *testing.T) {
	f := func(e Event, want string) {
		t.Helper()
		e.Type = TypeHeartbeat
		err := e.Complete(1_764_000_000_000)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", e, err, want)
		}
	}
	f(Event{Received: 1}, "")
	f(Event{Received: 1, Collector: "host-1", Leaving: true}, "")
	f(Event{}, "received is missing")
	f(Event{Received: -5}, "received is missing or no time")
	f(Event{Received: maxTime + 1}, "received is missing or no time")
	f(Event{Received: 1, Collector: strings.Repeat("x", MaxIDBytes+1)}, "collector has 257 bytes")
	f(Event{Received: 1, Collector: "a\nb"}, "collector contains a control character")
}
