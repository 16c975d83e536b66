package features

import (
	"math"
	"slices"
	"strconv"
)

// group is what one profile gets from a batch: updates[from..] of one key, by rising offset.
type group struct {
	key     string
	updates []*Update
}

// groupByKey gathers a batch by profile, in the order in which profiles first appear.
func groupByKey(batch []Update) []group {
	index := make(map[string]int, len(batch))
	groups := make([]group, 0, len(batch))
	for i := range batch {
		u := &batch[i]
		at, ok := index[u.Key]
		if !ok {
			at = len(groups)
			index[u.Key] = at
			groups = append(groups, group{key: u.Key})
		}
		groups[at].updates = append(groups[at].updates, u)
	}
	return groups
}

// after leaves out the updates up to an offset, which the profile holds already.
func (g group) after(offset int64) group {
	i, _ := slices.BinarySearchFunc(g.updates, offset+1, func(u *Update, want int64) int { return compare(u.Offset, want) })
	return group{key: g.key, updates: g.updates[i:]}
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// merged is the sum of several Ops on one field.
type merged struct {
	Op
	tiles []tile // of OpTile
}

// maxGroupOps bounds the operations on one profile in one call: Lua cannot take more than some
// thousand arguments at once. An Update may have as many.
const maxGroupOps = 1000

// merge adds up a group's operations, one a field, in scratch. That gives what applying them one by
// one gives, because every kind of Op is associative.
func (g group) merge(scratch []merged) []merged {
	for _, u := range g.updates {
		for i := range u.Ops {
			if !reservedField(u.Ops[i].Field) {
				scratch = mergeOp(scratch, &u.Ops[i])
			}
		}
	}
	for i := range scratch {
		m := &scratch[i]
		// forgotten at once
		m.tiles = slices.DeleteFunc(m.tiles, func(t tile) bool { return t.number <= m.Tile-m.Keep })
	}
	return scratch
}

func mergeOp(all []merged, op *Op) []merged {
	for i := range all {
		if m := &all[i]; m.Kind == op.Kind && m.Field == op.Field {
			m.absorb(op)
			return all
		}
	}
	if len(all) < cap(all) {
		all = all[:len(all)+1]
	} else {
		all = append(all, merged{})
	}
	m := &all[len(all)-1]
	m.Op, m.tiles = *op, m.tiles[:0]
	if op.Kind == OpTile {
		m.tiles = append(m.tiles, tile{op.Tile, op.Add})
	}
	return all
}

func (m *merged) absorb(op *Op) {
	switch op.Kind {
	case OpAdd:
		m.Add = sumOf(m.Add, op.Add)
	case OpMax:
		m.Time = max(m.Time, op.Time)
	case OpLast:
		if op.Time > m.Time || op.Time == m.Time && op.Value > m.Value {
			m.Time, m.Value = op.Time, op.Value
		}
	case OpFirst:
		if op.Time < m.Time || op.Time == m.Time && op.Value < m.Value {
			m.Time, m.Value = op.Time, op.Value
		}
	case OpTile:
		m.Tile, m.Keep = max(m.Tile, op.Tile), max(m.Keep, op.Keep)
		i := slices.IndexFunc(m.tiles, func(t tile) bool { return t.number == op.Tile })
		if i < 0 {
			m.tiles = append(m.tiles, tile{op.Tile, op.Add})
		} else {
			m.tiles[i].n = sumOf(m.tiles[i].n, op.Add)
		}
	}
}

// sumOf is a+b, or a when that exceeds 64 bits.
func sumOf(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return a
	}
	return a + b
}

// appendArgs appends the group's part of the script's arguments, for the merged operations.
func (g group) appendArgs(args []any, ops []merged) []any {
	args = append(args, decimal(g.updates[0].Offset), decimal(g.updates[len(g.updates)-1].Offset), "", "")
	from := len(args)
	for i := range ops {
		if ops[i].Kind != OpAdd {
			args = append(args, ops[i].Field)
		}
	}
	args[from-1] = decimal(int64(len(args) - from))
	for i := range ops {
		args = ops[i].appendArgs(args)
	}
	args[from-2] = decimal(int64(len(args) - from))
	return args
}

func (m *merged) appendArgs(args []any) []any {
	switch m.Kind {
	case OpAdd:
		return append(args, "a", m.Field, decimal(m.Add))
	case OpMax:
		return append(args, "m", m.Field, decimal(int64(m.Time)))
	case OpLast:
		return append(args, "l", m.Field, decimal(int64(m.Time)), m.Value)
	case OpFirst:
		return append(args, "f", m.Field, decimal(int64(m.Time)), m.Value)
	case OpTile:
		args = append(args, "t", m.Field, decimal(m.Keep), decimal(m.Tile), decimal(int64(len(m.tiles))))
		for _, t := range m.tiles {
			args = append(args, decimal(t.number), decimal(t.n))
		}
		return args
	}
	panic("BUG: features: kind of operation " + strconv.Itoa(int(m.Kind)))
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
