package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

var testNow = event.TimeOf(time.Date(2026, 11, 25, 14, 27, 0, 0, time.UTC))

func mustCompile(t testing.TB, cfg Config) *Set {
	t.Helper()
	s, err := Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// foldAll folds events as one partition.
func foldAll(t testing.TB, s *Set, store Store, events []event.Event) {
	t.Helper()
	var batch []Update
	for i := range events {
		batch = s.Updates(batch, &events[i], int64(i))
	}
	if err := store.Apply(t.Context(), 0, Position{"aaaa", 0, int64(len(events)), 1, ""}, batch); err != nil {
		t.Fatal(err)
	}
}

// assembled folds events into memory and assembles r.
func assembled(t testing.TB, s *Set, store Store, r *Request) event.Fields {
	t.Helper()
	profiles, err := store.Read(t.Context(), s.Keys(nil, r))
	if err != nil {
		t.Fatal(err)
	}
	return s.Assemble(nil, r, profiles)
}

func TestAWindowIsASawtooth(t *testing.T) {
	f := func(window string, ages map[time.Duration]bool) {
		t.Helper()
		s := mustCompile(t, Config{Profiles: []ProfileConfig{{Entity: "user", Aggregate: "count", Event: "click", Window: window}}})
		for age, counted := range ages {
			m := NewMemory()
			foldAll(t, s, m, []event.Event{{Type: "click", User: "u1", Time: testNow.Add(-age)}})
			got := assembled(t, s, m, &Request{Time: testNow, User: "u1"})[0].Value.Num
			if want := map[bool]float64{true: 1}[counted]; got != want {
				t.Errorf("window %s at 14:27: an event %s old counts %v, want %v", window, age, got, want)
			}
		}
	}
	// 1 h at 14:27 reaches back to 13:25; 1 d at 14:27 to 14:00 of the day before; 12 d to the
	// start of the day 12 days before.
	f("1h", map[time.Duration]bool{0: true, time.Hour: true, 62 * time.Minute: true, 62*time.Minute + time.Millisecond: false})
	f("11h", map[time.Duration]bool{11*time.Hour + 2*time.Minute: true, 11*time.Hour + 3*time.Minute: false})
	f("12h", map[time.Duration]bool{12*time.Hour + 27*time.Minute: true, 12*time.Hour + 28*time.Minute: false})
	f("1d", map[time.Duration]bool{24*time.Hour + 27*time.Minute: true, 24*time.Hour + 28*time.Minute: false})
	f("12d", map[time.Duration]bool{12*24*time.Hour + 14*time.Hour + 27*time.Minute: true, 12*24*time.Hour + 14*time.Hour + 28*time.Minute: false})
	f("10m", map[time.Duration]bool{-2 * time.Minute: true, -3 * time.Minute: false, 12 * time.Minute: true, 13 * time.Minute: false})
}

// aggregateConfig declares every kind of aggregate over several spans that share tiles.
var aggregateConfig = Config{Profiles: []ProfileConfig{
	{Entity: "user", Aggregate: "count", Event: "click", Window: "10m"},
	{Entity: "user", Aggregate: "count", Event: "click", Window: "1h"},
	{Entity: "user", Aggregate: "count", Event: "click", Window: "1d"},
	{Entity: "user", Aggregate: "count", Event: "click", HalfLife: "1h"},
	{Entity: "user", Aggregate: "count", Event: "click"},
	{Entity: "user", Aggregate: "sum", Event: "conversion", Value: "value", Window: "1h"},
	{Entity: "user", Aggregate: "sum", Event: "conversion", Value: "properties.price", HalfLife: "2h"},
	{Entity: "user", Aggregate: "sum", Event: "conversion", Value: "value"},
	{Entity: "user", Aggregate: "ratio", Event: "click", Over: "impression", Window: "1h", Prior: 0.1, Weight: 10},
	{Entity: "user", Aggregate: "ratio", Event: "click", Over: "impression", HalfLife: "1h", Prior: 0.1, Weight: 10},
	{Entity: "user", Aggregate: "ratio", Event: "click", Over: "impression"},
	{Entity: "user", Aggregate: "recency", Event: "click"},
	{Entity: "user", Aggregate: "recency", Event: "impression", Window: "5m"},
	{Entity: "user", Aggregate: "last", Event: "click", Value: "context.device"},
	{Entity: "user", Aggregate: "last", Event: "conversion", Value: "value", Window: "10m"},
}}

// truth computes an aggregate from the raw events, by its definition.
type truth struct {
	events []event.Event
	at     event.Time
}

func (tr truth) of(p *ProfileConfig) event.Value {
	switch p.Aggregate {
	case "count":
		return number(tr.total(p, p.Event))
	case "sum":
		return number(tr.total(p, p.Event) / 1e6)
	case "ratio":
		over := tr.total(p, p.Over)
		if over+p.Weight == 0 {
			return event.Value{}
		}
		return number((tr.total(p, p.Event) + p.Prior*p.Weight) / (over + p.Weight))
	}
	return tr.latest(p)
}

// total adds micro-units, or ones, over the span, tile by tile.
func (tr truth) total(p *ProfileConfig, eventType string) float64 {
	span, _, _ := newSpan(p.Window, p.HalfLife)
	amount := func(e *event.Event) float64 {
		switch {
		case e.Type != eventType:
			return 0
		case p.Value == "value":
			return math.Round(e.Value * 1e6)
		case p.Value == "properties.price":
			v, _ := e.Properties.Lookup("price")
			return math.Round(v.Num * 1e6)
		}
		return 1
	}
	var total float64
	if p.Window == "" && p.HalfLife == "" {
		for i := range tr.events {
			total += amount(&tr.events[i])
		}
		return total
	}
	lowest := (tr.at - span.window - 8*span.halfLife) / span.hop
	for tile := lowest; tile <= tr.at/span.hop; tile++ {
		var n float64
		for i := range tr.events {
			if tr.events[i].Time/span.hop == tile {
				n += amount(&tr.events[i])
			}
		}
		if p.HalfLife != "" {
			age := max(0, float64(tr.at-tile*span.hop-span.hop/2))
			n *= math.Exp2(-age / float64(span.halfLife))
		}
		total += n
	}
	return total
}

func (tr truth) latest(p *ProfileConfig) event.Value {
	span, _, _ := newSpan(p.Window, p.HalfLife)
	var best *event.Event
	for i := range tr.events {
		e := &tr.events[i]
		if e.Type == p.Event && (best == nil || e.Time > best.Time) {
			best = e
		}
	}
	if best == nil || span.window > 0 && tr.at-best.Time > span.window {
		return event.Value{}
	}
	switch {
	case p.Aggregate == "recency":
		return number(max(0, float64(tr.at-best.Time)) / 1000)
	case p.Value == "value":
		return number(best.Value)
	}
	v, _ := best.Context.Lookup("device")
	return v
}

func randomEvents(r *rand.Rand, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			Type: []string{"click", "impression", "conversion", "page", event.TypeHeartbeat}[r.IntN(5)],
			User: "u1",
			// later events tend to come later, some are late by hours; each has a time of its own,
			// so that "last" is one event
			Time:       testNow.Add(-26*time.Hour+time.Duration(i)*26*time.Hour/time.Duration(n)-time.Duration(r.IntN(3)/2*r.IntN(4))*time.Hour) + event.Time(i),
			Value:      float64(r.IntN(10000))/100 - 20,
			Context:    event.Fields{{Name: "device", Value: text([]string{"mobile", "desktop"}[r.IntN(2)])}},
			Properties: event.Fields{{Name: "price", Value: number(r.Float64())}},
		}
	}
	return events
}

func TestAggregatesAreWhatTheirDefinitionSaysOverTheRawEvents(t *testing.T) {
	s := mustCompile(t, aggregateConfig)
	eachBackend(t, func(t *testing.T, b backend) {
		for seed := range uint64(12) {
			b.reset()
			r := rand.New(rand.NewPCG(seed, 7))
			events := randomEvents(r, 60+r.IntN(200))
			foldAll(t, s, b, events)
			at := testNow.Add(-time.Duration(r.IntN(60)) * time.Minute / 2)
			if r.IntN(2) == 0 {
				at = testNow.Add(time.Duration(r.IntN(100)) * time.Minute)
			} else { // nothing of the future is folded yet when a request comes
				b.reset()
				past := events[:0]
				for _, e := range events {
					if e.Time <= at {
						past = append(past, e)
					}
				}
				events = past
				foldAll(t, s, b, events)
			}
			got := assembled(t, s, b, &Request{Time: at, User: "u1"})
			for i := range aggregateConfig.Profiles {
				p := &aggregateConfig.Profiles[i]
				want := truth{events, at}.of(p)
				if !sameValue(got[i].Value, want) {
					t.Fatalf("seed %d at %s: %s is %+v, want %+v", seed, at, got[i].Name, got[i].Value, want)
				}
			}
		}
	})
}

func sameValue(a, b event.Value) bool {
	return a.Kind == b.Kind && a.Str == b.Str && math.Abs(a.Num-b.Num) <= 1e-9*max(1, math.Abs(a.Num))
}

func TestEveryStoreGivesTheSameBits(t *testing.T) {
	s := mustCompile(t, aggregateConfig)
	events := randomEvents(rand.New(rand.NewPCG(1, 8)), 500)
	request := &Request{Time: testNow, User: "u1"}
	m := NewMemory()
	foldAll(t, s, m, events)
	want := string(assembled(t, s, m, request).AppendJSON(nil))
	eachBackend(t, func(t *testing.T, b backend) {
		foldAll(t, s, b, events)
		for range 20 { // a profile is a map, which is walked in another order each time
			got := assembled(t, s, b, request)
			line := got.AppendJSON(nil)
			if string(line) != want {
				t.Fatalf("got %s, want %s", line, want)
			}
			var back event.Fields
			if err := back.UnmarshalJSON(line); err != nil || fmt.Sprint(back) != fmt.Sprint(got) {
				t.Fatalf("%v reads back as %v, %v", got, back, err)
			}
		}
	})
}

func TestTheLastEventIsForgottenAfterItsWindowToTheMillisecond(t *testing.T) {
	s := mustCompile(t, Config{Profiles: []ProfileConfig{{Entity: "user", Aggregate: "recency", Event: "click", Window: "10m"}}})
	m := NewMemory()
	foldAll(t, s, m, []event.Event{{Type: "click", User: "u1", Time: testNow}})
	f := func(age event.Time, want event.Value) {
		t.Helper()
		if got := assembled(t, s, m, &Request{Time: testNow + age, User: "u1"})[0].Value; !sameValue(got, want) {
			t.Fatalf("after %d ms: %+v, want %+v", age, got, want)
		}
	}
	f(-5000, number(0)) // its clock was ahead
	f(0, number(0))
	f(1500, number(1.5))
	f(10*minute, number(600))
	f(10*minute+1, event.Value{})
}

func TestAProfileStaysBounded(t *testing.T) {
	s := mustCompile(t, Config{Profiles: []ProfileConfig{
		{Entity: "user", Aggregate: "count", Event: "click", Window: "1h"},
		{Entity: "user", Aggregate: "count", Event: "click", Window: "7d"},
	}})
	eachBackend(t, func(t *testing.T, b backend) {
		var events []event.Event
		for i := range 3000 { // a click every ten minutes for three weeks, and a gap of a year
			at := testNow.Add(time.Duration(i) * 10 * time.Minute)
			if i > 2000 {
				at = at.Add(365 * 24 * time.Hour)
			}
			events = append(events, event.Event{Type: "click", User: "u1", Time: at})
		}
		foldAll(t, s, b, events)
		p, err := b.Read(t.Context(), []string{"user:u1"})
		if err != nil {
			t.Fatal(err)
		}
		// every other tile of 1 h + 1 h ahead at 5 min, every tile of 7 d + 1 h at 1 h, as far as
		// the clicks since the gap go; two series
		if n := len(p["user:u1"].Fields); n > 13+170+2 {
			t.Fatalf("%d fields", n)
		}
	})
}

func TestAnEventAheadOfTheClockDoesNotPushOutTheWindow(t *testing.T) {
	s := mustCompile(t, Config{Profiles: []ProfileConfig{{Entity: "user", Aggregate: "count", Event: "click", Window: "10m"}}})
	m := NewMemory()
	foldAll(t, s, m, []event.Event{
		{Type: "click", User: "u1", Time: testNow.Add(-11 * time.Minute)},
		{Type: "click", User: "u1", Time: testNow + slack},
	})
	if got := assembled(t, s, m, &Request{Time: testNow, User: "u1"})[0].Value.Num; got != 1 {
		t.Fatal(got)
	}
}
