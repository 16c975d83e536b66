package watermark

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

const start = event.Time(1_764_000_000_000)

var testConfig = Config{Lease: 10 * time.Second, Ahead: 5 * time.Second}

func beatOf(collector string, at event.Time) *event.Event {
	return &event.Event{Type: event.TypeHeartbeat, Received: at, Collector: collector}
}

func newMarks(t *testing.T) *Marks {
	t.Helper()
	m, err := New(testConfig, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

// step takes a heartbeat and holds the watermark to what it should be, in milliseconds behind
// start.
func step(t *testing.T, m *Marks, e *event.Event, clocks Clocks, want Result, wantAt event.Time) {
	t.Helper()
	if o := m.Beat(e, clocks); o.Result != want || m.At() != start+wantAt {
		t.Errorf("after %q at %d: %v, the watermark is start%+d; want %v, start%+d", e.Collector, e.Received-start, o.Result, m.At()-start, want, wantAt)
	}
}

func TestTheWatermarkIsTheSmallestHeartbeatOfTheLiving(t *testing.T) {
	m := newMarks(t)
	f := func(collector string, at event.Time, want Result, wantAt event.Time) {
		t.Helper()
		step(t, m, beatOf(collector, start+at), Clocks{}, want, wantAt)
	}
	f("a", 0, Taken, 0)
	f("b", 1500, Taken, 0)
	f("a", 1000, Taken, 1000)
	f("a", 5000, Taken, 1500) // b is silent
	f("a", 11_500, Taken, 1500)
	f("a", 11_501, Taken, 11_501) // for longer than its lease
	f("b", 5000, Taken, 11_501)   // it is back, and moves nothing back
	f("a", 11_600, Taken, 11_501)
	f("b", 11_550, Taken, 11_550)
	f("c", 1000, Slow, 11_550)
	f("a", 500, Slow, 11_550) // a clock that was set back
	f("a", 12_000, Taken, 11_550)
	f("b", 13_000, Taken, 12_000)
}

func TestOneThatBeatsAloneIsNeverLeftOut(t *testing.T) {
	m := newMarks(t)
	step(t, m, beatOf("a", start), Clocks{}, Taken, 0)
	step(t, m, beatOf("a", start+3_600_000), Clocks{}, Taken, 3_600_000)
	if m.Collectors() != 1 {
		t.Errorf("%d collectors", m.Collectors())
	}
	step(t, m, beatOf("b", start+7_200_000), Clocks{}, Taken, 7_200_000) // a is long gone
}

func TestAFarewellIsNotWaitedFor(t *testing.T) {
	m := newMarks(t)
	step(t, m, beatOf("a", start), Clocks{}, Taken, 0)
	step(t, m, beatOf("b", start+1000), Clocks{}, Taken, 0)
	bye := beatOf("a", start+1500)
	bye.Leaving = true
	step(t, m, bye, Clocks{}, Taken, 1000)
	step(t, m, beatOf("b", start+2000), Clocks{}, Taken, 2000)
	bye = beatOf("b", start+2500)
	bye.Leaving = true
	step(t, m, bye, Clocks{}, Taken, 2500) // up to which nothing can come any more
	if m.Collectors() != 0 {
		t.Errorf("%d collectors stay", m.Collectors())
	}
	step(t, m, beatOf("c", start+2600), Clocks{}, Taken, 2600)
}

// A replay's driver and collectors before names are one, and the clock of today leaves a
// recording's behind.
func TestTheWallFollowsARecording(t *testing.T) {
	m := newMarks(t)
	old := start - 500_000_000_000
	m.Beat(beatOf("", old), Clocks{})
	m.Beat(beatOf("", old+60_000), Clocks{})
	if m.At() != old+60_000 {
		t.Fatalf("the recording's watermark is %v", m.At())
	}
	step(t, m, beatOf("host", start), Clocks{Stamp: start, Reader: start}, Taken, 0)
	step(t, m, beatOf("", old+120_000), Clocks{Stamp: start, Reader: start}, Slow, 0)
}

func TestTheFutureVouchesForNothing(t *testing.T) {
	for _, ahead := range []time.Duration{5001 * time.Millisecond, time.Hour, 73 * 365 * 24 * time.Hour} {
		for _, clocks := range []Clocks{{Stamp: start}, {Reader: start}, {Stamp: start + 1e9, Reader: start}, {Stamp: start, Reader: start + 1e14}} {
			m := newMarks(t)
			m.Beat(beatOf("good", start-1000), Clocks{})
			if o := m.Beat(beatOf("bad", start.Add(ahead)), clocks); o.Result != Ahead || o.By.Duration() < ahead-time.Duration(1e9)*time.Millisecond || m.At() != start-1000 {
				t.Errorf("%v ahead of %+v: %+v, watermark start%+d", ahead, clocks, o, m.At()-start)
			}
			step(t, m, beatOf("good", start), clocks, Taken, 0)
		}
	}
	m := newMarks(t)
	// clocks differ
	step(t, m, beatOf("a", start+5000), Clocks{Stamp: start, Reader: start}, Taken, 5000)
	// recorded times are held against none
	step(t, m, beatOf("a", start+3_600_000), Clocks{}, Taken, 3_600_000)
}

func TestAnEventIsReceivedBehindTheWatermarkAndNotAfterKafkaTookIt(t *testing.T) {
	f := func(at, received, stamp, reader, want event.Time) {
		t.Helper()
		m := newMarks(t)
		if at != 0 {
			m.Beat(beatOf("a", start+at), Clocks{})
		}
		clock := func(t event.Time) event.Time {
			if t == 0 {
				return 0
			}
			return start + t
		}
		e := event.Event{Type: event.TypeClick, Time: start + 7, Received: clock(received)}
		m.Settle(&e, Clocks{Stamp: clock(stamp), Reader: clock(reader)})
		if e.Received != start+want || e.Time != min(start+7, start+want) {
			t.Errorf("watermark %d, received %d, stamp %d, reader %d: received start%+d, time start%+d; want received start%+d", at, received, stamp, reader, e.Received-start, e.Time-start, want)
		}
	}
	f(0, 100, 0, 0, 100)
	f(50, 100, 120, 130, 100)
	f(100, 100, 120, 130, 101) // the heartbeat vouched for that moment
	f(200, 100, 120, 130, 201) // a late writer
	f(50, 3_600_000, 120, 130, 120)
	f(50, 3_600_000, 3_600_000, 130, 51) // its producer's clock is wrong too
	f(0, 3_600_000, 3_600_000, 130, 130)
	f(50, 3_600_000, 0, 0, 3_600_000) // recorded
	f(50, 0, 0, 130, 51)              // no receipt is known
	f(0, 0, 0, 130, 7)
}

func TestCollectorsAreBoundedAndTheOldestLeaves(t *testing.T) {
	m := newMarks(t)
	for i := range MaxCollectors {
		m.Beat(beatOf(fmt.Sprint("c", i), start+event.Time(i)), Clocks{})
	}
	if m.Collectors() != MaxCollectors || m.At() != start {
		t.Fatalf("%d collectors, watermark start%+d", m.Collectors(), m.At()-start)
	}
	o := m.Beat(beatOf("one more", start+1000), Clocks{})
	if m.Collectors() != MaxCollectors || m.At() != start+1 || !slices.Equal(o.Left, []string{"c0"}) {
		t.Errorf("%d collectors, watermark start%+d, left %q", m.Collectors(), m.At()-start, o.Left)
	}
}

func TestWhatIsKeptReadsBack(t *testing.T) {
	m := newMarks(t)
	if m.Encode() == "" {
		t.Error("no collectors are kept as nothing")
	}
	for _, name := range []string{"", "host-1", "with space", "ü", strings.Repeat("x", event.MaxIDBytes)} {
		m.Beat(beatOf(name, start+event.Time(len(name))), Clocks{})
	}
	again, err := New(testConfig, m.At(), m.Encode())
	if err != nil || !slices.Equal(again.beats, m.beats) || again.At() != m.At() || again.Encode() != m.Encode() {
		t.Errorf("%+v reads back as %+v, %v", m, again, err)
	}
	for _, bad := range []string{"1\nx", "1\nx host\n", "1\n-5 host\n", "1\n7"} {
		if _, err := New(testConfig, 0, bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	f := func(lease, ahead time.Duration, want string) {
		t.Helper()
		err := Config{lease, ahead}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, %v: %v, want %q", lease, ahead, err, want)
		}
	}
	f(10*time.Second, 5*time.Second, "")
	f(0, time.Second, "lease is 0s, want 100ms")
	f(2*time.Hour, time.Second, "lease is 2h0m0s")
	f(time.Second, 501*time.Millisecond, "ahead is 501ms, want 10ms to half of lease")
	f(time.Second, 0, "ahead is 0s")
	if c, err := (Config{}).OrDefault(); err != nil || c != DefaultConfig() {
		t.Errorf("%+v, %v", c, err)
	}
}
