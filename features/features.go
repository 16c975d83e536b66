package features

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Config is the features section of the configuration.
type Config struct {
	// names that are taken from a request's context, "*" for all, "geo.*" for all below geo; empty
	// means all
	Context  []string        `yaml:"context"`
	Drop     []string        `yaml:"drop"`     // names that are never taken
	Profiles []ProfileConfig `yaml:"profiles"` // aggregates kept in Redis
	Cross    [][]string      `yaml:"cross"`    // pairs or triples of the above, as one token
}

// ProfileConfig declares one aggregate.
type ProfileConfig struct {
	// of the feature; derived from the rest when empty, such as user.click_count_1h
	Name string `yaml:"name"`
	// user, ad, campaign, user*campaign, or context.NAME (one profile for each value of it)
	Entity    string `yaml:"entity"`
	Aggregate string `yaml:"aggregate"` // count, sum, recency, last, ratio
	// type of the events that are counted, or the name of a track, page or screen call
	Event    string `yaml:"event"`
	Window   string `yaml:"window"`    // 10m, 1h, 1d, 7d, ... (sawtooth tiles)
	HalfLife string `yaml:"half_life"` // exponential decay instead of a window
	// for sum and last: value, ad, campaign, channel, source, context.NAME or properties.NAME
	Value string `yaml:"value"`
	Over  string `yaml:"over"` // for ratio: type or name of the events in the denominator
	// for ratio: (numerator + prior*weight) / (denominator + weight)
	Prior  float64 `yaml:"prior"`
	Weight float64 `yaml:"weight"`
}

// Request is what Assemble and Keys need to know of one candidate of a score request.
type Request struct {
	Time      event.Time
	User      string
	Anonymous string
	Ad        string
	Campaign  string
	Context   event.Fields // of the request
	Candidate event.Fields // of the candidate; wins over Context
}

// Profile is what a Store keeps for one entity: integers and last values by field name. A nil map
// is an entity never seen.
type Profile struct {
	Fields map[string]string

	// the tiles among Fields, as Read leaves them for Assemble, which walks them once a candidate
	series  []series
	unknown bool // it could not be read: not known is not zero
}

// series are the tiles of one series, in no order.
type series struct {
	name  string
	tiles []tile
}

// newProfile finds the tiles among fields.
func newProfile(fields map[string]string) Profile {
	p := Profile{Fields: fields}
	for field, value := range fields {
		cut := strings.LastIndexByte(field, ':')
		if cut < 0 {
			continue
		}
		number, err := strconv.ParseInt(field[cut+1:], 10, 64)
		n, err2 := strconv.ParseInt(value, 10, 64)
		if err != nil || err2 != nil {
			continue
		}
		p.add(field[:cut], tile{number, n})
	}
	return p
}

func (p *Profile) add(name string, t tile) {
	i := slices.IndexFunc(p.series, func(s series) bool { return s.name == name })
	if i < 0 {
		i = len(p.series)
		p.series = append(p.series, series{name: name})
	}
	p.series[i].tiles = append(p.series[i].tiles, t)
}

// Set is a compiled Config. It does not change, and any number of goroutines may use it.
type Set struct {
	context  selection
	entities []entity
	features []aggregate
	crosses  []cross
	reserved map[string]bool        // names of aggregates and crosses, which no context may take
	plans    map[string][]eventPlan // by the type or the name of an event
	named    bool                   // some aggregate may count a name: no known type
	uses     []map[string][]use     // by entity: what the tiles of a series are for
}

// aggregate is one declared feature of a profile.
type aggregate struct {
	name   string
	kind   string
	entity int     // index in Set.entities
	span   span    // zero for all time
	field  string  // of the profile: a series of tiles when span is not zero
	over   string  // field of the denominator
	source source  // of sum and last
	prior  float64 // of ratio
	weight float64
}

// eventPlan is what an event of one type does to one entity's profile.
type eventPlan struct {
	entity int
	ops    []opPlan
}

// opPlan makes one Op of an event.
type opPlan struct {
	kind   OpKind
	field  string
	hop    event.Time // of a series
	keep   int64
	source source // none counts 1
}

// Retention is the longest time for which an event matters to an aggregate: a profile that is
// forgotten sooner is wrong. Aggregates without a window or half-life look back for ever, which
// counts as a year here. 0 when no aggregate is declared.
func (s *Set) Retention() time.Duration {
	var longest event.Time
	for i := range s.features {
		if length := s.features[i].span.length(); length > 0 {
			longest = max(longest, length)
		} else {
			longest = maxSpan
		}
	}
	return time.Duration(longest) * time.Millisecond
}

// Names appends the names of the declared aggregates and crosses, in the order of Assemble.
func (s *Set) Names(dst []string) []string {
	for i := range s.features {
		dst = append(dst, s.features[i].name)
	}
	for i := range s.crosses {
		dst = append(dst, s.crosses[i].name)
	}
	return dst
}
