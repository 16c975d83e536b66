package event

import (
	"strings"
	"testing"
	"time"
)

func TestDurationsTakeEveryUnit(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s is %v, want %v (%v)", text, got, want, err)
		}
	}
	f("0", 0)
	f("-0", 0)
	f("0s", 0)
	f("50ms", 50*time.Millisecond)
	f("100us", 100*time.Microsecond)
	f("3ns", 3)
	f("90s", 90*time.Second)
	f("1h30m", 90*time.Minute)
	f("7d", 7*24*time.Hour)
	f("2w", 14*24*time.Hour)
	f("1w2d3h4m5s6ms", 9*24*time.Hour+3*time.Hour+4*time.Minute+5*time.Second+6*time.Millisecond)
	f("1.5d", 36*time.Hour)
	f(".5h", 30*time.Minute)
	f("-1h", -time.Hour)
	f("9007199254740993ns", 9007199254740993) // what a float64 would round
	f("2160h0m0s", 90*24*time.Hour)
}

func TestWrongDurationsAreToldWithWhatToWrite(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got, err := ParseDuration(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, error %v, want %s", text, got, err, want)
		}
	}
	f("30", `is "30", which has no unit: write 30s for seconds`)
	f("-1.5", `is "-1.5", which has no unit`)
	f("1e3", "which has no unit")
	f("", "is empty, want a duration")
	f("-", "is empty")
	f("soon", `is "soon", want numbers with ms, s, m, h, d or w`)
	f("7 d", "want numbers")
	f("7dd", "want numbers")
	f("d7", "want numbers")
	f("1h30", "want numbers")
	f("1y", "want numbers")
	f("1M", "want numbers")
	f("--1h", "want numbers")
	f("+1h", "want numbers")
	f("99999999999w", "too long")
	f("1"+strings.Repeat("0", 400)+"s", "too long")
}
