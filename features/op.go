package features

import (
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Op changes one field of a profile. The order of Ops never matters: every kind is associative and
// commutative, so partitions may be folded in any order and every store holds the same in the end.
// A field belongs to one kind of Op, and a series of tiles has one Keep.
type Op struct {
	Kind  *OpKind
	Field string     // a field that begins with ^ belongs to the store: the Op is ignored
	Add   int64      // OpAdd, OpTile
	Tile  int64      // OpTile: number of the tile, which is the time divided by the series' hop
	Keep  int64      // OpTile: number of tiles that the series keeps, counted back from its newest
	Time  event.Time // OpMax, OpLast, OpFirst
	Value string     // OpLast, OpFirst
}

// OpKind is a kind of Op in every form that a store needs. The forms must agree: a profile in
// memory and one in Redis hold the same fields and values.
type OpKind struct {
	name string // as the script knows it
	// fold applies an Op to a profile in memory.
	fold func(p *heldProfile, op *Op)
	// absorb merges an Op into an earlier one of the same kind and field, before both are sent.
	absorb func(m *mergedOp, op *Op)
	// appendArgs appends the script's arguments for a merged Op, after its name and field.
	appendArgs func(args []any, m *mergedOp) []any
	// reads says that the script reads the field before it folds.
	reads bool
	// lua is the body of a function (i, field, place) in apply.lua. It folds the arguments from
	// ARGV[i] on and returns the index behind them; place is where the field's value was read to.
	lua string
}

// opKinds are all kinds of Op. Each stands in a file of its own; a new one needs its file and a
// line here, and apply.lua gets its Lua from this list.
var opKinds = []*OpKind{OpAdd, OpMax, OpLast, OpFirst, OpTile}

// String is the kind's name.
func (k *OpKind) String() string { return k.name }

// insertOps puts the Lua of every kind into the script, in place of the line that asks for it.
func insertOps(script string) string {
	var ops strings.Builder
	for _, k := range opKinds {
		ops.WriteString("operations['" + k.name + "'] = {reads = " + strconv.FormatBool(k.reads) + ", fold = function(i, field, place)" + k.lua + "end}\n")
	}
	return strings.Replace(script, "-- OPERATIONS\n", ops.String(), 1)
}

// reservedField says whether a field belongs to the store: no Op may change it, and Read leaves it
// out.
func reservedField(field string) bool { return strings.HasPrefix(field, fencePrefix) }

const fencePrefix = "^"

// fenceField is the field that holds the highest offset applied from one source partition.
func fenceField(topicID string, partition int) string {
	return fencePrefix + topicID + "." + strconv.Itoa(partition)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
