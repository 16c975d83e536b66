package watermark

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// MaxCollectors is how many collectors a partition waits for. With more, the one that was silent
// for longest is left out, as if its lease had passed.
const MaxCollectors = 64

// Marks is one partition's watermark and the collectors that it waits for. It serves one goroutine.
type Marks struct {
	cfg     Config
	at      event.Time
	beats   []beat // of the living collectors, by name
	encoded string // Encode of beats; empty when they have changed
}

// beat is the last heartbeat of a living collector.
type beat struct {
	collector string
	at        event.Time
}

// Clocks is what a record's times are held against: the time that Kafka gives the record, and the
// reader's. A clock that is not known is zero. Both are where times are recorded ones.
type Clocks struct{ Stamp, Reader event.Time }

// ahead says by how much t lies ahead of the clocks, if by more than bound.
func (c Clocks) ahead(t, bound event.Time) (by event.Time, yes bool) {
	for _, clock := range [...]event.Time{c.Stamp, c.Reader} {
		if clock > 0 && t-clock > bound {
			by, yes = max(by, t-clock), true
		}
	}
	return by, yes
}

// Result is what became of a heartbeat.
type Result uint8

// Results of a heartbeat.
const (
	Taken Result = iota
	Ahead        // it lies in the future and moves nothing
	// it lies behind the newest by more than the lease, so its collector is not waited for
	Slow
)

// String is the name that metrics use.
func (r Result) String() string { return [...]string{"taken", "ahead", "slow"}[r] }

// Outcome is what became of one heartbeat.
type Outcome struct {
	Result Result
	By     event.Time // how far it is Ahead or Slow
	Left   []string   // collectors that are left out from here on, and have not said farewell
}

// New returns Marks that go on from a watermark and what Encode returned there.
func New(cfg Config, at event.Time, encoded string) (Marks, error) {
	m := Marks{cfg: cfg, at: at, encoded: encoded}
	for line := range strings.Lines(strings.TrimPrefix(encoded, version)) {
		ms, collector, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		t, err := strconv.ParseInt(ms, 10, 64)
		if !ok || err != nil || t <= 0 {
			return Marks{cfg: cfg, at: at}, fmt.Errorf("the collectors of a partition are kept as %.80q, which is no time and name", line)
		}
		m.set(collector, event.Time(t))
	}
	return m, nil
}

// version begins what Encode returns: a list of no collectors differs from no list.
const version = "1\n"

// Encode returns the collectors and their last heartbeats as a text, to be kept beside the
// watermark.
func (m *Marks) Encode() string {
	if m.encoded == "" {
		b := []byte(version)
		for _, x := range m.beats {
			b = strconv.AppendInt(b, int64(x.at), 10)
			b = append(b, ' ')
			b = append(b, x.collector...)
			b = append(b, '\n')
		}
		m.encoded = string(b)
	}
	return m.encoded
}

// At is the watermark at this place: events that were received by then stand before it, or count as
// received later.
func (m *Marks) At() event.Time { return m.at }

// Collectors is how many collectors the partition waits for.
func (m *Marks) Collectors() int { return len(m.beats) }

// Beat takes the next heartbeat of the partition.
func (m *Marks) Beat(e *event.Event, clocks Clocks) Outcome {
	if by, yes := clocks.ahead(e.Received, event.Time(m.cfg.Ahead.Milliseconds())); yes {
		return Outcome{Result: Ahead, By: by}
	}
	m.encoded = ""
	o := Outcome{}
	if behind := m.newest() - e.Received; behind > m.lease() {
		o = Outcome{Result: Slow, By: behind}
	} else {
		m.set(e.Collector, e.Received)
	}
	o.Left = m.leaveOut()
	m.advance()
	if e.Leaving {
		m.beats = slices.DeleteFunc(m.beats, func(b beat) bool { return b.collector == e.Collector })
		m.advance()
	}
	return o
}

func (m *Marks) lease() event.Time { return event.Time(m.cfg.Lease.Milliseconds()) }

// newest is the newest heartbeat of the living collectors, 0 when there are none.
func (m *Marks) newest() event.Time {
	var t event.Time
	for _, b := range m.beats {
		t = max(t, b.at)
	}
	return t
}

// set remembers a collector's heartbeat. A heartbeat that is written twice, or after a clock went
// back, moves nothing back.
func (m *Marks) set(collector string, t event.Time) {
	i, found := slices.BinarySearchFunc(m.beats, collector, func(b beat, name string) int { return strings.Compare(b.collector, name) })
	if found {
		m.beats[i].at = max(m.beats[i].at, t)
		return
	}
	// a copy, since the name may be a part of a record's memory
	m.beats = slices.Insert(m.beats, i, beat{strings.Clone(collector), t})
}

// leaveOut forgets the collectors whose lease has passed, and the most silent above MaxCollectors.
// The newest always stays: where one collector beats alone, its silence makes labels wait.
func (m *Marks) leaveOut() (left []string) {
	first := m.newest() - m.lease()
	m.beats = slices.DeleteFunc(m.beats, func(b beat) bool {
		if b.at < first {
			left = append(left, b.collector)
		}
		return b.at < first
	})
	for len(m.beats) > MaxCollectors {
		oldest := 0
		for i := range m.beats {
			if m.beats[i].at < m.beats[oldest].at {
				oldest = i
			}
		}
		left = append(left, m.beats[oldest].collector)
		m.beats = slices.Delete(m.beats, oldest, oldest+1)
	}
	return left
}

// advance moves the watermark to the smallest heartbeat of the living collectors.
func (m *Marks) advance() {
	if len(m.beats) == 0 {
		return
	}
	lowest := m.beats[0].at
	for _, b := range m.beats {
		lowest = min(lowest, b.at)
	}
	m.at = max(m.at, lowest)
}

// Settle gives an event that stands at this place the receipt that counts. That is the receipt it
// has, or its own time if it has none and no watermark is known. It is not later than Kafka took
// the event. It is later than the watermark, which vouches that all events received by then stand
// before this place; so an event of a collector that was left out changes no label that was made. A
// receipt in the future is not believed: the event counts as received just after the watermark.
func (m *Marks) Settle(e *event.Event, clocks Clocks) {
	received := e.Received
	if received == 0 && m.at == 0 {
		received = e.Time
	}
	if clocks.Stamp > 0 {
		received = min(received, clocks.Stamp)
	}
	if _, yes := clocks.ahead(received, event.Time(m.cfg.Ahead.Milliseconds())); yes {
		received = 0
		if m.at == 0 {
			received = clocks.Reader
		}
	}
	if m.at > 0 {
		received = max(received, m.at+1)
	}
	e.Settle(received)
}
