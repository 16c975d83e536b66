package features

import "math"

// OpAdd adds Add to an integer. A sum that would exceed 64 bits stays as it was.
var OpAdd = &OpKind{
	name:   "add",
	fold:   func(p *heldProfile, op *Op) { p.add(op.Field, op.Add) },
	absorb: func(m *mergedOp, op *Op) { m.Add = sumOf(m.Add, op.Add) },
	appendArgs: func(args []any, m *mergedOp) []any {
		return append(args, decimal(m.Add))
	},
	lua: `
  add(field, ARGV[i])
  return i + 1
`,
}

// sumOf is a+b, or a when the sum exceeds 64 bits.
func sumOf(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return a
	}
	return a + b
}
