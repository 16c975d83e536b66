package features

import (
	"testing"

	"github.com/clickloop/clickloop/event"
)

func fieldsOf(t testing.TB, text string) event.Fields {
	t.Helper()
	var f event.Fields
	if err := f.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFactsAreAssembledInAFixedOrder(t *testing.T) {
	f := func(cfg Config, context, candidate, want string) {
		t.Helper()
		s := mustCompile(t, cfg)
		r := Request{Time: testNow, User: "u1", Ad: "a1", Campaign: "c1", Context: fieldsOf(t, context), Candidate: fieldsOf(t, candidate)}
		if got := string(s.Assemble(nil, &r, map[string]Profile{}).AppendJSON(nil)); got != want {
			t.Fatalf("\ngot  %s\nwant %s", got, want)
		}
	}
	count := []ProfileConfig{{Entity: "user", Aggregate: "count", Event: "click"}}
	f(Config{}, `{}`, `{}`, `{"ad":"a1","campaign":"c1"}`)
	f(Config{}, `{"z":1,"a":2}`, `{"size":"300x250"}`, `{"z":1,"a":2,"size":"300x250","ad":"a1","campaign":"c1"}`)
	f(Config{}, `{"a":1,"b":2}`, `{"c":4,"a":3}`, `{"a":3,"b":2,"c":4,"ad":"a1","campaign":"c1"}`)
	f(Config{Context: []string{"b", "geo.*"}}, `{"a":1,"b":2,"geo":{"city":"Ulm"},"geometry":1}`, `{}`, `{"b":2,"geo.city":"Ulm","ad":"a1","campaign":"c1"}`)
	f(Config{Context: []string{"*"}, Drop: []string{"b", "geo.*", "ad"}}, `{"a":1,"b":2,"geo":{"city":"Ulm"}}`, `{"b":3}`, `{"a":1,"campaign":"c1"}`)
	f(Config{}, `{"ad":"fake","campaign":7}`, `{"ad":"fake"}`, `{"ad":"a1","campaign":"c1"}`)
	f(Config{Profiles: count}, `{"user.click_count":99,"x":1}`, `{}`, `{"x":1,"ad":"a1","campaign":"c1","user.click_count":0}`)
	f(Config{Profiles: count, Cross: [][]string{{"ad", "user.click_count"}, {"x", "y", "z"}, {"x", "y"}, {"x", "ad*user.click_count"}}}, `{"x":"a*b","y":1.5,"z":null}`, `{}`,
		`{"x":"a*b","y":1.5,"z":null,"ad":"a1","campaign":"c1","user.click_count":0,"ad*user.click_count":"a1*0","x*y":"a%2Ab*1.5","x*ad*user.click_count":"a%2Ab*a1%2A0"}`)
}

func TestMissingIsToldApartFromZero(t *testing.T) {
	s := mustCompile(t, Config{Profiles: []ProfileConfig{
		{Entity: "user", Aggregate: "count", Event: "click", Window: "1h"},
		{Entity: "user", Aggregate: "recency", Event: "click"},
		{Entity: "user", Aggregate: "last", Event: "click", Value: "ad"},
		{Entity: "ad", Aggregate: "ratio", Event: "click", Over: "impression", Window: "1h", Prior: 0.5, Weight: 2},
		{Entity: "campaign", Aggregate: "ratio", Event: "click", Over: "impression", Window: "1h"},
	}})
	f := func(r Request, profiles map[string]Profile, want string) {
		t.Helper()
		r.Time = testNow
		if got := string(s.Assemble(nil, &r, profiles).AppendJSON(nil)); got != want {
			t.Fatalf("\ngot  %s\nwant %s", got, want)
		}
	}
	none := map[string]Profile{}
	f(Request{}, none, `{}`)
	f(Request{User: "u1"}, none, `{"user.click_count_1h":0,"user.click_recency":null,"user.click_last_ad":null}`)
	f(Request{Anonymous: "x1"}, none, `{"user.click_count_1h":0,"user.click_recency":null,"user.click_last_ad":null}`)
	f(Request{User: "u1"}, nil, `{"user.click_count_1h":null,"user.click_recency":null,"user.click_last_ad":null}`)
	f(Request{Ad: "a1"}, none, `{"ad":"a1","ad.click_ratio_1h":0.5}`)
	f(Request{Campaign: "c1"}, none, `{"campaign":"c1","campaign.click_ratio_1h":null}`)
	f(Request{Ad: "a1"}, nil, `{"ad":"a1","ad.click_ratio_1h":null}`)
}

func TestARequestNeedsTheProfilesOfWhatItNames(t *testing.T) {
	var profiles []ProfileConfig
	for _, entity := range []string{"user", "ad", "campaign", "user*campaign", "context.job", "user"} {
		profiles = append(profiles, ProfileConfig{Name: entity + string(rune('a'+len(profiles))), Entity: entity, Aggregate: "count", Event: "click"})
	}
	s := mustCompile(t, Config{Profiles: profiles})
	f := func(r Request, want ...string) {
		t.Helper()
		got := s.Keys(nil, &r)
		if len(got) != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%q, want %q", got, want)
			}
		}
	}
	f(Request{})
	f(Request{User: "u1", Anonymous: "x1"}, "user:u1")
	f(Request{Anonymous: "x1", Campaign: "c1"}, "user:x1", "campaign:c1", "user*campaign:x1*c1")
	f(Request{User: "a*b", Campaign: "c"}, "user:a*b", "campaign:c", "user*campaign:a%2Ab*c")
	f(Request{User: "a", Campaign: "b*c"}, "user:a", "campaign:b*c", "user*campaign:a*b%2Ac")
	f(Request{Ad: "a1", Context: fieldsOf(t, `{"job":"admin."}`)}, "ad:a1", "context.job:admin.")
	f(Request{Context: fieldsOf(t, `{"job":7.50}`)}, "context.job:7.5")
	f(Request{Context: fieldsOf(t, `{"job":"admin."}`), Candidate: fieldsOf(t, `{"job":"maid"}`)}, "context.job:maid")
	f(Request{Context: fieldsOf(t, `{"job":["a","b"]}`)})
	f(Request{Context: fieldsOf(t, `{"job":null}`)})
}
