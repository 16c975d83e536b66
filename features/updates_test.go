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
}
