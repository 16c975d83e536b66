package export

import (
	"slices"
	"strings"
)

// Names of the columns that a table has beside those of messages.
const (
	colRest      = "rest"            // members that have no column, or not the column's kind, as a JSON object
	colError     = "error"           // why a message, or a member of it, could not be read
	colPartition = "kafka_partition" // these are of the record
	colOffset    = "kafka_offset"
	colTimestamp = "kafka_timestamp"
	colKey       = "kafka_key"
	colHeaders   = "kafka_headers"
	colPayload   = "kafka_payload" // the bytes of a message that could not be read
)

// found is a column for an entry of a map. Its kind decides which entries it takes: a name whose
// values have two kinds has two columns.
type found struct {
	Member string `json:"member"` // the map, such as features
	Name   string `json:"name"`   // the entry, such as device
	Kind   string `json:"kind"`   // text, number or integer
	Column string `json:"column"`
}

var kindNames = map[kind]string{text: "text", number: "number", integer: "integer"}

// entryKey names what may have a column of its own.
type entryKey struct {
	member int // in layout.members
	name   string
	kind   kind
}

// columns decides which entries of maps have columns of their own. The first max of them do, in the
// order in which they are met; the others stay in their maps.
type columns struct {
	layout *layout
	max    int
	list   []found
	at     map[entryKey]int    // index in list; -1: none
	taken  map[string]bool     // names of columns, folded: some tools do not tell A from a
	left   map[string]struct{} // names without a column, at most maxLeft
}

// maxLeft bounds the names that are remembered for having no column.
const maxLeft = 10_000

// newColumns goes on with the columns of an earlier run.
func newColumns(l *layout, max int, list []found) *columns {
	c := &columns{layout: l, max: max, at: map[entryKey]int{}, taken: map[string]bool{"hour": true}, left: map[string]struct{}{}}
	for _, m := range l.members {
		c.taken[strings.ToLower(m.name)] = true
	}
	for _, name := range []string{colRest, colError, colPartition, colOffset, colTimestamp, colKey, colHeaders, colPayload} {
		c.taken[name] = true
	}
	for _, f := range list {
		for k, name := range kindNames {
			if m, ok := l.index[f.Member]; ok && name == f.Kind {
				c.put(entryKey{m, f.Name, k}, f)
			}
		}
	}
	return c
}

func (c *columns) put(key entryKey, f found) {
	c.at[key] = len(c.list)
	c.list = append(c.list, f)
	c.taken[strings.ToLower(f.Column)] = true
}

// find returns the index of the column of an entry, or -1; known is false for an entry that was not
// met before.
func (c *columns) find(key entryKey) (index int, known bool) {
	index, known = c.at[key]
	if !known {
		return -1, len(c.left) >= maxLeft
	}
	return index, true
}

// meet gives columns to entries that were not met before.
func (c *columns) meet(keys []entryKey) {
	for _, key := range keys {
		if _, known := c.at[key]; known {
			continue
		}
		if name := c.free(key); name != "" && len(c.list) < c.max {
			c.put(key, found{c.layout.members[key.member].name, key.name, kindNames[key.kind], name})
			continue
		}
		if len(c.left) < maxLeft {
			c.at[key] = -1
			c.left[c.layout.members[key.member].name+"."+key.name] = struct{}{}
		}
	}
}

// free returns a name for the column of an entry: its path, or for the second kind of values its
// path and the kind. It is empty where both are taken.
func (c *columns) free(key entryKey) string {
	path := c.layout.members[key.member].name + "." + key.name
	for _, name := range []string{path, path + ":" + kindNames[key.kind]} {
		if !c.taken[strings.ToLower(name)] {
			return name
		}
	}
	return ""
}

// examples returns some names that have no column, and how many there are.
func (c *columns) examples() (some []string, n int) {
	for name := range c.left {
		some = append(some, name)
	}
	slices.Sort(some)
	return some[:min(len(some), 5)], len(some)
}

// column is a column of a table: of one member, of one entry of a map, or of the record.
type column struct {
	name   string
	kind   kind
	cell   int // index in row.cells; of a map, in row.maps
	unique bool
}

// table returns the columns of a file: the layout's, the record's, and those of entries.
func (c *columns) table() []column {
	var list []column
	cells, maps := 0, 0
	for _, m := range c.layout.members {
		switch {
		case m.kind == record:
		case m.kind.isMap():
			list = append(list, column{name: m.name, kind: m.kind, cell: maps})
			maps++
		default:
			list = append(list, column{name: m.name, kind: m.kind, cell: cells, unique: unique[m.name]})
			cells++
		}
	}
	for _, t := range tail {
		list = append(list, column{name: t.name, kind: t.kind, cell: cells, unique: t.name == colKey})
		cells++
	}
	list = append(list, column{name: colHeaders, kind: texts, cell: maps})
	for i, f := range c.list {
		k := text
		for of, name := range kindNames {
			if name == f.Kind {
				k = of
			}
		}
		list = append(list, column{name: f.Column, kind: k, cell: cells + i})
	}
	return list
}

// unique are members whose values hardly ever repeat: a dictionary of them would be of no use.
var unique = map[string]bool{"id": true, "request": true, "prediction": true, "token": true, "bid": true, "choice": true, "others": true, "payload": true}

// bytesKind is the kind of colPayload, which need not be text.
const bytesKind = record + 1

// Places of the columns in tail.
const (
	atRest = iota
	atError
	atPartition
	atOffset
	atTimestamp
	atKey
	atPayload
)

// tail are the columns that every table has, behind those of messages.
var tail = []member{{colRest, tree}, {colError, text}, {colPartition, integer}, {colOffset, integer}, {colTimestamp, moment}, {colKey, text}, {colPayload, bytesKind}}
