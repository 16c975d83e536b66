package features

// OpMax keeps the largest Time.
var OpMax = &OpKind{
	name: "max",
	fold: func(p *heldProfile, op *Op) {
		if now, ok := p.integer(op.Field); !ok || int64(op.Time) > now {
			p.set(op.Field, decimal(int64(op.Time)))
		}
	},
	absorb: func(m *mergedOp, op *Op) { m.Time = max(m.Time, op.Time) },
	appendArgs: func(args []any, m *mergedOp) []any {
		return append(args, decimal(int64(m.Time)))
	},
	reads: true,
	lua: `
  if tonumber(ARGV[i]) > number(place, field, -1) then
    set(field, ARGV[i])
  end
  return i + 1
`,
}
