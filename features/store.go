package features

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// ErrMoved is returned by Store.Apply when the store is not folded as far as the caller believes:
// it was emptied, restored or given to another owner. The caller asks for the Position and goes on
// from there.
var ErrMoved = errors.New("the store's position is not where this batch begins: read the position again")

// Store keeps profiles; with another namespace, feedback keeps its outcomes in one too. Memory and
// Redis behave alike. Methods may be called from several goroutines; batches of one partition must
// be applied one after another.
type Store interface {
	// Apply folds one micro-batch of a partition, in the order of its offsets, and moves its
	// position from 'from' (Next of the last Position) to to.Next. Updates that a profile already
	// holds (its highest applied offset of that topic id and partition is not below theirs) are
	// refused, so repeats change nothing. After ErrMoved what was applied of the batch is harmless
	// for the same reason. After any other error it is not known what was applied: the caller
	// repeats the call, or reads the position again. An empty batch moves the position and the
	// watermark.
	Apply(ctx context.Context, from int64, to Position, batch []Update) error
	// Position returns how far a partition is folded; Next 0 when the store knows nothing of it (an
	// empty store is rebuilt from the log).
	Position(ctx context.Context, topicID string, partition int) (Position, error)
	// Watermark is the smallest Received of the topic's partitions; 0 when one of them has no
	// position yet.
	Watermark(ctx context.Context, topicID string, partitions int) (event.Time, error)
	// Read returns the profiles of keys in one round trip; a key that is not held is not in the
	// map, which is never nil without an error. With a *KeyError the map holds all the others, and
	// the profile that could not be read as one of which nothing is known.
	Read(ctx context.Context, keys []string) (map[string]Profile, error)
}

// Position is how far the events of one partition are folded.
type Position struct {
	TopicID   string // of the events topic: a topic created again has another
	Partition int
	Next      int64 // offset of the first record not folded
	// watermark: received time up to which the partition is folded; it never goes back
	Received event.Time
	// Collectors is what the watermark is made of, for whoever goes on folding; the store only
	// keeps it. Empty: what is kept stays.
	Collectors string
}

// Update is what one event adds to one profile.
type Update struct {
	Key    string
	Offset int64 // of the event in its partition
	Ops    []Op
}

// Op changes one field of a profile. All kinds give the same result in any order of Ops, so that
// every store adds up the same. A field belongs to one kind of Op, and a series to one Keep.
type Op struct {
	Kind  OpKind
	Field string     // one that begins with ^ is the store's own: the Op is ignored
	Add   int64      // OpAdd, OpTile
	Tile  int64      // OpTile: number of the tile, time divided by the series' hop
	Keep  int64      // OpTile: how many tiles the series keeps, up to its newest
	Time  event.Time // OpMax, OpLast, OpFirst
	Value string     // OpLast, OpFirst
}

// OpKind is the kind of an Op.
type OpKind uint8

// Kinds of Op.
const (
	OpAdd OpKind = iota // add Add to an integer; what would exceed 64 bits is not added
	OpMax               // keep the largest Time
	// keep the Value with the largest (Time, Value); read it with SplitStamped
	OpLast
	// keep the Value with the smallest (Time, Value); read it with SplitStamped
	OpFirst
	// add Add to the tile Tile of the series Field; tiles below the newest by Keep or more are
	// forgotten
	OpTile
)

// SplitStamped takes apart what OpLast and OpFirst keep: a time and a value.
func SplitStamped(s string) (at event.Time, value string, ok bool) {
	ms, value, found := strings.Cut(s, " ")
	if !found {
		return 0, "", false
	}
	n, err := strconv.ParseInt(ms, 10, 64)
	return event.Time(n), value, err == nil
}

func stamped(at event.Time, value string) string {
	return strconv.FormatInt(int64(at), 10) + " " + value
}

// tileField is the field of one tile of a series; the series' own field holds the number of its
// newest tile.
func tileField(series string, tile int64) string {
	return series + ":" + strconv.FormatInt(tile, 10)
}

// fenceField is the field that holds the highest offset applied of one source partition. Read
// leaves such fields out.
func fenceField(topicID string, partition int) string {
	return fencePrefix + topicID + "." + strconv.Itoa(partition)
}

const fencePrefix = "^"

// reservedField says whether a field is the store's own: no Op may touch it, and Read leaves it
// out.
func reservedField(field string) bool { return strings.HasPrefix(field, fencePrefix) }
