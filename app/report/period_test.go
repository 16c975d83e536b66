package report

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

func at(s string) event.Time {
	t, err := event.ParseTime(s)
	if err != nil {
		panic(err)
	}
	return t
}

var (
	oldest = at("2026-11-20T10:00:30Z")
	newest = at("2026-11-25T09:00:00.123Z")
)

func TestBoundsAreTimesDatesAndDurations(t *testing.T) {
	f := func(from, to, wantFrom, wantTo string) {
		t.Helper()
		p, err := bounds(from, to, oldest, newest)
		if err != nil {
			t.Errorf("--from %q --to %q: %v", from, to, err)
			return
		}
		if p.from != at(wantFrom) || p.to != at(wantTo) {
			t.Errorf("--from %q --to %q: %s to %s, want %s to %s", from, to, p.from, p.to, wantFrom, wantTo)
		}
	}
	f("", "", "2026-11-24T09:01:00Z", "2026-11-25T09:01:00Z")
	f("beginning", "", "2026-11-20T10:00:00Z", "2026-11-25T09:01:00Z")
	f("2026-11-24", "2026-11-25", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z")
	f("2026-11-24T01:00:00+02:00", "", "2026-11-23T23:00:00Z", "2026-11-25T09:01:00Z")
	f("2d", "2026-11-25", "2026-11-23T00:00:00Z", "2026-11-25T00:00:00Z")
	f("-90m", "", "2026-11-25T07:31:00Z", "2026-11-25T09:01:00Z")
	f("24h", "1h", "2026-11-24T08:00:00.123Z", "2026-11-25T08:00:00.123Z")
	f("", "2026-11-20T12:00:00Z", "2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z")
}

func TestWrongBoundsAreNamed(t *testing.T) {
	f := func(from, to, flag string) {
		t.Helper()
		_, err := bounds(from, to, oldest, newest)
		var wrong *PeriodError
		if !errors.As(err, &wrong) || wrong.Flag != flag {
			t.Errorf("--from %q --to %q: %v, want an error of --%s", from, to, err, flag)
		}
	}
	f("yesterday", "", "from")
	f("", "25.11.2026", "to")
	f("30", "", "from")
	f("2026-11-26", "", "from")
	f("2026-11-24", "2026-11-24", "from")
	f("", "2026-11-20", "to")
	f("beginning", "2020-01-01", "to")
	if _, err := bounds("2026-11-24", "2026-11-24", oldest, newest); !strings.Contains(err.Error(), "--to 2026-11-25") {
		t.Errorf("of one day: %v", err)
	}
}

// Every moment of a period lies in one bucket, and buckets are few.
func TestBucketsCoverThePeriod(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		from := event.Time(rng.Int64N(4e12) - 1e12)
		length := event.Time(1 + rng.Int64N(1<<rng.IntN(43)))
		p := newPeriod(from, from+length)
		if n := p.buckets(); n < 1 || n > maxBuckets {
			t.Fatalf("%s has %d buckets", p, n)
		}
		for range 20 {
			x := from + event.Time(rng.Int64N(int64(length)))
			b := p.bucket(x)
			if b < 0 || b >= p.buckets() || x < p.start(b) || x >= p.end(b) {
				t.Fatalf("%s: %s lies in bucket %d of %d, from %s to %s", p, x, b, p.buckets(), p.start(b), p.end(b))
			}
			if s := p.side(x); s != firstHalf && s != secondHalf {
				t.Fatalf("%s: %s is on side %d", p, x, s)
			}
		}
		if p.start(0) != p.from || p.end(p.buckets()-1) != p.to {
			t.Fatalf("%s: buckets reach from %s to %s", p, p.start(0), p.end(p.buckets()-1))
		}
	}
}

func TestSidesOfAPeriod(t *testing.T) {
	p := newPeriod(1000, 2000)
	f := func(x event.Time, want side) {
		t.Helper()
		if got := p.side(x); got != want {
			t.Errorf("%d is on side %d, want %d", x, got, want)
		}
	}
	f(-1, outside)
	f(0, before)
	f(999, before)
	f(1000, firstHalf)
	f(1499, firstHalf)
	f(1500, secondHalf)
	f(1999, secondHalf)
	f(2000, outside)
}

func TestSpansAreWrittenInTwoUnits(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	f(0, "0 ms")
	f(999*time.Millisecond, "999 ms")
	f(90*time.Second, "1 min 30 s")
	f(11*time.Hour+27*time.Minute+3*time.Second, "11 h 27 min")
	f(24*time.Hour, "1 day")
	f(50*time.Hour, "2 days 2 h")
	f(18*365*24*time.Hour, "18 years")
}
