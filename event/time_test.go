package event

import (
	"testing"
	"time"
)

func TestTimesAreReadWithAnyOffsetAndFraction(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := ParseTime(text)
		if err != nil || got.String() != want {
			t.Fatalf("%s reads as %s, %v; want %s", text, got, err, want)
		}
	}
	f("2026-11-25T09:00:00Z", "2026-11-25T09:00:00.000Z")
	f("2026-11-25t09:00:00.5z", "2026-11-25T09:00:00.500Z")
	f("2026-11-25T09:00:00.1239999999999Z", "2026-11-25T09:00:00.123Z")
	f("2026-11-25T09:00:00+05:30", "2026-11-25T03:30:00.000Z")
	f("2026-11-25T23:30:00.001-01:00", "2026-11-26T00:30:00.001Z")
	f("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z")
	f("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z")
	f("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z")
	f("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z")
	f("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z")
}

func TestWhatIsNoTimeIsRefused(t *testing.T) {
	for _, text := range []string{"", "now", "2026-11-25", "2026-11-25T09:00:00", "2026-11-25 09:00:00Z", "2026-11-25T09:00Z", "2026-11-25T09:00:00.Z",
		"2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00.1", "+026-01-01T00:00:00Z",
		"2026-01-01T9:00:00Z", "2026-01-01T9:00:00.5Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+00:60"} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q reads as %s", text, got)
		}
	}
}

func TestTimesAgreeWithTheStandardLibrary(t *testing.T) {
	r := newRandom(7)
	for range 20000 {
		at := Time(r.Int64N(int64(maxTime-minTime))) + minTime
		want := at.Std().Format("2006-01-02T15:04:05.000Z")
		if got := at.String(); got != want {
			t.Fatalf("%d is %s, want %s", at, got, want)
		}
		if back, err := ParseTime(want); err != nil || back != at {
			t.Fatalf("%s reads as %d, %v; want %d", want, back, err, at)
		}
	}
}

func TestTimesBeyondRFC3339AreMovedToItsBounds(t *testing.T) {
	if got := (maxTime + 1).String(); got != "9999-12-31T23:59:59.999Z" {
		t.Fatal(got)
	}
	if got := (minTime - 1).String(); got != "0000-01-01T00:00:00.000Z" {
		t.Fatal(got)
	}
	if at := TimeOf(time.UnixMilli(1795600800123)); at.Add(time.Minute).Sub(at) != time.Minute {
		t.Fatal("Add and Sub differ")
	}
}

func TestNoTimeIsTheZeroTime(t *testing.T) {
	if at := TimeOf(time.Time{}); at != 0 {
		t.Errorf("no time is %v", at)
	}
	if at := TimeOf(time.UnixMilli(5)); at != 5 {
		t.Errorf("5 ms after 1970 is %d", at)
	}
}
