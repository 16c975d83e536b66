package features

import (
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

func TestAnEventAddsToTheProfilesThatItNames(t *testing.T) {
	s := mustCompile(t, Config{Profiles: []ProfileConfig{
		{Entity: "user", Aggregate: "count", Event: "click", Window: "10m"},
		{Entity: "user", Aggregate: "count", Event: "click", Window: "1h"},
		{Entity: "user", Aggregate: "ratio", Event: "click", Over: "impression", Window: "7d"},
		{Entity: "ad", Aggregate: "count", Event: "click"},
		{Entity: "ad", Aggregate: "sum", Event: "conversion", Value: "value", Window: "20d"},
		{Entity: "context.job", Aggregate: "recency", Event: "click"},
		{Entity: "user", Aggregate: "last", Event: "conversion", Value: "properties.color"},
	}})
	const at = 1795616820000 // 2026-11-25T14:27:00Z
	tile5m, tile1h, tile1d := Op{Kind: OpTile, Field: "click#5m", Tile: at / 300_000, Keep: 25, Add: 1}, Op{Kind: OpTile, Field: "click#1h", Tile: at / 3_600_000, Keep: 170, Add: 1},
		Op{Kind: OpTile, Field: "conversion+value#1d", Tile: at / 86_400_000, Keep: 22, Add: -12340000}
	seen := tile1h
	seen.Field = "impression#1h"
	f := func(e event.Event, want ...Update) {
		t.Helper()
		if e.Received == 0 {
			e.Time = at
		}
		got := s.Updates(nil, &e, 7)
		for i := range want {
			want[i].Offset = 7
		}
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("\ngot  %+v\nwant %+v", got, want)
		}
	}
	f(event.Event{Type: "page", User: "u1"})
	f(event.Event{Type: event.TypeHeartbeat, User: "u1"})
	f(event.Event{Type: "click"})
	f(event.Event{Type: "click", User: "u1"}, Update{Key: "user:u1", Ops: []Op{tile5m, tile1h}})
	f(event.Event{Type: "click", Anonymous: "x1"}, Update{Key: "user:x1", Ops: []Op{tile5m, tile1h}})
	f(event.Event{Type: "click", Anonymous: "x1", Received: at}, Update{Key: "user:x1", Ops: []Op{tile5m, tile1h}})
	f(event.Event{Type: "impression", User: "u1", Ad: "a1"}, Update{Key: "user:u1", Ops: []Op{seen}})
	f(event.Event{Type: "click", Ad: "a1", Context: fieldsOf(t, `{"job":"maid"}`)},
		Update{Key: "ad:a1", Ops: []Op{{Kind: OpAdd, Field: "click", Add: 1}}},
		Update{Key: "context.job:maid", Ops: []Op{{Kind: OpMax, Field: "click@", Time: at}}})
	f(event.Event{Type: "conversion", Ad: "a1", Value: -12.34}, Update{Key: "ad:a1", Ops: []Op{tile1d}})
	f(event.Event{Type: "conversion", Ad: "a1", User: "u1"})
	f(event.Event{Type: "conversion", User: "u1", Properties: fieldsOf(t, `{"color":"red"}`)},
		Update{Key: "user:u1", Ops: []Op{{Kind: OpLast, Field: "conversion=properties.color", Time: at, Value: "sred"}}})
	f(event.Event{Type: "conversion", User: "u1", Properties: fieldsOf(t, `{"color":2.50}`)},
		Update{Key: "user:u1", Ops: []Op{{Kind: OpLast, Field: "conversion=properties.color", Time: at, Value: "n2.5"}}})
	f(event.Event{Type: "conversion", User: "u1", Properties: fieldsOf(t, `{"color":["red"]}`)})
}

// SDKs send one type, track, for all that a shop calls by name: profiles count both.
func TestEventsCountByTypeAndByName(t *testing.T) {
	counter := func(entity, event string) ProfileConfig {
		return ProfileConfig{Entity: entity, Aggregate: "count", Event: event, Name: entity + " " + event}
	}
	s := mustCompile(t, Config{Profiles: []ProfileConfig{
		counter("user", "track"), counter("user", "Product Viewed"), counter("ad", "Product Viewed"), counter("user", "Pricing"), counter("user", "page"),
		counter("user", "Order Completed"), counter("user", "conversion"), counter("user", "click"), counter("user", "upgrade"),
		{Entity: "user", Aggregate: "ratio", Event: "Order Completed", Over: "Product Viewed", Name: "ratio"},
	}})
	f := func(e event.Event, properties, want string) {
		t.Helper()
		e.Time, e.User, e.Properties = 1795616820000, "u1", fieldsOf(t, properties)
		got := ""
		keys := map[string]bool{}
		for _, u := range s.Updates(nil, &e, 7) {
			if keys[u.Key] || u.Offset != 7 {
				t.Errorf("%s %s changes %s twice, of which a store takes the first only", e.Type, properties, u.Key)
			}
			keys[u.Key] = true
			got += u.Key
			for _, op := range u.Ops {
				got += " " + op.Field
			}
			got += ";"
		}
		if got != want {
			t.Errorf("%s %s counts as %q, want %q", e.Type, properties, got, want)
		}
	}
	f(event.Event{Type: "track"}, `{"event":"Product Viewed"}`, "user:u1 track Product Viewed;")
	f(event.Event{Type: "track", Ad: "a1"}, `{"event":"Product Viewed"}`, "user:u1 track Product Viewed;ad:a1 Product Viewed;")
	f(event.Event{Type: "track"}, `{"event":"Other"}`, "user:u1 track;")
	f(event.Event{Type: "track"}, `{"event":"page"}`, "user:u1 track;")
	f(event.Event{Type: "track"}, `{"name":"Product Viewed"}`, "user:u1 track;")
	f(event.Event{Type: "conversion"}, `{"event":"Order Completed"}`, "user:u1 conversion Order Completed;")
	f(event.Event{Type: "conversion"}, `{"event":"conversion"}`, "user:u1 conversion;")
	f(event.Event{Type: "page"}, `{"name":"Pricing"}`, "user:u1 page Pricing;")
	f(event.Event{Type: "page"}, `{"name":"click"}`, "user:u1 page;")
	f(event.Event{Type: "screen"}, `{"name":"Pricing"}`, "user:u1 Pricing;")
	f(event.Event{Type: "Pricing"}, `{}`, "user:u1 Pricing;")
	f(event.Event{Type: "upgrade"}, `{"event":"Product Viewed"}`, "user:u1 upgrade;")
	f(event.Event{Type: "identify"}, `{"event":"Product Viewed","name":"Pricing"}`, "")
	f(event.Event{Type: "heartbeat"}, `{"event":"Product Viewed"}`, "")
}

// Senders write amounts as numbers and as texts; a whole number beyond 2^53 is read as a text.
func TestSumsTakeAmountsAsNumbersAndAsTexts(t *testing.T) {
	s := mustCompile(t, Config{Profiles: []ProfileConfig{{Entity: "user", Aggregate: "sum", Event: "track", Value: "properties.amount"}}})
	f := func(amount string, want int64) {
		t.Helper()
		e := event.Event{Type: "track", User: "u", Time: testNow, Properties: fieldsOf(t, `{"amount":`+amount+`}`)}
		got := int64(0)
		for _, u := range s.Updates(nil, &e, 7) {
			got += u.Ops[0].Add
		}
		if got != want {
			t.Errorf("%s adds %d, want %d", amount, got, want)
		}
	}
	f(`12.54`, 12_540_000)
	f(`"12.54"`, 12_540_000)
	f(`" -1e2 "`, -100_000_000)
	f(`9007199254740993`, event.MaxValue*1_000_000)
	f(`"$12.54"`, 0)
	f(`"12,54"`, 0)
	f(`"NaN"`, 0)
	f(`true`, 0)
	f(`["1"]`, 0)
	f(`null`, 0)
}

func TestLastValuesAreCutAtACharacter(t *testing.T) {
	got := encodeLast(event.Value{Kind: event.String, Str: "x" + strings.Repeat("ä", 200)})
	if want := "sx" + strings.Repeat("ä", 127); got != want {
		t.Fatalf("%d bytes: %s", len(got), got)
	}
}

func TestUpdatesUseTheirMemoryAgain(t *testing.T) {
	s := mustCompile(t, aggregateConfig)
	e := event.Event{Type: "click", User: "u1", Time: testNow, Context: fieldsOf(t, `{"device":"mobile"}`)}
	var batch []Update
	allocs := testing.AllocsPerRun(100, func() {
		batch = s.Updates(batch[:0], &e, 1)
	})
	if allocs > 2 { // the key and the last value
		t.Fatalf("%v allocations", allocs)
	}
	again, fresh := s.Updates(batch[:0], &e, 1), s.Updates(nil, &e, 1)
	if len(fresh) == 0 || !reflect.DeepEqual(again, fresh) {
		t.Fatalf("in memory that is used again an event adds %+v, want %+v", again, fresh)
	}
}
