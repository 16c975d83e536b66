package features

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

func jsonFields(t testing.TB, s string) event.Fields {
	t.Helper()
	var f event.Fields
	if err := f.UnmarshalJSON([]byte(s)); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return f
}

func shownSet(t testing.TB, shown ...ShownConfig) *Set {
	t.Helper()
	s, err := Compile(Config{Shown: shown})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAShownFactIsServedWhateverARequestSays(t *testing.T) {
	s := shownSet(t, ShownConfig{Name: "position", Serve: "1"}, ShownConfig{Name: "slot", Serve: "top"})
	f := func(context, candidate, want string) {
		t.Helper()
		r := Request{Ad: "a", Context: jsonFields(t, context), Candidate: jsonFields(t, candidate)}
		if got := string(s.Assemble(nil, &r, nil).AppendJSON(nil)); got != want {
			t.Errorf("%s with %s: %s, want %s", context, candidate, got, want)
		}
	}
	f(`{}`, `{}`, `{"position":1,"slot":"top","ad":"a"}`)
	f(`{"position":7,"os":"x"}`, `{}`, `{"position":1,"slot":"top","os":"x","ad":"a"}`)
	f(`{"os":"x"}`, `{"slot":"side","position":"3","size":2}`, `{"position":1,"slot":"top","os":"x","size":2,"ad":"a"}`)
}

// The features of a set without shown facts are those of before.
func TestWithoutShownFactsNothingIsAdded(t *testing.T) {
	s := shownSet(t)
	r := Request{Ad: "a", Context: jsonFields(t, `{"position":7}`)}
	got := s.Assemble(nil, &r, nil)
	s.Shown().Put(got, jsonFields(t, `{"position":9}`), nil)
	if text := string(got.AppendJSON(nil)); text != `{"position":7,"ad":"a"}` || s.Shown() != nil || !s.Shown().Same(got) {
		t.Errorf("%s", text)
	}
}

func TestFactsComeFromTheEventInTheKindThatIsServed(t *testing.T) {
	s := shownSet(t, ShownConfig{Name: "position", Serve: "1"}, ShownConfig{Name: "slot", From: "context.page.slot", Serve: "top"}, ShownConfig{Name: "viewable", From: "properties.in_view", Serve: "true"})
	f := func(properties, context, want string, refused ...string) {
		t.Helper()
		e := event.Event{Properties: jsonFields(t, properties), Context: jsonFields(t, context)}
		var no []string
		got := s.Shown().Of(nil, &e, func(name string, _ event.Value) { no = append(no, name) })
		if text := string(got.AppendJSON(nil)); text != want || !slices.Equal(no, refused) {
			t.Errorf("%s, %s: %s, refused %v; want %s, %v", properties, context, text, no, want, refused)
		}
	}
	f(`{"position":3,"in_view":true}`, `{"page":{"slot":"side"}}`, `{"position":3,"slot":"side","viewable":"true"}`)
	f(`{"position":"3"}`, `{"position":4}`, `{"position":3}`) // a text that is a number; properties first
	f(`{"position":null}`, `{"position":4}`, `{"position":4}`)
	f(`{}`, `{"page":{"slot":7}}`, `{"slot":"7"}`) // a number where a text is served
	f(`{"in_view":null,"slot":"side"}`, `{}`, `{}`)
	f(`{"position":"third"}`, `{}`, `{}`, "position")
	f(`{"position":[1,2]}`, `{"page":{"slot":["a"]}}`, `{}`, "position", "slot")
	f(`{"position":""}`, `{"page":{"slot":"`+strings.Repeat("x", 257)+`"}}`, `{}`, "position", "slot")
	f(`{"position":1e308}`, `{}`, `{"position":1e+308}`)
}

// What fit encodes again is what the learner encodes of the example.
func TestPutEncodedIsTheEncodingOfPut(t *testing.T) {
	s := shownSet(t, ShownConfig{Name: "position", Serve: "1"}, ShownConfig{Name: "slot", Serve: "top"})
	r := Request{Ad: "a", Context: jsonFields(t, `{"tags":["x","y"],"os":"z"}`)}
	f := func(facts, want string) {
		t.Helper()
		put := s.Assemble(nil, &r, nil)
		x := Encode(nil, put)
		n := 0
		s.Shown().Put(put, jsonFields(t, facts), func(i int, ok bool) {
			if ok {
				n++
			}
		})
		s.Shown().PutEncoded(x, jsonFields(t, facts))
		if got := string(put.AppendJSON(nil)); got != want || !slices.Equal(x, Encode(nil, put)) || n != len(jsonFields(t, facts)) {
			t.Errorf("%s: %s with %d facts, want %s; encoded %v, want %v", facts, got, n, want, x, Encode(nil, put))
		}
	}
	f(`{"position":3,"slot":"side"}`, `{"position":3,"slot":"side","tags":["x","y"],"os":"z","ad":"a"}`)
	f(`{"slot":"side"}`, `{"position":null,"slot":"side","tags":["x","y"],"os":"z","ad":"a"}`)
	f(`{}`, `{"position":null,"slot":null,"tags":["x","y"],"os":"z","ad":"a"}`)
}

func TestOnlyWhatWasShownAsServedIsTheSame(t *testing.T) {
	s := shownSet(t, ShownConfig{Name: "position", Serve: "1"}, ShownConfig{Name: "slot", Serve: "top"}).Shown()
	f := func(features string, want bool) {
		t.Helper()
		if got := s.Same(jsonFields(t, features)); got != want {
			t.Errorf("%s: %v, want %v", features, got, want)
		}
	}
	f(`{"position":1,"slot":"top","os":"x"}`, true)
	f(`{"os":"x"}`, true) // of before the setting
	f(`{"position":2,"slot":"top"}`, false)
	f(`{"position":"1","slot":"top"}`, false)
	f(`{"position":1,"slot":null}`, false)
}

func TestAWrongShownFactIsNamed(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := Config{Shown: []ShownConfig{{Name: "position", Serve: "1"}}}
		change(&c)
		_, err := Compile(c)
		var wrong *Error
		if !errors.As(err, &wrong) || !strings.Contains(wrong.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	f("features.shown[0].name", func(c *Config) { c.Shown[0].Name = "" })
	f("features.shown[0].name", func(c *Config) { c.Shown[0].Name = "campaign" })
	f("features.shown[1].name", func(c *Config) { c.Shown = append(c.Shown, c.Shown[0]) })
	f("features.shown[0].name", func(c *Config) {
		c.Profiles = []ProfileConfig{{Name: "position", Entity: "user", Aggregate: "count", Event: "click"}}
	})
	f("no request knows", func(c *Config) {
		c.Profiles = []ProfileConfig{{Entity: "context.position", Aggregate: "count", Event: "click"}}
	})
	f("features.cross[0]", func(c *Config) { c.Cross = [][]string{{"ad", "position"}} })
	f("features.shown[0].serve", func(c *Config) { c.Shown[0].Serve = "" })
	f("features.shown[0].from", func(c *Config) { c.Shown[0].From = "context." })
	f("at most 16", func(c *Config) {
		for i := range 16 {
			c.Shown = append(c.Shown, ShownConfig{Name: fmt.Sprint("s", i), Serve: "1"})
		}
	})
}
