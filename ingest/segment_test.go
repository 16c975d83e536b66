package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
)

var segmentNow, _ = event.ParseTime("2026-11-25T09:00:00Z")

// callOf reads a call of kind track, unless it says another one, as if it came in a batch.
func callOf(t *testing.T, members string) item {
	t.Helper()
	if !strings.Contains(members, `"type"`) {
		members = `"type":"track",` + members
	}
	if !strings.Contains(members, `"event"`) && strings.Contains(members, `"track"`) {
		members = `"event":"x",` + members
	}
	s := segmentCall{part: strictjson.Part{Text: []byte(`{"userId":"u",` + members + `}`)}, batch: true}
	return s.item(segmentNow, 0)
}

func messages(all []web.Warning) []string {
	var texts []string
	for _, w := range all {
		texts = append(texts, w.Message)
	}
	return texts
}

// Whatever kind a sender's language makes of them, facts that the loop knows arrive, or are told by
// name.
func TestPropertiesAreLiftedWhateverTheirKind(t *testing.T) {
	f := func(properties, want string, warnings ...string) {
		t.Helper()
		it := callOf(t, `"properties":`+properties)
		e := it.event
		got := fmt.Sprintf("%v|%s|%s|%s|%s", e.Value, e.Ad, e.Campaign, e.Prediction, e.Request)
		if it.err != nil || got != want || fmt.Sprint(messages(it.notes.texts)) != fmt.Sprint(warnings) || it.notes.unreadable != len(warnings) {
			t.Errorf("%s: %s, %q (%v), want %s, %q", properties, got, it.notes.texts, it.err, want, warnings)
		}
	}
	const plain = ", expected a number such as 12.54, without currency and separators"
	f(`{}`, "0||||")
	f(`{"revenue":12.54,"ad":"a","campaign":"c","prediction":"p","request":"r"}`, "12.54|a|c|p|r")
	f(`{"revenue":"12.54","ad":17,"campaign":9001,"prediction":5,"request":6}`, "12.54|17|9001|5|6")
	f(`{"revenue":" -3e2 ","ad":17.0,"campaign":true}`, "-300|17|true||")
	f(`{"revenue":".5","ad":9007199254740993,"campaign":1e3}`, "0.5|9007199254740993|1000||")
	f(`{"revenue":"+7."}`, "7||||")
	f(`{"revenue":null,"ad":null,"campaign":""}`, "0||||")
	f(`{"ad_id":1,"campaign_id":2,"prediction_id":3,"request_id":4}`, "0|1|2|3|4")
	f(`{"adId":1,"campaignId":2,"predictionId":3,"requestId":4}`, "0|1|2|3|4")
	f(`{"ad":{"id":1,"name":"n"},"campaign":{"id":"2"}}`, "0|1|2||")
	f(`{"ad_id":"second","ad":"first"}`, "0|first|||")
	f(`{"revenue":"$12.54"}`, "0||||", `properties.revenue is "$12.54"`+plain)
	f(`{"revenue":"12,54"}`, "0||||", `properties.revenue is "12,54"`+plain)
	f(`{"revenue":"USD 12.54"}`, "0||||", `properties.revenue is "USD 12.54"`+plain)
	f(`{"revenue":"1 254"}`, "0||||", `properties.revenue is "1 254"`+plain)
	f(`{"revenue":"0x10"}`, "0||||", `properties.revenue is "0x10"`+plain)
	f(`{"revenue":"NaN"}`, "0||||", `properties.revenue is "NaN"`+plain)
	f(`{"revenue":"Inf"}`, "0||||", `properties.revenue is "Inf"`+plain)
	f(`{"revenue":"1e999"}`, "0||||", `properties.revenue is "1e999"`+plain)
	f(`{"revenue":"e"}`, "0||||", `properties.revenue is "e"`+plain)
	f(`{"revenue":"   "}`, "0||||", `properties.revenue is ""`+plain)
	f(`{"revenue":true}`, "0||||", `properties.revenue is "true"`+plain)
	f(`{"revenue":[1]}`, "0||||", "properties.revenue is a list, expected a number")
	f(`{"revenue":{"amount":1}}`, "0||||", "properties.revenue is an object or a list of them, expected one value")
	f(`{"ad":["a","b"]}`, "0||||", "properties.ad is a list, expected the id of one ad")
	f(`{"ad":{"name":"n"}}`, "0||||", "properties.ad is an object or a list of them, expected one value")
	f(`{"revenue":"`+strings.Repeat("x", 100)+`"}`, "0||||", `properties.revenue is "`+strings.Repeat("x", 40)+`..."`+plain)
	// What cannot be read gives way to what can.
	f(`{"revenue":"$5","value":4}`, "4||||", `properties.revenue is "$5"`+plain)
	f(`{"ad":["x"],"ad_id":"a"}`, "0|a|||", "properties.ad is a list, expected the id of one ad")
}

// Revenue, then value, then total: in whatever order they are given.
func TestOneOrderOfPrecedenceDecidesTheValue(t *testing.T) {
	f := func(want float64, members ...string) {
		t.Helper()
		for range members {
			members = append(members[1:], members[0])
			it := callOf(t, `"properties":{`+strings.Join(members, ",")+`}`)
			if it.event.Value != want {
				t.Errorf("%v: %v, want %v", members, it.event.Value, want)
			}
		}
	}
	f(3, `"revenue":3`, `"value":2`, `"total":1`)
	f(3, `"revenue":"3"`, `"value":2`)
	f(2, `"value":2`, `"total":1`)
	f(1, `"total":"1"`, `"price":9.5`, `"subtotal":8`)
	f(0, `"price":9.5`, `"quantity":2`)
	f(0, `"revenue":0`, `"value":7`) // none was made, whatever it may be worth
}

// What a call says beside its properties stands among them under Segment's names.
func TestWhatACallSaysIsKept(t *testing.T) {
	f := func(members, want string, warnings ...string) {
		t.Helper()
		it := callOf(t, members)
		e := it.event
		got := fmt.Sprintf("%s %s/%s %s %s %s", e.Type, e.User, e.Anonymous, e.Channel, e.Context.AppendJSON(nil), e.Properties.AppendJSON(nil))
		if it.err != nil || got != want || fmt.Sprint(messages(it.notes.texts)) != fmt.Sprint(warnings) {
			t.Errorf("%s: %s, %q (%v), want %s, %q", members, got, it.notes.texts, it.err, want, warnings)
		}
	}
	f(`"event":"Product Viewed"`, `track u/  {} {"event":"Product Viewed"}`)
	f(`"event":"Order Completed"`, `conversion u/  {} {"event":"Order Completed"}`)
	f(`"event":"Ad Clicked"`, `click u/  {} {"event":"Ad Clicked"}`)
	f(`"event":7`, `track u/  {} {"event":"7"}`)
	f(`"event":"x","properties":{"event":"y","name":"z"}`, `track u/  {} {"event":"x","name":"z"}`, "properties.event yields to the call's own event")
	f(`"type":"page","name":"Home","category":"Docs","properties":{"name":"Home"}`, `page u/  {} {"name":"Home","category":"Docs"}`)
	f(`"type":"screen","name":"Cart"`, `screen u/  {} {"name":"Cart"}`)
	f(`"type":"identify","anonymousId":"a1","traits":{"plan":"pro","name":"Ann"}`, `identify u/a1  {} {"plan":"pro","name":"Ann"}`)
	f(`"type":"alias","previousId":17`, `alias u/  {} {"previousId":"17"}`)
	f(`"type":"group","groupId":"g1","traits":{"name":"G"}`, `group u/  {} {"name":"G","groupId":"g1"}`)
	f(`"channel":"server","context":{"traits":{"age":3},"groupId":"g"}`, `track u/ server {"traits.age":3,"groupId":"g"} {"event":"x"}`)
	f(`"anonymousId":9007199254740993`, `track u/9007199254740993  {} {"event":"x"}`)
	f(`"properties":{"products":[{"sku":"s1","price":2},{"sku":"s2"}]}`, `track u/  {} {"products.0.sku":"s1","products.0.price":2,"products.1.sku":"s2","event":"x"}`)
	f(`"integrations":{"All":true},"writeKey":"k","version":2,"receivedAt":"x"`, `track u/  {} {"event":"x"}`)
	f(`"prediction":"p","user_id":"v"`, `track u/  {} {"event":"x"}`, "prediction is not known here; did you mean properties.prediction?", "user_id is not known here; did you mean userId?")
	f(`"properties":{"a":"\ud83d"}`, `track u/  {} {"a":"`+"\ufffd"+`","event":"x"}`, "1 half characters (lone surrogates) became U+FFFD")
}

func TestCallsThatLackWhatTheyNeedAreRejectedByName(t *testing.T) {
	f := func(text, field string) {
		t.Helper()
		s := segmentCall{part: strictjson.Part{Text: []byte(text)}, batch: true}
		it := s.item(segmentNow, 3)
		if wrong, ok := it.err.(*event.Error); !ok || wrong.Field != field || it.place != "batch[3], byte 1" {
			t.Errorf("%s: %v at %s, want one about %s", text, it.err, it.place, field)
		}
	}
	f(`{"userId":"u"}`, "type")
	f(`{"type":"track","event":"x"}`, "userId")
	f(`{"type":"track","event":"x","userId":null,"anonymousId":""}`, "userId")
	f(`{"type":"track","userId":"u"}`, "event")
	f(`{"type":7}`, "type")
	f(`{"type":"track","userId":["u"]}`, "userId")
	f(`{"type":"track","userId":"u","event":{}}`, "event")
	f(`{"type":"track","userId":"u","event":"x","properties":[]}`, "properties")
	f(`{"type":"track","userId":"u","event":"x","timestamp":"x"}`, "timestamp")
	f(`7`, "")
}

// A profile that counts "Product Viewed" counts what SDKs call so, and track counts all calls.
func TestProfilesCountCallsByTheirNames(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	body := `{"batch":[{"type":"track","userId":"u","messageId":"n1","event":"Product Viewed"},{"type":"track","userId":"u","messageId":"n2","event":"Order Completed"},
		{"type":"page","userId":"u","messageId":"n3","name":"Pricing"}]}`
	if status, _, a := send(t, "POST", server.URL+"/v1/batch", nil, strings.NewReader(body)); status != 200 {
		t.Fatalf("status %d, %+v", status, a)
	}
	set, err := features.Compile(features.Config{Profiles: []features.ProfileConfig{
		{Entity: "user", Aggregate: "count", Event: "Product Viewed"}, {Entity: "user", Aggregate: "count", Event: "track"},
		{Entity: "user", Aggregate: "count", Event: "conversion"}, {Entity: "user", Aggregate: "count", Event: "Pricing"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]int{}
	for _, e := range collected(t, client, "n") {
		for _, u := range set.Updates(nil, &e, 1) {
			for _, op := range u.Ops {
				counted[op.Field]++
			}
		}
	}
	if fmt.Sprint(counted) != "map[Pricing:1 Product Viewed:1 conversion:1 track:1]" {
		t.Errorf("counted are %v", counted)
	}
}
