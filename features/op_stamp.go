package features

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// OpLast keeps the Value with the largest (Time, Value); SplitStamped reads it.
var OpLast = newStampKind("last", 1, "at > t or at == t and below(v, value)")

// OpFirst keeps the Value with the smallest (Time, Value); SplitStamped reads it.
var OpFirst = newStampKind("first", -1, "at < t or at == t and below(value, v)")

// newStampKind makes a kind that keeps one Value with its Time. A new (at, value) replaces the held
// (t, v) when they compare as wins, and when luaWins is true.
func newStampKind(name string, wins int, luaWins string) *OpKind {
	compare := func(op *Op, t event.Time, v string) int {
		return cmp.Or(cmp.Compare(op.Time, t), strings.Compare(op.Value, v))
	}
	return &OpKind{
		name: name,
		fold: func(p *heldProfile, op *Op) {
			t, v, ok := SplitStamped(p.fields[op.Field])
			if !ok || compare(op, t, v) == wins {
				p.set(op.Field, stamped(op.Time, op.Value))
			}
		},
		absorb: func(m *mergedOp, op *Op) {
			if compare(op, m.Time, m.Value) == wins {
				m.Time, m.Value = op.Time, op.Value
			}
		},
		appendArgs: func(args []any, m *mergedOp) []any {
			return append(args, decimal(int64(m.Time)), m.Value)
		},
		reads: true,
		lua:   strings.Replace(stampLua, "WINS", luaWins, 1),
	}
}

const stampLua = `
  local time, value, held = ARGV[i], ARGV[i + 1], values[place]
  local wins = not held
  if held then
    local cut = string.find(held, ' ', 1, true)
    local t = cut and tonumber(string.sub(held, 1, cut - 1))
    if t then
      local v, at = string.sub(held, cut + 1), tonumber(time)
      wins = WINS
    else
      noteFault(field, 'a time and a value')
    end
  end
  if wins then
    set(field, time .. ' ' .. value)
  end
  return i + 2
`

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
	return decimal(int64(at)) + " " + value
}
