package features

import "github.com/clickloop/clickloop/internal/field"

// Config is the section features of the configuration.
type Config struct {
	// Context names the fields of a request's context that become features: "*" for all, "geo.*"
	// for all below geo. Empty: all.
	Context []string `yaml:"context"`
	// Drop names fields that never become features.
	Drop []string `yaml:"drop"`
	// Profiles are the aggregates that Redis keeps.
	Profiles []ProfileConfig `yaml:"profiles"`
	// Cross are pairs or triples of features that become one token.
	Cross [][]string `yaml:"cross"`
	// Shown are facts that exist only once an ad is shown, such as its position.
	Shown []ShownConfig `yaml:"shown"`
}

// ProfileConfig declares one aggregate. Which settings an aggregate takes is said in its file.
type ProfileConfig struct {
	// Name of the feature. Empty: derived from the other settings, such as user.click_count_1h.
	Name string `yaml:"name"`
	// Entity that has the profile: user, ad, campaign, user*campaign, or context.NAME (one profile
	// for each value of that field).
	Entity string `yaml:"entity"`
	// Aggregate is the name of a kind of aggregate, such as count.
	Aggregate string `yaml:"aggregate"`
	// Event is the type of the events that count, or the name of a track, page or screen call.
	Event string `yaml:"event"`
	// Window is how far back events count: 10m, 1h, 7d. It ends on a tile's edge.
	Window string `yaml:"window"`
	// HalfLife weighs events by their age, instead of a window.
	HalfLife string `yaml:"half_life"`
	// Value of an event: value, ad, campaign, channel, source, context.NAME or properties.NAME.
	Value string `yaml:"value"`
	// Over is the type or name of the events in a ratio's denominator.
	Over string `yaml:"over"`
	// Prior and Weight smooth a ratio: (numerator + prior*weight) / (denominator + weight).
	Prior  float64 `yaml:"prior"`
	Weight float64 `yaml:"weight"`
}

// Error names a wrong setting, such as features.profiles[2].window.
type Error = field.Error
