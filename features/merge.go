package features

import (
	"cmp"
	"slices"
)

// group holds the updates of one profile in a batch, by rising offset.
type group struct {
	key     string
	updates []*Update
}

// groupByKey groups a batch by profile, in the order in which profiles first appear.
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

// after returns the group without the updates up to an offset, which the profile holds already.
func (g group) after(offset int64) group {
	i, _ := slices.BinarySearchFunc(g.updates, offset+1, func(u *Update, want int64) int { return cmp.Compare(u.Offset, want) })
	return group{key: g.key, updates: g.updates[i:]}
}

// mergedOp is several Ops of one kind on one field as one.
type mergedOp struct {
	Op
	// parts are the Ops that do not add up to one, such as those of different tiles. They are empty
	// until the kind asks for them by split.
	parts []Op
}

// split returns the parts: the Op alone before anything was merged into it.
func (m *mergedOp) split() []Op {
	if len(m.parts) == 0 {
		m.parts = append(m.parts, m.Op)
	}
	return m.parts
}

// maxGroupOps bounds the merged Ops on one profile in one call: Lua cannot take more than some
// thousand arguments at once. One Update may have as many.
const maxGroupOps = 1000

// merge merges the group's Ops into one for each kind and field, in scratch. Folding these gives
// the same as folding the Ops one by one, because every kind is associative.
func (g group) merge(scratch []mergedOp) []mergedOp {
	for _, u := range g.updates {
		for i := range u.Ops {
			if !reservedField(u.Ops[i].Field) {
				scratch = mergeOp(scratch, &u.Ops[i])
			}
		}
	}
	return scratch
}

func mergeOp(merged []mergedOp, op *Op) []mergedOp {
	for i := range merged {
		if m := &merged[i]; m.Kind == op.Kind && m.Field == op.Field {
			op.Kind.absorb(m, op)
			return merged
		}
	}
	merged = extend(merged)
	m := &merged[len(merged)-1]
	m.Op, m.parts = *op, m.parts[:0]
	return merged
}

// extend lengthens s by one element, which keeps what its memory held: its own slices are used
// again.
func extend[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var zero T
	return append(s, zero)
}

// appendArgs appends the group's part of the script's arguments; apply.lua describes them.
func (g group) appendArgs(args []any, ops []mergedOp) []any {
	args = append(args, decimal(g.updates[0].Offset), decimal(g.updates[len(g.updates)-1].Offset), "", "")
	from := len(args)
	for i := range ops {
		if ops[i].Kind.reads {
			args = append(args, ops[i].Field)
		}
	}
	args[from-1] = decimal(int64(len(args) - from))
	for i := range ops {
		m := &ops[i]
		args = m.Kind.appendArgs(append(args, m.Kind.name, m.Field), m)
	}
	args[from-2] = decimal(int64(len(args) - from))
	return args
}
