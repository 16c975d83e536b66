package features

import (
	"math"
	"reflect"
	"testing"
	"time"
)

func TestWrongConfigurationsAreRefusedAtTheirPlace(t *testing.T) {
	f := func(p ProfileConfig, field, reason string) {
		t.Helper()
		_, err := Compile(Config{Profiles: []ProfileConfig{{Entity: "ad", Aggregate: "count", Event: "click"}, p}})
		e, ok := err.(*Error)
		if !ok || e.Field != "features.profiles[1]."+field || e.Reason != reason {
			t.Fatalf("%+v:\ngot  %v\nwant features.profiles[1].%s %s", p, err, field, reason)
		}
	}
	oneOf := "; expected one of " + kindsThat(func(*kind) bool { return true }, ", ")
	belongsToValue := "is given, but belongs to " + kindsThat(func(k *kind) bool { return k.value }, " and ") + " only"
	belongsToOver := "is given, but belongs to " + kindsThat(func(k *kind) bool { return k.over }, " and ") + " only"
	const spans = "; expected a whole number of m, h, d or w, such as 10m, 1h or 7d, at least 5m"
	f(ProfileConfig{}, "aggregate", `is ""`+oneOf)
	f(ProfileConfig{Aggregate: "median"}, "aggregate", `is "median"`+oneOf)
	f(ProfileConfig{Aggregate: "count"}, "entity", `is ""; expected user, ad, campaign, user*campaign or context.NAME`)
	f(ProfileConfig{Aggregate: "count", Entity: "context."}, "entity", `is "context."; expected user, ad, campaign, user*campaign or context.NAME`)
	f(ProfileConfig{Aggregate: "count", Entity: "user"}, "event", "is missing; expected the type of the events, such as click")
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "a:b"}, "event", `is "a:b"; expected at most 64 bytes without # + @ = : ^ and control characters`)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Window: "1x"}, "window", `is "1x"`+spans)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Window: "h"}, "window", `is "h"`+spans)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Window: "-1h"}, "window", `is "-1h"`+spans)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Window: "4m"}, "window", `is "4m"`+spans)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Window: "99999999999999999999d"}, "window", `is "99999999999999999999d"`+spans)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Window: "367d"}, "window", `is "367d", which looks back more than 366 days (a half-life: 8 times its length)`)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", HalfLife: "46d"}, "half_life", `is "46d", which looks back more than 366 days (a half-life: 8 times its length)`)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Window: "1h", HalfLife: "1h"}, "half_life", "is given beside window; expected one of them")
	f(ProfileConfig{Aggregate: "last", Entity: "user", Event: "click", Value: "value", HalfLife: "1h"}, "half_life", "is given, but last does not decay; expected a window or nothing")
	f(ProfileConfig{Aggregate: "sum", Entity: "user", Event: "click"}, "value", "is missing; expected value, context.NAME or properties.NAME")
	f(ProfileConfig{Aggregate: "sum", Entity: "user", Event: "click", Value: "price"}, "value", `is "price"; expected value, ad, campaign, channel, source, context.NAME or properties.NAME`)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Value: "value"}, "value", belongsToValue)
	f(ProfileConfig{Aggregate: "ratio", Entity: "user", Event: "click"}, "over", "is missing; expected the type of the events in the denominator, such as impression")
	f(ProfileConfig{Aggregate: "ratio", Entity: "user", Event: "click", Over: "a#b"}, "over", `is "a#b"; expected at most 64 bytes without # + @ = : ^ and control characters`)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Over: "impression"}, "over", belongsToOver)
	f(ProfileConfig{Aggregate: "count", Entity: "user", Event: "click", Prior: 0.1}, "prior", belongsToOver)
	f(ProfileConfig{Aggregate: "ratio", Entity: "user", Event: "click", Over: "impression", Weight: -1}, "weight", "is negative or no finite number")
	f(ProfileConfig{Aggregate: "ratio", Entity: "user", Event: "click", Over: "impression", Prior: math.NaN()}, "prior", "is no finite number")
	f(ProfileConfig{Aggregate: "count", Entity: "ad", Event: "click"}, "name", `is "ad.click_count", which another feature has; expected a name of its own`)
}

// Every kind of aggregate takes the settings that its file says, and refuses the others by name.
func TestAnAggregateTakesItsOwnSettingsOnly(t *testing.T) {
	for _, k := range kinds {
		f := func(setting string, takes bool, set func(p *ProfileConfig)) {
			t.Helper()
			p := ProfileConfig{Entity: "user", Aggregate: k.name, Event: "click"}
			if k.value {
				p.Value = "ad"
			}
			if k.over {
				p.Over = "impression"
			}
			set(&p)
			_, err := Compile(Config{Profiles: []ProfileConfig{p}})
			if e, ok := err.(*Error); takes && err != nil || !takes && (!ok || e.Field != "features.profiles[0]."+setting) {
				t.Errorf("%s with %s: %v", k.name, setting, err)
			}
		}
		f("half_life", k.halfLife, func(p *ProfileConfig) { p.HalfLife = "1h" })
		f("value", k.value, func(p *ProfileConfig) { p.Value = "value" })
		f("over", k.over, func(p *ProfileConfig) { p.Over = "page" })
		f("prior", k.over, func(p *ProfileConfig) { p.Prior = 0.5 })
		f("prior", k.over, func(p *ProfileConfig) { p.Weight = 2 })
	}
}

func TestTooManyAggregatesAreRefused(t *testing.T) {
	_, err := Compile(Config{Profiles: make([]ProfileConfig, 501)})
	if err == nil || err.Error() != "features.profiles has 501 aggregates; at most 500 are allowed" {
		t.Fatal(err)
	}
}

func TestWrongCrossesAreRefused(t *testing.T) {
	f := func(want string, crosses ...[]string) {
		t.Helper()
		if _, err := Compile(Config{Cross: crosses}); err == nil || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	f("features.cross[0] has 1 names; expected two or three", []string{"a"})
	f("features.cross[1] has 4 names; expected two or three", []string{"a", "b"}, []string{"a", "b", "c", "d"})
	f(`features.cross[0] has the name "a" empty or twice; expected different names of features`, []string{"a", "a"})
	f(`features.cross[1] makes the feature "a*b", which there is already`, []string{"a", "b"}, []string{"a", "b"})
}

func TestFeaturesAreNamedByWhatTheyCount(t *testing.T) {
	f := func(p ProfileConfig, want string) {
		t.Helper()
		s := mustCompile(t, Config{Profiles: []ProfileConfig{p}})
		if got := s.Names(nil); !reflect.DeepEqual(got, []string{want}) {
			t.Fatalf("%v, want %s", got, want)
		}
	}
	f(ProfileConfig{Entity: "user", Aggregate: "count", Event: "click", Window: "1h"}, "user.click_count_1h")
	f(ProfileConfig{Entity: "user", Aggregate: "count", Event: "click", Window: "1h", Name: "user.clicks_1h"}, "user.clicks_1h")
	f(ProfileConfig{Entity: "user*campaign", Aggregate: "count", Event: "click", HalfLife: "1d"}, "user*campaign.click_count_half_1d")
	f(ProfileConfig{Entity: "ad", Aggregate: "ratio", Event: "click", Over: "impression"}, "ad.click_ratio")
	f(ProfileConfig{Entity: "context.job", Aggregate: "sum", Event: "conversion", Value: "value", Window: "7d"}, "context.job.conversion_sum_7d")
	f(ProfileConfig{Entity: "user", Aggregate: "last", Event: "page", Value: "context.page.url"}, "user.page_last_page.url")
	f(ProfileConfig{Entity: "user", Aggregate: "last", Event: "click", Value: "ad"}, "user.click_last_ad")
	f(ProfileConfig{Entity: "user", Aggregate: "recency", Event: "click"}, "user.click_recency")
}

func TestRetentionIsTheLongestLookBack(t *testing.T) {
	f := func(want time.Duration, profiles ...ProfileConfig) {
		t.Helper()
		if got := mustCompile(t, Config{Profiles: profiles}).Retention(); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	f(0)
	f(366*24*time.Hour, ProfileConfig{Entity: "user", Aggregate: "count", Event: "click"}, ProfileConfig{Entity: "user", Aggregate: "count", Event: "click", Window: "7d"})
	f(time.Hour, ProfileConfig{Entity: "user", Aggregate: "recency", Event: "click", Window: "1h"})
	f(8*24*time.Hour,
		ProfileConfig{Entity: "user", Aggregate: "count", Event: "click", Window: "7d"},
		ProfileConfig{Entity: "user", Aggregate: "count", Event: "click", HalfLife: "1d"})
}
