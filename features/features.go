// Package features is the feature store: what is counted (profiles), how it is kept in Redis, and how facts become inputs of the
// network. Encode is the only place where facts become inputs.
package features

import (
	"context"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// Config is the features section of the configuration.
type Config struct {
	Context  []string        `yaml:"context"`  // names that are taken from a request's context, "*" for all
	Drop     []string        `yaml:"drop"`     // names that are never taken
	Profiles []ProfileConfig `yaml:"profiles"` // aggregates kept in Redis
	Cross    [][]string      `yaml:"cross"`    // pairs or triples of the above, as one token
}

// ProfileConfig declares one aggregate.
type ProfileConfig struct {
	Name      string  `yaml:"name"`      // of the feature; derived from the rest when empty, such as user.click_count_1h
	Entity    string  `yaml:"entity"`    // user, ad, campaign, user*campaign, or context.NAME (one profile for each value of it)
	Aggregate string  `yaml:"aggregate"` // count, sum, recency, last, ratio
	Event     string  `yaml:"event"`     // type of the events that are counted
	Window    string  `yaml:"window"`    // 10m, 1h, 1d, 7d, ... (sawtooth tiles)
	HalfLife  string  `yaml:"half_life"` // exponential decay instead of a window
	Value     string  `yaml:"value"`     // for sum and last: "value", "context.NAME" or "properties.NAME"
	Over      string  `yaml:"over"`      // for ratio: type of the events in the denominator
	Prior     float64 `yaml:"prior"`     // for ratio: (numerator + prior*weight) / (denominator + weight)
	Weight    float64 `yaml:"weight"`
}

// Set is a compiled Config.
type Set struct{}

// Compile checks cfg; an error names the field and what is allowed.
func Compile(cfg Config) (*Set, error) { panic("not built yet") }

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

// Keys appends the keys of the profiles that r needs; entities with an empty id have none.
func (s *Set) Keys(dst []string, r *Request) []string { panic("not built yet") }

// Profile is what a Store keeps for one entity: integers and last values by field name. A nil map is an entity never seen.
type Profile struct {
	Fields map[string]string
}

// Assemble appends r's named raw values to dst, in a fixed order: context, profile aggregates as of r.Time, crosses.
// profiles holds what Read returned for the keys that were read (a key that is not in it counts as missing).
func (s *Set) Assemble(dst event.Fields, r *Request, profiles map[string]Profile) event.Fields {
	panic("not built yet")
}

// Encode appends the inputs of the network for f.
func Encode(dst []model.Feature, f event.Fields) []model.Feature { panic("not built yet") }

// Update is what one event adds to one profile.
type Update struct {
	Key    string
	Offset int64 // of the event in its partition
	Ops    []Op
}

// Op changes one field of a profile; all ops are integers or ordered last values, so that every store adds up the same.
type Op struct {
	Kind  OpKind
	Field string
	Add   int64      // OpAdd
	Time  event.Time // OpMax, OpLast, OpFirst
	Value string     // OpLast, OpFirst
}

// OpKind is the kind of an Op.
type OpKind uint8

// Kinds of Op.
const (
	OpAdd  OpKind = iota // add Add to an integer
	OpMax                // keep the largest Time
	OpLast               // keep the Value with the largest (Time, Value)
	OpFirst              // keep the Value with the smallest (Time, Value)
)

// Updates appends what e adds to the profiles (pure).
func (s *Set) Updates(dst []Update, e *event.Event, offset int64) []Update { panic("not built yet") }

// Position is how far the events of one partition are folded.
type Position struct {
	TopicID   string // of the events topic: a topic created again has another
	Partition int
	Next      int64      // offset of the first record not folded
	Received  event.Time // watermark: received time up to which the partition is folded
}

// Store keeps profiles; with another namespace, feedback keeps its outcomes in one too. Memory and Redis behave alike.
type Store interface {
	// Apply folds one micro-batch of a partition and moves its position from 'from' to to.Next. Updates that a profile already holds
	// (its highest applied offset of that topic id and partition is not below theirs) are refused, so repeats change nothing. It returns
	// ErrMoved, having applied nothing, when the stored position is not 'from': the store lost or gained data, and the caller reads the position again.
	Apply(ctx context.Context, from int64, to Position, batch []Update) error
	// Position returns how far a partition is folded; Next 0 when the store knows nothing of it (an empty store is rebuilt from the log).
	Position(ctx context.Context, topicID string, partition int) (Position, error)
	// Watermark is the smallest Received of the topic's partitions; 0 when one of them has no position yet.
	Watermark(ctx context.Context, topicID string, partitions int) (event.Time, error)
	// Read returns the profiles of keys in one round trip; a key that is not held is not in the map.
	Read(ctx context.Context, keys []string) (map[string]Profile, error)
}
